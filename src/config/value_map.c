// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/value_map.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

// The word of `len` bytes at `text`.
static bool parse_side(struct prefix *out, const char *text, size_t len)
{
    char word[PREFIX_TEXT_SIZE];
    if (len >= sizeof word)
        return false;
    memcpy(word, text, len);
    word[len] = '\0';
    return prefix_parse(out, word);
}

static bool parse(struct map_pair *out, const char *text, struct fault *fault)
{
    static const char blank[] = " \t";
    static const char what[] = "is not a map such as 10.50.0.0/24 -> 10.73.0.0/24 (host bits must be zero)";
    const char *arrow = strstr(text, "->");
    if (!arrow)
        return fault_set(fault, what);
    const char *there = arrow + 2 + strspn(arrow + 2, blank);
    size_t here_len = strcspn(text, " \t-"), there_len = strcspn(there, blank);
    bool tidy = text + here_len + strspn(text + here_len, blank) == arrow && there[there_len] == '\0';
    if (!tidy || !parse_side(&out->here, text, here_len) || !parse_side(&out->there, there, there_len))
        return fault_set(fault, what);
    if (out->here.addr.version != out->there.addr.version)
        return fault_set(fault, "maps one IP version to the other");
    if (out->here.len != out->there.len)
        return fault_set(fault, "maps a /%u to a /%u: both must be of one length", out->here.len, out->there.len);
    return true;
}

static bool overlap(const struct prefix *a, const struct prefix *b)
{
    return prefix_contains(a, &b->addr) || prefix_contains(b, &a->addr);
}

bool value_maps(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    struct value_maps *out = field;
    struct map_pair pair;
    (void)key;
    if (!parse(&pair, entry->value, fault))
        return false;
    if (out->count == VALUE_MAPS_MAX)
        return fault_set(fault, "is one too many: the list holds %d", VALUE_MAPS_MAX);
    for (size_t i = 0; i < out->count; i++)
        if (overlap(&out->items[i].here, &pair.here))
            return fault_set(fault, "maps addresses that an earlier one maps");
    out->items = memory_resize(out->items, (out->count + 1) * sizeof *out->items);
    out->items[out->count++] = pair;
    return true;
}

const struct map_pair *value_maps_of(const struct value_maps *maps, const struct prefix *prefix)
{
    for (size_t i = 0; i < maps->count; i++)
        if (overlap(&maps->items[i].here, prefix))
            return &maps->items[i];
    return NULL;
}

void value_maps_fini(struct value_maps *maps)
{
    free(maps->items);
    *maps = (struct value_maps){0};
}

void value_maps_route(const struct value_maps *maps, struct value_prefixes *routes)
{
    for (size_t i = 0; i < maps->count; i++)
        value_prefixes_add(routes, &maps->items[i].here);
}
