// SPDX-License-Identifier: GPL-2.0-or-later
// PEM (RFC 7468) taken apart block by block, so that a file with several certificates or lists is read to its end.
#include "link/tls/internal.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/coding.h>

enum { LINE_SIZE = 64 }; // of a BEGIN or END line, its NUL included

static const uint8_t *find(const struct span *in, const char *text)
{
    return in->len == 0 ? NULL : memmem(in->bytes, in->len, text, strlen(text));
}

static void move_to(struct span *in, const uint8_t *at)
{
    in->len -= (size_t)(at - in->bytes);
    in->bytes = at;
}

bool tls_pem_next(struct span *in, const char *label, uint8_t **der, size_t *len)
{
    char begin[LINE_SIZE], end[LINE_SIZE];
    snprintf(begin, sizeof(begin), "-----BEGIN %s-----", label);
    snprintf(end, sizeof(end), "-----END %s-----", label);
    struct span rest = *in;
    const uint8_t *head = find(&rest, begin);
    if (!head)
        return false;
    move_to(&rest, head + strlen(begin));
    const uint8_t *tail = find(&rest, end);
    if (!tail)
        return false;
    word32 text_len = (word32)(tail - rest.bytes);
    word32 size = text_len; // more than the three quarters that it will be
    *der = memory_new(size + 1);
    if (Base64_Decode(rest.bytes, text_len, *der, &size) != 0) {
        free(*der);
        *der = NULL;
        return false;
    }
    *len = size;
    move_to(&rest, tail + strlen(end));
    *in = rest;
    return true;
}
