// SPDX-License-Identifier: GPL-2.0-or-later
// The keys Proxy, ProxyPasswordFile and ProxyCommand of a portal: what stands between it and its gates.
#ifndef CONFIG_PROXY_KEYS_H
#define CONFIG_PROXY_KEYS_H

#include "config/value_net.h"
#include "link/path/proxy.h"

struct proxy_keys {
    struct proxy proxy; // without the password until proxy_keys_read
    char *password_file;
    char *command;
};

config_parse proxy_keys_url;     // struct proxy: "socks5://user@proxy.example:1080"
config_parse proxy_keys_command; // char *: a line for /bin/sh

#define PROXY_KEYS(SECTION, TYPE, KEYS)                                                                                \
    {SECTION, "Proxy", proxy_keys_url, offsetof(TYPE, KEYS.proxy), .fallback = NULL},                                  \
        {SECTION, "ProxyPasswordFile", value_path, offsetof(TYPE, KEYS.password_file), .fallback = NULL},              \
    {                                                                                                                  \
        SECTION, "ProxyCommand", proxy_keys_command, offsetof(TYPE, KEYS.command), .fallback = NULL                    \
    }

// Reports keys that do not go together, and a gate that the proxy cannot be asked for.
void proxy_keys_check(const struct proxy_keys *keys, struct config *config, const char *section,
                      const struct value_targets *gates);
// Reads the password; a mistake is reported at its key's line. False when there was one.
bool proxy_keys_read(struct proxy_keys *keys, struct config *config, const char *section);
void proxy_keys_fini(struct proxy_keys *keys);

#endif
