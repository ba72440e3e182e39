// SPDX-License-Identifier: GPL-2.0-or-later
// Names of addresses, as anybody may ask for them: what is read as one is written as the same name again.
#include "edge/names/reverse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_name(char room[100], const struct address *addr)
{
    char *at = room;
    if (addr->version == 4) {
        sprintf(at, "%u.%u.%u.%u.in-addr.arpa", addr->bytes[3], addr->bytes[2], addr->bytes[1], addr->bytes[0]);
        return;
    }
    for (int i = 15; i >= 0; i--)
        at += sprintf(at, "%x.%x.", addr->bytes[i] & 15, addr->bytes[i] >> 4);
    strcpy(at, "ip6.arpa");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *name = malloc(size + 1), again[100];
    struct address addr;
    memcpy(name, data, size);
    name[size] = '\0';
    if (reverse_parse(&addr, name)) {
        write_name(again, &addr);
        if (strcmp(name, again))
            abort();
    }
    free(name);
    return 0;
}
