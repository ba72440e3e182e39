// SPDX-License-Identifier: GPL-2.0-or-later
// What the gate's side may open towards this portal, [Accept]: an exit with rules of its own. Names are resolved as this
// machine does, and its own addresses count as such for as long as they are.
#ifndef PORTAL_ACCEPT_H
#define PORTAL_ACCEPT_H

#include "portal/step.h"

#include <stdio.h>

extern const struct step ACCEPT_RIGHTS; // what needs privileges: raw sockets
extern const struct step ACCEPT_EXIT;   // after the node

struct resolver;
// Of names that the gate's side asks for; NULL: none are resolved.
struct resolver *accept_resolver(const struct portal *portal);

struct portal_conf;
// Judges by the rules of `now` from here on, in exchange for those that were in force; flows that they do not allow are
// reset.
void accept_take(struct portal *portal, struct portal_conf *now, FILE *report);

#endif
