// SPDX-License-Identifier: GPL-2.0-or-later
// The text of a resolv.conf(5): what somebody else's says, and one of our own in its place. No file is touched here.
#ifndef OS_SYSTEM_DNS_RESOLV_CONF_H
#define OS_SYSTEM_DNS_RESOLV_CONF_H

#include "base/address.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    RESOLV_CONF_MAX = 64 * 1024, // bytes of a file: far above any honest one
    RESOLV_CONF_SERVERS_MAX = 8, // that are kept of one; the C library itself asks three
    RESOLV_CONF_NAME_SIZE = 64,  // of whose it is, with its NUL
    RESOLV_CONF_PATH_SIZE = 256, // of where the old one is
};

struct resolv_conf_servers {
    struct address items[RESOLV_CONF_SERVERS_MAX];
    size_t count;
};

// Written as os/resolver/resolver.h takes them, with commas between them; "" is none.
#define RESOLV_CONF_SERVERS_TEXT_SIZE ((size_t)RESOLV_CONF_SERVERS_MAX * ADDRESS_TEXT_SIZE)
void resolv_conf_servers_text(const struct resolv_conf_servers *servers, char room[RESOLV_CONF_SERVERS_TEXT_SIZE]);

struct resolv_conf {
    struct resolv_conf_servers servers;
    size_t unusable; // servers that are no plain address: "fe80::1%eth0"
    char *search;    // domains with single spaces between them; "" is none
    char *others;    // whole lines that we pass on: options, sortlist
};

// `out` is to be freed by resolv_conf_fini.
void resolv_conf_parse(struct resolv_conf *out, const char *text);
void resolv_conf_fini(struct resolv_conf *conf);

struct resolv_conf_own {
    const char *name;   // whose it is
    const char *backup; // where the old one is meanwhile; NULL: there was none
    const struct address *servers;
    size_t server_count;
    const char *search; // domains with single spaces between them, before those of the old one
};

// The text that takes the place of `old`. Its first line says who wrote it and where the old one is. To be freed.
char *resolv_conf_text(const struct resolv_conf_own *own, const struct resolv_conf *old);

struct resolv_conf_owner {
    char name[RESOLV_CONF_NAME_SIZE];
    bool had_old;
};

// Whether `text` is such a one, and whose.
bool resolv_conf_owner(struct resolv_conf_owner *out, const char *text);

#endif
