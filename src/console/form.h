// SPDX-License-Identifier: GPL-2.0-or-later
// What a browser writes in pairs: the query of an address, a form that was sent, the cookies. Anybody may have written it.
#ifndef CONSOLE_FORM_H
#define CONSOLE_FORM_H

#include <stdbool.h>
#include <stddef.h>

enum { FORM_PAIRS = 16, FORM_MAX = 4096 }; // pairs that are looked at, bytes of all

struct form {
    char text[FORM_MAX + 1]; // taken apart by NULs, decoded in place
    const char *names[FORM_PAIRS], *values[FORM_PAIRS];
    size_t count;
};

// "a=b&c=d%20e". False when it is too long, has too many pairs, a broken escape or a NUL, or says a name twice.
bool form_read(struct form *form, const char *text, size_t len);
// "" when there is none.
const char *form_value(const struct form *form, const char *name);

// The value of a cookie in the header "a=b; c=d", copied; false when it is not there, there twice, or does not fit.
bool cookie_read(char *room, size_t size, const char *header, const char *name);

#endif
