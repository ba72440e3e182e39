// SPDX-License-Identifier: GPL-2.0-or-later
// The resolver of a portal. It adopts sessions that lead to its own addresses, by UDP and by TCP, and answers the questions
// in them: those for names behind the tunnel from servers there, for which it opens sessions of its own, or from a source
// (edge/names/source.h); all others from the servers that this machine had anyway. Nothing is remembered: who asks has a
// cache of its own, and so has who answers; one between them would only keep what either has learned to be wrong.
#ifndef EDGE_NAMES_NAMES_H
#define EDGE_NAMES_NAMES_H

#include "edge/edge.h"
#include "edge/names/config.h"

struct names;

struct names *names_new(const struct names_config *config);
// For the exchange, which stops it.
struct edge *names_edge(struct names *names);
// Whether this is one of its addresses: sessions to any port there are for it to adopt or refuse.
bool names_has(const struct names *names, const struct address *addr);
// The servers for names that are in none of the domains, copied; without any, questions for them are refused. Those that
// are addresses of its own are left out.
void names_set_rest(struct names *names, const struct endpoint *servers, size_t count);

#endif
