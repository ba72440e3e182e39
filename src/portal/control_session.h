// SPDX-License-Identifier: GPL-2.0-or-later
// The control session of a portal's tunnels (edge/control/).
#ifndef PORTAL_CONTROL_SESSION_H
#define PORTAL_CONTROL_SESSION_H

#include "portal/step.h"

// The tunnel is left in time for one that is made with a newer certificate.
extern const struct step CONTROL_SESSION, CHANGEOVER;

#endif
