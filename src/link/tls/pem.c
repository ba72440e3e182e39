// SPDX-License-Identifier: GPL-2.0-or-later
// A block's text is first rid of headers and white space, so that the decoder sees base64 and nothing else.
#include "link/tls/pem.h"

#include "base/base64.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/coding.h>

static const char begin_mark[] = "-----BEGIN ", end_mark[] = "-----END ", close_mark[] = "-----";

static bool starts_with(const struct span *in, const char *text)
{
    return in->len >= strlen(text) && !memcmp(in->bytes, text, strlen(text));
}

static void skip(struct span *in, size_t len)
{
    in->bytes += len;
    in->len -= len;
}

static bool skip_to(struct span *in, const char *text)
{
    const uint8_t *at = in->len ? memmem(in->bytes, in->len, text, strlen(text)) : NULL;
    if (at)
        skip(in, (size_t)(at - in->bytes));
    return at;
}

static bool is_white(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

// "LABEL-----": what stands before the dashes, which are on the same line.
static bool take_label(struct span *in, struct span *label)
{
    const struct span start = *in;
    if (!skip_to(in, close_mark))
        return false;
    *label = (struct span){start.bytes, (size_t)(in->bytes - start.bytes)};
    skip(in, strlen(close_mark));
    return !memchr(label->bytes, '\n', label->len) && !memchr(label->bytes, '\r', label->len);
}

// Headers are the lines that have a colon, which base64 has not.
static bool skip_headers(struct span *body)
{
    const struct span all = *body;
    const uint8_t *colon = body->len ? memrchr(body->bytes, ':', body->len) : NULL;
    if (!colon)
        return false;
    skip(body, (size_t)(colon - body->bytes));
    while (body->len && *body->bytes != '\n' && *body->bytes != '\r')
        skip(body, 1);
    return memmem(all.bytes, all.len - body->len, "ENCRYPTED", strlen("ENCRYPTED"));
}

static bool decode(struct blob *out, const struct span *body)
{
    struct blob dense = {.bytes = memory_new(body->len + 1)};
    for (size_t i = 0; i < body->len; i++)
        if (!is_white(body->bytes[i]))
            dense.bytes[dense.len++] = body->bytes[i];
    word32 size = (word32)dense.len; // more than the three quarters that it will be
    *out = (struct blob){.bytes = memory_new(dense.len + 1)};
    bool good = dense.len && dense.len % 4 == 0 &&
                Base64_Decode(dense.bytes, (word32)dense.len, out->bytes, &size) == 0 && size;
    out->len = good ? size : 0;
    dense.len = body->len;
    blob_wipe(&dense);
    return good;
}

// A block of DER is the whole of a file, but for white space behind it.
static bool take_der(struct span *in, struct pem_block *out)
{
    struct span rest = *in;
    struct der_element element;
    if (!der_take(&rest, DER_SEQUENCE, &element))
        return false;
    while (rest.len && is_white(*rest.bytes))
        skip(&rest, 1);
    if (rest.len)
        return false;
    out->der = (struct blob){.bytes = memory_new(element.whole.len + 1), .len = element.whole.len};
    memcpy(out->der.bytes, element.whole.bytes, element.whole.len);
    *in = rest;
    return true;
}

enum pem_result pem_next(struct span *in, struct pem_block *out)
{
    *out = (struct pem_block){.encrypted = false};
    if (take_der(in, out))
        return PEM_BLOCK;
    if (!skip_to(in, begin_mark))
        return PEM_END;
    skip(in, strlen(begin_mark));
    if (!take_label(in, &out->label))
        return PEM_BROKEN;
    struct span body = *in, label;
    if (!skip_to(in, end_mark))
        return PEM_BROKEN;
    body.len = (size_t)(in->bytes - body.bytes);
    skip(in, strlen(end_mark));
    if (!take_label(in, &label) || !span_equal(&label, &out->label))
        return PEM_BROKEN;
    out->encrypted = skip_headers(&body);
    if (decode(&out->der, &body))
        return PEM_BLOCK;
    blob_wipe(&out->der);
    return PEM_BROKEN;
}

struct blob pem_text(const char *label, const struct span *der)
{
    enum { LINE = 64 }; // RFC 7468 section 2
    struct blob base64 = {.bytes = memory_new(BASE64_SIZE(der->len)), .len = BASE64_SIZE(der->len) - 1};
    struct blob out = {.bytes = memory_new(base64.len + base64.len / LINE + 2 * strlen(label) + 64)};
    base64_encode((char *)base64.bytes, der->bytes, der->len);
    char *at = (char *)out.bytes;
    at += sprintf(at, "%s%s%s\n", begin_mark, label, close_mark);
    for (size_t i = 0; i < base64.len; i += LINE)
        at += sprintf(at, "%.*s\n", LINE, (const char *)base64.bytes + i);
    at += sprintf(at, "%s%s%s\n", end_mark, label, close_mark);
    out.len = (size_t)(at - (char *)out.bytes);
    blob_wipe(&base64);
    return out;
}

bool pem_is(const struct pem_block *block, const char *label)
{
    return span_is(&block->label, label, strlen(label));
}

bool pem_is_wide(const struct span *text)
{
    return starts_with(text, "\xff\xfe") || starts_with(text, "\xfe\xff");
}
