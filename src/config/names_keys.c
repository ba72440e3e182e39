// SPDX-License-Identifier: GPL-2.0-or-later
// The address that answers is never one of this machine's own: what is sent there must leave through the TUN device,
// where the portal sees it. So it needs no port of this machine, and whoever else uses this machine as a router can ask
// there too.
#include "config/names_keys.h"

#include "base/host_name.h"
#include "base/memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum {
    // Bits of a pool's prefix: below there are no networks of that size to be had, above too few addresses.
    POOL_SHORTEST = 8,
    POOL_LONGEST_V4 = 28,
    POOL_LONGEST_V6 = 124,
};

static bool append_endpoint(struct value_endpoints *out, const struct endpoint *ep, size_t most, struct fault *fault)
{
    if (out->count == most)
        return fault_set(fault, "is one too many: the list holds %zu", most);
    for (size_t i = 0; i < out->count; i++)
        if (endpoint_equal(&out->items[i], ep))
            return fault_set(fault, "is in the list already");
    out->items = memory_resize(out->items, (out->count + 1) * sizeof *out->items);
    out->items[out->count++] = *ep;
    return true;
}

bool names_server(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    struct endpoint ep = {.port = NAMES_PORT};
    (void)key;
    if (!address_parse(&ep.addr, entry->value) && (!endpoint_parse(&ep, entry->value) || !ep.port))
        return fault_set(fault, "is neither an address nor address:port");
    return append_endpoint(field, &ep, NAMES_SERVERS_MAX, fault);
}

// "corp.example", "corp.example." and ".", which is every name.
static bool parse_domain(struct names_domain *out, const char *text)
{
    size_t len = host_name_length(text);
    if (len == 0)
        return !strcmp(text, ".");
    if (!host_name_is_valid(text))
        return false;
    for (size_t i = 0; i < len; i++)
        out->name[i] = (char)tolower((unsigned char)text[i]);
    return true;
}

bool names_domain(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    struct names_domains *out = field;
    struct names_domain domain = {.search = *entry->value != '~'};
    (void)key;
    if (!parse_domain(&domain, entry->value + !domain.search))
        return fault_set(fault, "is not a domain such as corp.example, ~corp.example or ~.");
    if (domain.search && !*domain.name)
        return fault_set(fault, "completes no name: ~. is every name");
    if (out->count == NAMES_DOMAINS_MAX)
        return fault_set(fault, "is one too many: the list holds %d", NAMES_DOMAINS_MAX);
    for (size_t i = 0; i < out->count; i++)
        if (!strcmp(out->items[i].name, domain.name))
            return fault_set(fault, "is in the list already");
    out->items = memory_resize(out->items, (out->count + 1) * sizeof *out->items);
    out->items[out->count++] = domain;
    return true;
}

bool names_mode(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    (void)key;
    bool mapped = !strcasecmp(entry->value, "mapped");
    if (!mapped && strcasecmp(entry->value, "bridged"))
        return fault_set(fault, "is neither bridged nor mapped");
    *(enum names_mode *)field = mapped ? NAMES_MAPPED : NAMES_BRIDGED;
    return true;
}

static bool is_within(const struct address *addr, const char *const prefixes[])
{
    struct prefix prefix;
    for (size_t i = 0; prefixes[i]; i++)
        if (prefix_parse(&prefix, prefixes[i]) && prefix_contains(&prefix, addr))
            return true;
    return false;
}

// Addresses that are never routed into a device: unspecified, loopback, link-local, multicast and broadcast ones.
static bool is_routable(const struct address *addr)
{
    static const char *const never[] = {"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/127",
                                        "fe80::/10", "ff00::/8",    "::ffff:0:0/96",  NULL};
    return !is_within(addr, never);
}

bool names_pool(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    struct value_prefixes *out = field;
    if (!value_prefixes(out, entry, key, fault))
        return false;
    const struct prefix *newest = &out->items[--out->count]; // not taken before it is judged
    unsigned longest = newest->addr.version == 4 ? POOL_LONGEST_V4 : POOL_LONGEST_V6;
    if (newest->len < POOL_SHORTEST || newest->len > longest)
        return fault_set(fault, "is no pool: its length is not between %d and %u", POOL_SHORTEST, longest);
    if (!is_routable(&newest->addr))
        return fault_set(fault, "is no pool: such addresses are never routed");
    for (size_t i = 0; i < out->count; i++)
        if (out->items[i].addr.version == newest->addr.version)
            return fault_set(fault, "is one too many: there may be one for IPv4 and one for IPv6");
    out->count++;
    return true;
}

bool names_address(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    struct endpoint ep = {.port = NAMES_PORT};
    (void)key;
    if (!address_parse(&ep.addr, entry->value))
        return fault_set(fault, "is not an address such as 198.18.0.1");
    if (!is_routable(&ep.addr))
        return fault_set(fault, "cannot answer: such addresses are never routed into the tunnel's interface");
    return append_endpoint(field, &ep, NAMES_ADDRESSES_MAX, fault);
}

static void take_first_of_pools(struct names_keys *keys)
{
    struct fault fault;
    for (size_t i = 0; i < keys->pools.count; i++) {
        struct endpoint first = {.addr = keys->pools.items[i].addr, .port = NAMES_PORT};
        first.addr.bytes[first.addr.version == 4 ? 3 : 15] |= 1;
        append_endpoint(&keys->addresses, &first, NAMES_ADDRESSES_MAX, &fault);
    }
}

