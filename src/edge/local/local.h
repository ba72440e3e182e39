// SPDX-License-Identifier: GPL-2.0-or-later
// Local: every session goes to the same port of this very host, on loopback, whatever host the peer asked for. It is a
// dial (edge/dial/) that is given this translation.
#ifndef EDGE_LOCAL_LOCAL_H
#define EDGE_LOCAL_LOCAL_H

#include "edge/translate.h"

extern const struct translate local_translate;

#endif
