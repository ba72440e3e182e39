// SPDX-License-Identifier: GPL-2.0-or-later
// What a portal runs by, while it runs: its configuration and the files that this names, read again when one of them has
// changed, or when somebody asks for it. What is mistaken is refused, loudly, and what was in force stays so.
#ifndef PORTAL_RENEWAL_H
#define PORTAL_RENEWAL_H

#include "portal/portal.h"
#include "portal/step.h"

extern const struct step RENEWAL; // before the rights go by which the files are read

// Reads everything again; the request is answered when that is done.
void renewal_request(struct portal *portal, struct control_request *request);
// For the status: when something was taken, and why something was not, if that is how it is.
void renewal_describe(const struct portal *portal, struct facts *facts);

#endif
