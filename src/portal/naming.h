// SPDX-License-Identifier: GPL-2.0-or-later
// The steps that make the resolver for names behind the tunnel, and what is told of it.
#ifndef PORTAL_NAMING_H
#define PORTAL_NAMING_H

#include "base/facts.h"
#include "config/portal_conf.h"
#include "portal/step.h"

extern const struct step NAMING_REST; // before the node: what it was made of is there as long
extern const struct step NAMING_RESOLVER;

// Who is asked for names outside of Domains from now on: addresses with commas between them, "" for those that resolv.conf
// names now. With Domains, and once the first step is taken.
void naming_set_rest(struct portal *portal, const char *servers);

unsigned naming_descriptors(const struct portal_conf *conf);
// The list "dns": addresses that answer, where there are any; and "pools", of mapped names.
void naming_describe(const struct portal *portal, struct facts *facts);

#endif
