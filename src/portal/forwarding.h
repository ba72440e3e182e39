// SPDX-License-Identifier: GPL-2.0-or-later
// Forward: its sockets, made before privileges go, and the entrance that serves them.
#ifndef PORTAL_FORWARDING_H
#define PORTAL_FORWARDING_H

#include "portal/step.h"

extern const struct step FORWARDING_SOCKETS;
extern const struct step FORWARDING_ENTRANCE; // after the node

#endif
