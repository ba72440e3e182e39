// SPDX-License-Identifier: GPL-2.0-or-later
// The one writer of HTML. What we mean as markup is a literal of ours (markup_raw, and the format of markup_form); whatever
// comes from anywhere else passes markup_text or a "%s" of markup_form, where no byte of it can become markup.
#ifndef CONSOLE_MARKUP_H
#define CONSOLE_MARKUP_H

#include <stddef.h>

struct markup {
    char *bytes; // NUL behind the last; NULL while it is empty
    size_t len, size;
};

// Ours: constants, and numbers that we have formatted.
void markup_raw(struct markup *out, const char *literal);
// Anybody's, as text between tags or within double quotes. What is no UTF-8, or a control character, becomes U+FFFD, and
// so do those that turn the direction of writing: a name must not look like another one.
void markup_text(struct markup *out, const char *text);
// `format` is raw but for "%s", which is text as in markup_text, "%u", which is a part of an address, percent-encoded, and "%%".
void markup_form(struct markup *out, const char *format, ...);
void markup_printf(struct markup *out, const char *format, ...) __attribute__((format(printf, 2, 3))); // numbers alone
void markup_free(struct markup *out);

#endif
