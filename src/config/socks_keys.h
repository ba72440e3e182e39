// SPDX-License-Identifier: GPL-2.0-or-later
// The keys of the entrance for SOCKS clients: where it listens, who may use it, and with which password.
#ifndef CONFIG_SOCKS_KEYS_H
#define CONFIG_SOCKS_KEYS_H

#include "config/value.h"
#include "config/value_net.h"

struct socks_keys {
    struct value_endpoints listen; // none: no SOCKS
    struct value_prefixes allow;
    char *user, *password_file; // both or neither
    char *password;             // what the file says: a secret
};

config_parse socks_user; // char *

#define SOCKS_KEYS(SECTION, TYPE, KEYS)                                                                                \
    {SECTION, "Socks", value_endpoints, offsetof(TYPE, KEYS.listen), .list = true},                                    \
        {SECTION, "SocksAllow", value_prefixes, offsetof(TYPE, KEYS.allow), .list = true},                             \
        {SECTION, "SocksUser", socks_user, offsetof(TYPE, KEYS.user), .fallback = NULL},                               \
    {                                                                                                                  \
        SECTION, "SocksPasswordFile", value_path, offsetof(TYPE, KEYS.password_file), .fallback = NULL                 \
    }

// What single keys cannot say; without SocksAllow it is loopback.
void socks_keys_check(struct socks_keys *keys, struct config *config, const char *section);
// Reads the password, if there is one; every mistake is reported at its key's line.
bool socks_keys_read(struct socks_keys *keys, struct config *config, const char *section);
void socks_keys_fini(struct socks_keys *keys);

#endif
