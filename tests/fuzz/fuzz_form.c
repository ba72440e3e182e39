// SPDX-License-Identifier: GPL-2.0-or-later
// What anybody may send a console in an address, a form or a header; and that what is written of it is text. Escaped text has no
// byte that could end a value, and is written the same way twice.
#include "console/form.h"
#include "console/markup.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth)
        abort();
}

static void escape(const char *text)
{
    struct markup out = {0}, url = {0};
    markup_text(&out, text);
    markup_form(&url, "%u", text);
    require(!out.len || (strlen(out.bytes) == out.len && !strpbrk(out.bytes, "<>\"'\n\r")));
    require(!url.len || !strpbrk(url.bytes, "<>\"'& \n\r?#/"));
    markup_free(&out);
    markup_free(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct form form;
    char room[80];
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    if (form_read(&form, text, size)) {
        require(form.count <= FORM_PAIRS);
        for (size_t i = 0; i < form.count; i++) {
            require(strlen(form.values[i]) <= size && !strcmp(form_value(&form, form.names[i]), form.values[i]));
            escape(form.names[i]);
            escape(form.values[i]);
        }
    }
    if (cookie_read(room, sizeof room, text, "usher-8067"))
        require(strlen(room) < sizeof room && !strchr(room, ';'));
    escape(text);
    free(text);
    return 0;
}
