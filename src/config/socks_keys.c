// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/socks_keys.h"

#include "base/memory.h"
#include "config/secret_file.h"

#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 255 }; // bytes of a user and of a password: RFC 1929 section 2

bool socks_user(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    (void)key;
    size_t len = strlen(entry->value);
    if (len == 0 || len > WORD_MAX)
        return fault_set(fault, "has not 1 to %d bytes", WORD_MAX);
    char **out = field;
    free(*out);
    *out = memory_text(entry->value);
    return true;
}

static const struct prefix *loopback(uint8_t version)
{
    static const struct prefix v4 = {.addr = {.version = 4, .bytes = {127}}, .len = 8};
    static const struct prefix v6 = {.addr = {.version = 6, .bytes = {[15] = 1}}, .len = 128};
    return version == 4 ? &v4 : &v6;
}

static void allow_loopback(struct value_prefixes *allow)
{
    allow->items = memory_resize(allow->items, 2 * sizeof *allow->items);
    allow->items[0] = *loopback(4);
    allow->items[1] = *loopback(6);
    allow->count = 2;
}

static void check_reach(const struct socks_keys *keys, struct config *config, const char *section)
{
    char text[ENDPOINT_TEXT_SIZE];
    for (size_t i = 0; i < keys->listen.count; i++) {
        const struct endpoint *at = &keys->listen.items[i];
        if (!prefix_contains(loopback(at->addr.version), &at->addr))
            config_mistake(config, section, "Socks",
                           "Socks: others than this host reach %s: say with SocksAllow who may",
                           endpoint_text(at, text));
    }
}

void socks_keys_check(struct socks_keys *keys, struct config *config, const char *section)
{
    static const char *const others[] = {"SocksAllow", "SocksUser", "SocksPasswordFile"};
    const bool given[] = {keys->allow.count > 0, keys->user, keys->password_file};
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        if (given[i] && keys->listen.count == 0)
            config_mistake(config, section, others[i], "%s means nothing without Socks", others[i]);
    }
    if (keys->user && !keys->password_file)
        config_mistake(config, section, "SocksUser", "SocksUser needs a SocksPasswordFile");
    if (keys->password_file && !keys->user)
        config_mistake(config, section, "SocksPasswordFile", "SocksPasswordFile needs a SocksUser");
    if (keys->allow.count > 0)
        return;
    check_reach(keys, config, section);
    allow_loopback(&keys->allow);
}

bool socks_keys_read(struct socks_keys *keys, struct config *config, const char *section)
{
    if (!keys->password_file)
        return true;
    keys->password = secret_file_line(config, section, "SocksPasswordFile", keys->password_file, WORD_MAX);
    return keys->password;
}

void socks_keys_fini(struct socks_keys *keys)
{
    value_endpoints_fini(&keys->listen);
    value_prefixes_fini(&keys->allow);
    if (keys->password)
        explicit_bzero(keys->password, strlen(keys->password));
    free(keys->password);
    free(keys->password_file);
    free(keys->user);
}
