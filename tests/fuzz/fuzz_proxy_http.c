// SPDX-License-Identifier: GPL-2.0-or-later
// What an HTTP proxy may say, after a byte that chooses what we are to it: in one piece and byte by byte it comes to the
// same, nothing is waited for in vain, and whatever is told is plain text.
#include "unit/talk.h"

static const struct proxy proxies[] = {
    {.kind = PROXY_HTTP},
    {.kind = PROXY_HTTP, .user = "bob", .password = "secret"},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const struct proxy *proxy = &proxies[data[0] % (sizeof proxies / sizeof proxies[0])];
    struct proxy_talk *whole = talk_new(proxy, "gate.example.net"), *bytes = talk_new(proxy, "gate.example.net");
    size_t used = talk_hear(whole, data + 1, size - 1, SIZE_MAX);
    size_t used_bytes = talk_hear(bytes, data + 1, size - 1, 1);
    if (used_bytes > used || (whole->verdict == PROXY_LEADS && used_bytes != used))
        abort();
    if (whole->verdict != bytes->verdict || (whole->verdict == PROXY_TALKS && !whole->want) ||
        (whole->verdict >= PROXY_FAILED) != (*whole->why.text != '\0') || whole->out_len > sizeof whole->out)
        abort();
    for (const char *c = whole->why.text; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            abort();
    free(whole);
    free(bytes);
    return 0;
}
