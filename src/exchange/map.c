// SPDX-License-Identifier: GPL-2.0-or-later
#include "exchange/map.h"

#include <stdio.h>

// The network part of `to`, the host part of `addr`.
static struct address move(const struct address *addr, const struct prefix *to)
{
    struct address moved = *addr;
    for (unsigned i = 0, left = to->len; left > 0; i++) {
        unsigned bits = left < 8 ? left : 8;
        uint8_t mask = (uint8_t)(0xff << (8 - bits));
        moved.bytes[i] = (uint8_t)((to->addr.bytes[i] & mask) | (addr->bytes[i] & ~mask));
        left -= bits;
    }
    return moved;
}

static enum guide_answer lead(const struct guide *guide, struct usher_open *open)
{
    const struct map *map = container_of(guide, const struct map, guide);
    for (size_t i = 0; i < map->count; i++) {
        if (!prefix_contains(&map->pairs[i].here, &open->addr))
            continue;
        open->addr = move(&open->addr, &map->pairs[i].there);
        return GUIDE_LEADS;
    }
    return GUIDE_NOT_MINE;
}

void map_init(struct map *map, const struct map_pair *pairs, size_t count)
{
    *map = (struct map){.guide = {.lead = lead}, .pairs = pairs, .count = count};
    list_init(&map->guide.node);
}

void map_describe(const struct map_pair *pairs, size_t count, struct facts *facts)
{
    char here[PREFIX_TEXT_SIZE], there[PREFIX_TEXT_SIZE], text[2 * PREFIX_TEXT_SIZE + sizeof " -> "];
    if (!count)
        return;
    facts_list(facts, "map");
    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%s -> %s", prefix_text(&pairs[i].here, here), prefix_text(&pairs[i].there, there));
        facts_text(facts, "", "a network's addresses here, and where it is", text);
    }
    facts_end(facts);
}
