// SPDX-License-Identifier: GPL-2.0-or-later
// A talk with a proxy without a connection: what the proxy says is fed as it asks for it.
#ifndef TESTS_TALK_H
#define TESTS_TALK_H

#include "link/path/proxy_http.h"
#include "link/path/proxy_socks.h"

#include <stdlib.h>
#include <string.h>

static inline struct proxy_talk *talk_new(const struct proxy *proxy, const char *host)
{
    struct proxy_talk *talk = calloc(1, sizeof *talk);
    talk->proxy = proxy;
    talk->host = host;
    talk->port = 4433;
    strcpy(talk->cnonce, "f2/wE4q74E6zIJEtWaHKaf5wv/H5Qzz");
    if (proxy->kind == PROXY_HTTP)
        proxy_http_begin(talk);
    else
        proxy_socks_begin(talk);
    return talk;
}

// Gives it at most `step` bytes at a time and what it asks for at most. Returns how many it took.
static inline size_t talk_hear(struct proxy_talk *talk, const void *bytes, size_t len, size_t step)
{
    size_t used = 0;
    while (talk->verdict == PROXY_TALKS && used < len) {
        size_t part = talk->want < step ? talk->want : step;
        part = part < len - used ? part : len - used;
        if (part == 0 || talk->in_len + part > sizeof talk->in) // it would wait for nothing, or write behind its room
            abort();
        memcpy(talk->in + talk->in_len, (const uint8_t *)bytes + used, part);
        used += part;
        talk->in_len += part;
        talk->want -= part;
        if (talk->proxy->kind == PROXY_HTTP)
            proxy_http_take(talk);
        else
            proxy_socks_take(talk);
    }
    return used;
}

#endif
