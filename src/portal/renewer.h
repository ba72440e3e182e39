// SPDX-License-Identifier: GPL-2.0-or-later
// The process beside a portal that renews what runs out (portal/renew.c). The portal itself cannot write its files any more.
#ifndef PORTAL_RENEWER_H
#define PORTAL_RENEWER_H

#include "portal/step.h"

extern const struct step RENEWER; // where there is Renew; before the rights go

#endif
