// SPDX-License-Identifier: GPL-2.0-or-later
// Arbitrary bytes as a token: as its text, and as what the text stands for, with a digest that is right.
#include "unit/token_text.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void read_text(const char *text)
{
    struct token token;
    struct fault fault = {""};
    if (!token_read(&token, text, &fault)) {
        assert(*fault.text && !token.key.bytes);
        return;
    }
    for (const char *c = token.routes; *c; c++)
        assert(*c > 0x1f && *c != ';' && *c != '#');
    assert(*token.name && *token.gate && *token.serve && token.key.len);
    token_wipe(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text = malloc(len + 1);
    memcpy(text, bytes, len);
    text[len] = '\0';
    read_text(text);
    free(text);
    text = token_text(bytes, len);
    read_text(text);
    free(text);
    return 0;
}
