// SPDX-License-Identifier: GPL-2.0-or-later
// Mapped names: the answer to a question for a name behind the tunnel is an address of a pool, made up here. Whether there is
// such a name, and in which families, the other end of the tunnel is asked; what addresses it has there nobody learns.
#ifndef EDGE_NAMES_MAPPED_H
#define EDGE_NAMES_MAPPED_H

#include "edge/names/domain.h"
#include "edge/names/source.h"
#include "edge/probe.h"

struct names_mapped;
struct pool;

// All borrowed.
struct names_mapped_config {
    struct prober *prober;
    struct pool *ipv4, *ipv6; // NULL: there is none of that family
    const struct names_domain *domains;
    size_t domain_count;
    bool has_servers; // which are asked for what is no address
};

struct names_mapped *names_mapped_new(const struct names_mapped_config *config);
struct names_source *names_mapped_source(struct names_mapped *mapped);
// Nobody waits for it any more.
void names_mapped_free(struct names_mapped *mapped);

#endif
