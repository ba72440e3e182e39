// SPDX-License-Identifier: GPL-2.0-or-later
// A token around any bytes, with the digest that is right: as usher-pki makes it.
#ifndef TESTS_UNIT_TOKEN_TEXT_H
#define TESTS_UNIT_TOKEN_TEXT_H

#include "base/base64.h"
#include "enrol/token.h"
#include "link/tls/sha256.h"

#include <stdlib.h>
#include <string.h>

// The caller's to free.
static inline char *token_text(const void *bytes, size_t len)
{
    uint8_t digest[SHA256_SIZE], *all = malloc(len + 4);
    char *text = malloc(sizeof TOKEN_PREFIX + BASE64_SIZE(len + 4));
    if (len)
        memcpy(all, bytes, len);
    tls_sha256(digest, bytes, len);
    memcpy(all + len, digest, 4);
    strcpy(text, TOKEN_PREFIX);
    base64_encode(text + strlen(TOKEN_PREFIX), all, len + 4);
    for (char *c = text + strlen(TOKEN_PREFIX); *c; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? '\0' : *c;
    free(all);
    return text;
}

#endif
