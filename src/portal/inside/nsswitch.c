// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/inside/nsswitch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *nsswitch_by_dns(const char *text)
{
    char *out = NULL;
    size_t size;
    FILE *to = open_memstream(&out, &size);
    if (!to)
        abort();
    while (*text) {
        size_t len = strcspn(text, "\n"), blank = strspn(text, " \t");
        if (strncmp(text + blank, "hosts:", 6))
            fprintf(to, "%.*s\n", (int)len, text);
        text += len + (text[len] == '\n');
    }
    fprintf(to, "hosts: files dns\n");
    fclose(to);
    return out;
}