static void check_own(const struct names_keys *keys, struct config *config, const char *section,
                      const struct value_prefixes *own)
{
    char text[ADDRESS_TEXT_SIZE];
    for (size_t i = 0; i < keys->addresses.count; i++)
        for (size_t n = 0; n < own->count; n++)
            if (address_equal(&keys->addresses.items[i].addr, &own->items[n].addr))
                config_mistake(config, section, config_has(config, section, "DnsAddress") ? "DnsAddress" : "MapPool",
                               "DnsAddress: %s is an Address of the interface, so that nothing sent there goes into it",
                               address_text(&own->items[n].addr, text));
}

// Else a question would be passed on to where it came from, for ever.
static void check_servers(const struct names_keys *keys, struct config *config, const char *section)
{
    char text[ADDRESS_TEXT_SIZE];
    for (size_t i = 0; i < keys->servers.count; i++)
        for (size_t n = 0; n < keys->addresses.count; n++)
            if (address_equal(&keys->servers.items[i].addr, &keys->addresses.items[n].addr))
                config_mistake(config, section, "Dns",
                               "Dns: %s is the DnsAddress itself, not a server behind the tunnel",
                               address_text(&keys->servers.items[i].addr, text));
}

void names_keys_take_all(struct names_keys *keys)
{
    static const struct names_domain every = {.name = ""};
    struct names_domains *domains = &keys->domains;
    keys->all = true;
    if (!keys->servers.count)
        keys->mode = NAMES_MAPPED;
    domains->items = memory_resize(domains->items, (domains->count + 1) * sizeof *domains->items);
    domains->items[domains->count++] = every; // those before it may complete short names
}

void names_keys_check(struct names_keys *keys, struct config *config, const char *section,
                      const struct value_prefixes *own)
{
    static const char *const others[] = {"Names", "MapPool", "DnsAddress", "SystemDns"};
    bool has_domains = keys->all || config_has(config, section, "Domains");
    for (size_t i = 0; !has_domains && i < sizeof others / sizeof others[0]; i++)
        if (config_has(config, section, others[i]))
            config_mistake(config, section, others[i], "%s means nothing without Domains", others[i]);
    if (config_has(config, section, "Dns") && !has_domains)
        config_mistake(config, section, "Dns", "Dns needs Domains: which names to ask there for; ~. is every name");
    if (has_domains && keys->mode == NAMES_BRIDGED && !config_has(config, section, "Dns") && !keys->all)
        config_mistake(config, section, "Domains", "Domains needs Dns: servers behind the tunnel that know its names");
    if (!keys->domains.count)
        return;
    if (!config_has(config, section, "DnsAddress"))
        take_first_of_pools(keys);
    check_own(keys, config, section, own);
    check_servers(keys, config, section);
}

static bool is_in_pool(const struct names_keys *keys, const struct address *addr)
{
    for (size_t i = 0; i < keys->pools.count; i++)
        if (prefix_contains(&keys->pools.items[i], addr))
            return true;
    return false;
}

static void check_map(const struct value_maps *maps, struct config *config, const char *section,
                      const struct prefix *taken, const char *what)
{
    const struct map_pair *pair = value_maps_of(maps, taken);
    char here[PREFIX_TEXT_SIZE], text[PREFIX_TEXT_SIZE];
    if (pair)
        config_mistake(config, section, "Map", "Map: %s has addresses in common with %s, %s",
                       prefix_text(&pair->here, here), prefix_text(taken, text), what);
}

void names_keys_check_maps(const struct names_keys *keys, struct config *config, const char *section,
                           const struct value_maps *maps)
{
    if (!keys->domains.count)
        return;
    for (size_t i = 0; i < keys->addresses.count; i++) {
        const struct address *addr = &keys->addresses.items[i].addr;
        const struct prefix own = {.addr = *addr, .len = addr->version == 4 ? 32 : 128};
        if (keys->mode == NAMES_BRIDGED || !is_in_pool(keys, addr))
            check_map(maps, config, section, &own, "where names are asked for (DnsAddress)");
    }
    for (size_t i = 0; keys->mode == NAMES_MAPPED && i < keys->pools.count; i++)
        check_map(maps, config, section, &keys->pools.items[i], "whose addresses stand for names (MapPool)");
}

void names_keys_route(const struct names_keys *keys, struct value_prefixes *routes)
{
    bool mapped = keys->domains.count && keys->mode == NAMES_MAPPED;
    for (size_t i = 0; mapped && i < keys->pools.count; i++)
        value_prefixes_add(routes, &keys->pools.items[i]);
    for (size_t i = 0; i < keys->addresses.count; i++) {
        const struct address *addr = &keys->addresses.items[i].addr;
        const struct prefix own = {.addr = *addr, .len = addr->version == 4 ? 32 : 128};
        if (!mapped || !is_in_pool(keys, addr))
            value_prefixes_add(routes, &own);
    }
}

void names_keys_fini(struct names_keys *keys)
{
    value_endpoints_fini(&keys->servers);
    value_prefixes_fini(&keys->pools);
    value_endpoints_fini(&keys->addresses);
    free(keys->domains.items);
}
