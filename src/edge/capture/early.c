// SPDX-License-Identifier: GPL-2.0-or-later
// Datagrams that came before their association was answered. Kept in order, within bounds per association and for all
// together; what finds no room is dropped, as a full queue of the network would do.
#include "edge/capture/internal.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    EARLY_DATAGRAMS = 16,              // of one association
    EARLY_BYTES = 64 * 1024,           // of one association; its first datagram fits always
    EARLY_BYTES_ALL = 4 * 1024 * 1024, // of all of them
};

static size_t cost_of(size_t quote_len, size_t len)
{
    return sizeof(struct early) + quote_len + len;
}

void early_keep(struct association *association, const struct outgoing *out)
{
    struct capture *capture = association->flow.capture;
    size_t cost = cost_of(out->quote_len, out->len);
    bool first = association->early_count == 0;
    if (association->early_count == EARLY_DATAGRAMS || capture->early_bytes + cost > EARLY_BYTES_ALL ||
        (!first && association->early_bytes + cost > EARLY_BYTES)) {
        capture->counters.datagrams_dropped++;
        return;
    }
    struct early *early = memory_resize(NULL, cost);
    early->outside = out->outside;
    early->quote_len = (uint32_t)out->quote_len;
    early->len = (uint32_t)out->len;
    memcpy(early->bytes, out->quote, out->quote_len);
    memcpy(early->bytes + out->quote_len, out->bytes, out->len);
    list_push_back(&association->early, &early->node);
    association->early_count++;
    association->early_bytes += (uint32_t)cost;
    capture->early_bytes += cost;
}

struct early *early_first(const struct association *association)
{
    if (list_is_empty(&association->early))
        return NULL;
    return container_of(association->early.next, struct early, node);
}

struct early *early_next(const struct association *association, const struct early *early)
{
    if (early->node.next == &association->early)
        return NULL;
    return container_of(early->node.next, struct early, node);
}

void early_free(struct association *association, struct early *early)
{
    size_t cost = cost_of(early->quote_len, early->len);
    list_remove(&early->node);
    association->early_count--;
    association->early_bytes -= (uint32_t)cost;
    association->flow.capture->early_bytes -= cost;
    free(early);
}

void early_refuse(struct association *association, struct early *early, int error)
{
    capture_emit_error(association->flow.capture, error, early->bytes, early->quote_len);
    early_free(association, early);
}

void early_clear(struct association *association)
{
    for (struct early *early; (early = early_first(association));)
        early_free(association, early);
}
