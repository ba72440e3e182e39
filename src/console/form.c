// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/form.h"

#include <stdint.h>
#include <string.h>

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

// In place: what is decoded is never longer.
static bool decode(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from != '%') {
            *to++ = *from == '+' ? ' ' : *from;
            continue;
        }
        int high = digit(from[1]), low = high < 0 ? -1 : digit(from[2]);
        if (low < 0 || !(high | low))
            return false;
        *to++ = (char)(high << 4 | low);
        from += 2;
    }
    *to = '\0';
    return true;
}

static const char *find(const struct form *form, const char *name)
{
    for (size_t i = 0; i < form->count; i++)
        if (!strcmp(form->names[i], name))
            return form->values[i];
    return NULL;
}

bool form_read(struct form *form, const char *text, size_t len)
{
    form->count = 0;
    if (len > FORM_MAX || memchr(text, '\0', len))
        return false;
    memcpy(form->text, text, len);
    form->text[len] = '\0';
    char *left = form->text;
    for (char *pair; (pair = strsep(&left, "&"));) {
        if (!*pair)
            continue;
        char *value = strchr(pair, '=');
        if (value)
            *value++ = '\0';
        else
            value = pair + strlen(pair);
        if (form->count == FORM_PAIRS || !decode(pair) || !decode(value) || find(form, pair))
            return false;
        form->names[form->count] = pair;
        form->values[form->count++] = value;
    }
    return true;
}

const char *form_value(const struct form *form, const char *name)
{
    const char *value = find(form, name);
    return value ? value : "";
}

bool cookie_read(char *room, size_t size, const char *header, const char *name)
{
    bool found = false;
    size_t name_len = strlen(name);
    while (*header) {
        header += strspn(header, "; \t");
        size_t len = strcspn(header, ";");
        if (len > name_len && !strncmp(header, name, name_len) && header[name_len] == '=') {
            size_t value_len = len - name_len - 1;
            if (found || value_len >= size)
                return false;
            memcpy(room, header + name_len + 1, value_len);
            room[value_len] = '\0';
            found = true;
        }
        header += len;
    }
    return found;
}
