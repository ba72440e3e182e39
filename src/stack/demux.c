// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses and ports of a segment are hashed with a secret key, so that nobody outside can make one chain long.
#include "stack/demux.h"

#include "stack/held.h"

#include <string.h>

uint64_t demux_hash(const struct stack *stack, const struct segment *segment)
{
    const struct packet_view *view = segment->view;
    size_t width = view->src.version == 4 ? 4 : 16;
    uint8_t key[2 * 16 + 2 * sizeof(uint16_t)];
    memcpy(key, view->src.bytes, width);
    memcpy(key + width, view->dst.bytes, width);
    memcpy(key + 2 * width, &segment->src_port, sizeof segment->src_port);
    memcpy(key + 2 * width + sizeof(uint16_t), &segment->dst_port, sizeof segment->dst_port);
    return hash_bytes(&stack->key, key, 2 * width + 2 * sizeof(uint16_t));
}

static bool same(const ip_addr_t *a, const struct address *b)
{
    if (IP_IS_V6(a))
        return b->version == 6 && memcmp(ip_2_ip6(a)->addr, b->bytes, 16) == 0;
    return b->version == 4 && memcmp(&ip_2_ip4(a)->addr, b->bytes, 4) == 0;
}

static bool matches(const struct stack_flow *flow, const struct segment *segment)
{
    const struct tcp_pcb *pcb = flow->pcb;
    if (flow->unanswered)
        return held_matches(flow->held, segment);
    return pcb->remote_port == segment->src_port && pcb->local_port == segment->dst_port &&
           same(&pcb->remote_ip, &segment->view->src) && same(&pcb->local_ip, &segment->view->dst);
}

struct stack_flow *demux_find(const struct stack *stack, const struct segment *segment, uint64_t hash)
{
    for (struct table_node *node = table_first(&stack->table, hash); node; node = table_next(node)) {
        struct stack_flow *flow = container_of(node, struct stack_flow, node);
        if (matches(flow, segment))
            return flow;
    }
    return NULL;
}
