// SPDX-License-Identifier: GPL-2.0-or-later
// The associations that there are, found by their inside end and, where one serves one far end alone, also by that.
#include "edge/capture/internal.h"

#include "base/memory.h"

#include <string.h>

enum { KEY_SIZE = 1 + 1 + 2 + 16 + 2 + 16 }; // protocol, version, port and address inside, the same outside

// Only these serve any number of destinations: IPv6 travels as a name, and a name is one far end (doc/PROTOCOL.md
// section 8), and so does an address that stands for another; an echo session is one identifier towards one host.
static bool is_fixed(const struct capture *capture, const struct outgoing *out)
{
    return out->protocol != USHER_UDP || out->inside.addr.version != 4 ||
           edge_is_led(&capture->edge, out->protocol, &out->outside);
}

bool association_serves(const struct association *association, const struct endpoint *outside)
{
    return address_equal(&association->outside.addr, &outside->addr) &&
           (association_is_echo(association->flow.protocol) || association->outside.port == outside->port);
}

uint64_t association_hash(const struct capture *capture, const struct outgoing *out)
{
    uint8_t key[KEY_SIZE] = {out->protocol, out->inside.addr.version};
    memcpy(key + 2, &out->inside.port, 2);
    memcpy(key + 4, out->inside.addr.bytes, 16);
    if (is_fixed(capture, out)) {
        memcpy(key + 20, out->outside.addr.bytes, 16);
        if (!association_is_echo(out->protocol))
            memcpy(key + 36, &out->outside.port, 2);
    }
    return hash_bytes(&capture->key, key, sizeof key);
}

struct association *association_find(const struct capture *capture, const struct outgoing *out, uint64_t hash)
{
    bool fixed = is_fixed(capture, out);
    for (struct table_node *node = table_first(&capture->associations, hash); node; node = table_next(node)) {
        struct association *found = container_of(node, struct association, by_key);
        if (found->flow.protocol == out->protocol && endpoint_equal(&found->inside, &out->inside) &&
            found->fixed == fixed && (!fixed || association_serves(found, &out->outside)))
            return found;
    }
    return NULL;
}

struct association *association_add(struct capture *capture, const struct outgoing *out, uint64_t hash)
{
    struct association *association = memory_new(sizeof *association);
    association->flow.capture = capture;
    association->flow.opening.timed.own = (uint32_t)(capture->now / USEC_PER_SEC);
    association->flow.protocol = out->protocol;
    association->inside = out->inside;
    association->outside = out->outside;
    association->fixed = is_fixed(capture, out);
    if (association_is_echo(out->protocol))
        association->outside.port = 0;
    list_init(&association->early);
    list_init(&association->flow.opening.timed.node);
    table_insert(&capture->associations, &association->by_key, hash);
    capture->association_count++;
    return association;
}
