// SPDX-License-Identifier: GPL-2.0-or-later
#include "exchange/guides.h"

#include "exchange/inner.h"

static struct guide *guide_of(struct list *node)
{
    return container_of(node, struct guide, node);
}

void guides_init(struct guides *guides, void (*wake)(void *owner), void *owner)
{
    list_init(&guides->list);
    guides->wake = wake;
    guides->owner = owner;
}

void guides_fini(struct guides *guides)
{
    for (struct list *node; (node = list_pop_front(&guides->list));) {
        inner_free(guide_of(node)->inner);
        guide_of(node)->inner = NULL;
    }
}

void guides_add(struct guides *guides, struct guide *guide)
{
    list_push_back(&guides->list, &guide->node);
    guide->inner = guide->edge ? inner_new(guide->edge, guides->wake, guides->owner) : NULL;
}

enum guide_answer guides_lead(const struct guides *guides, struct usher_open *open, struct usher_engine **through)
{
    struct usher_open asked = *open;
    if (list_is_empty(&guides->list))
        return GUIDE_NOT_MINE;
    if (asked.addr.version == 0 && address_parse(&asked.addr, asked.host))
        asked.host[0] = '\0'; // came as text in place of a name; it is an address all the same
    list_for_each(node, &guides->list) {
        const struct guide *guide = guide_of(node);
        enum guide_answer answer = guide->lead(guide, &asked);
        if (answer == GUIDE_NOT_MINE)
            continue;
        *open = asked;
        if (answer == GUIDE_SERVES)
            *through = inner_engine(guide->inner);
        // A datagram that is led elsewhere must not carry the address that it has here (doc/PROTOCOL.md section 8).
        open->by_name = true;
        return answer;
    }
    return GUIDE_NOT_MINE;
}

bool guides_know(const struct guides *guides, uint16_t protocol, const struct endpoint *to)
{
    struct usher_open open = {.protocol = protocol, .addr = to->addr, .port = to->port};
    struct usher_engine *through;
    return guides_lead(guides, &open, &through) != GUIDE_NOT_MINE;
}

void guides_turn(struct guides *guides, usec_t now)
{
    list_for_each(node, &guides->list) {
        if (guide_of(node)->inner)
            inner_turn(guide_of(node)->inner, now);
    }
}
