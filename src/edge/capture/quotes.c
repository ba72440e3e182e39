// SPDX-License-Identifier: GPL-2.0-or-later
// Most associations have one far end, or speak to the one they spoke to last: that is looked at first. Nearly all others
// have a few, so a list will do.
#include "edge/capture/internal.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct quote *quotes_find(struct quotes *quotes, const struct endpoint *outside)
{
    for (uint8_t i = 0; i < quotes->count; i++) {
        uint8_t at = (uint8_t)((quotes->latest + i) % quotes->count);
        if (endpoint_equal(&quotes->list[at].outside, outside))
            return &quotes->list[at];
    }
    return NULL;
}

const struct quote *quotes_latest(const struct quotes *quotes)
{
    return quotes->count ? &quotes->list[quotes->latest] : NULL;
}

static struct quote *add(struct quotes *quotes)
{
    if (quotes->count == QUOTES_MAX) {
        struct quote *oldest = &quotes->list[quotes->oldest];
        quotes->oldest = (uint8_t)((quotes->oldest + 1) % QUOTES_MAX);
        return oldest;
    }
    if (quotes->count == quotes->size) {
        quotes->size = quotes->size ? (uint8_t)(quotes->size * 2) : 1;
        quotes->list = memory_resize(quotes->list, quotes->size * sizeof quotes->list[0]);
    }
    return &quotes->list[quotes->count++];
}

void quotes_keep(struct quotes *quotes, bool fixed, const struct outgoing *out)
{
    struct quote *quote = fixed && quotes->count ? &quotes->list[0] : quotes_find(quotes, &out->outside);
    if (!quote)
        quote = add(quotes);
    quotes->latest = (uint8_t)(quote - quotes->list);
    quote->outside = out->outside;
    quote->len = (uint8_t)out->quote_len;
    memcpy(quote->bytes, out->quote, out->quote_len);
}

void quotes_fini(struct quotes *quotes)
{
    free(quotes->list);
}
