// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/inside/resolv_conf.h"

#include <stdio.h>
#include <stdlib.h>

// What glibc takes of either (MAXNS, MAXDNSRCH of older versions).
enum { SERVERS_MAX = 3, SEARCHED_MAX = 6 };

char *resolv_conf_of(const struct names_keys *names)
{
    char *text = NULL, address[ADDRESS_TEXT_SIZE];
    size_t size, searched = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    for (size_t i = 0; i < names->addresses.count && i < SERVERS_MAX; i++)
        fprintf(out, "nameserver %s\n", address_text(&names->addresses.items[i].addr, address));
    for (size_t i = 0; i < names->domains.count && searched < SEARCHED_MAX; i++)
        if (names->domains.items[i].search)
            fprintf(out, "%s%s", searched++ ? " " : "search ", names->domains.items[i].name);
    fprintf(out, "%s", searched ? "\n" : "");
    fclose(out);
    return text;
}
