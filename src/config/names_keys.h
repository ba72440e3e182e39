// SPDX-License-Identifier: GPL-2.0-or-later
// The keys of the names that lie behind the tunnel: which they are, who knows them, and where this machine may ask.
#ifndef CONFIG_NAMES_KEYS_H
#define CONFIG_NAMES_KEYS_H

#include "config/value.h"
#include "config/value_map.h"
#include "config/value_net.h"
#include "edge/names/config.h"

enum {
    NAMES_SERVERS_MAX = 8,   // they are asked one after the other
    NAMES_DOMAINS_MAX = 256, // each question is held against each
    NAMES_ADDRESSES_MAX = 4, // resolv.conf takes three
};

#define NAMES_POOL_DEFAULT "198.18.0.0/16, fd75:7368:6572::/112"

enum names_mode {
    NAMES_BRIDGED, // questions are passed to the servers
    NAMES_MAPPED,  // each name gets an address of a pool, and what goes there is opened by name
};

struct names_domains {
    struct names_domain *items;
    size_t count; // 0: there are no names
};

struct names_keys {
    struct value_endpoints servers; // behind the tunnel; mapped: may be none
    struct names_domains domains;
    enum names_mode mode;
    struct value_prefixes pools;      // of mapped names: one IPv4, one IPv6, or both
    struct value_endpoints addresses; // where questions are answered, port 53; none without domains
    bool system;                      // this machine's own programs are made to ask there
    bool all;                         // every name lies there, whatever Domains says
};

config_parse names_server;  // struct value_endpoints, appended
config_parse names_domain;  // struct names_domains, appended
config_parse names_mode;    // enum names_mode
config_parse names_pool;    // struct value_prefixes, appended
config_parse names_address; // struct value_endpoints, appended

#define NAMES_KEYS(SECTION, TYPE, KEYS)                                                                                \
    {SECTION, "Dns", names_server, offsetof(TYPE, KEYS.servers), .list = true},                                        \
        {SECTION, "Domains", names_domain, offsetof(TYPE, KEYS.domains), .list = true},                                \
        {SECTION, "Names", names_mode, offsetof(TYPE, KEYS.mode), .fallback = NULL},                                   \
        {SECTION, "MapPool", names_pool, offsetof(TYPE, KEYS.pools), .fallback = NAMES_POOL_DEFAULT, .list = true},    \
        {SECTION, "DnsAddress", names_address, offsetof(TYPE, KEYS.addresses), .list = true},                          \
    {                                                                                                                  \
        SECTION, "SystemDns", value_switch, offsetof(TYPE, KEYS.system), .fallback = "yes"                             \
    }

// Of a network that has nothing but the tunnel: every name is asked for there, of Dns, and where there is none as a mapped one.
// Before what follows.
void names_keys_take_all(struct names_keys *keys);
// What single keys cannot say; without DnsAddress it is the first address of each pool. `own` are those of the device.
void names_keys_check(struct names_keys *keys, struct config *config, const char *section,
                      const struct value_prefixes *own);
// An address that is mapped stands for nothing else.
void names_keys_check_maps(const struct names_keys *keys, struct config *config, const char *section,
                           const struct value_maps *maps);
// What must go into the TUN device for the sake of names is added to `routes`.
void names_keys_route(const struct names_keys *keys, struct value_prefixes *routes);
void names_keys_fini(struct names_keys *keys);

#endif
