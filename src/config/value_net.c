// SPDX-License-Identifier: GPL-2.0-or-later
// Each parser takes the whole text or refuses it with a sentence that says what would have been right.

#include "config/value_net.h"

#include "base/memory.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse_target(struct value_target *out, const char *text, struct fault *fault)
{
    static const char what[] = "is not host:port, address:port or [v6]:port";
    const char *colon = strrchr(text, ':');
    uint16_t port;
    if (!colon || colon == text || !address_port_parse(&port, colon + 1))
        return fault_set(fault, what);
    char *host = memory_text(text);
    host[colon - text] = '\0';
    struct endpoint ep;
    bool ok = endpoint_parse(&ep, text);
    if (ok && ep.addr.version == 6) { // off with the brackets
        size_t len = strlen(host);
        memmove(host, host + 1, len - 2);
        host[len - 2] = '\0';
    }
    for (const char *at = host; !ok && *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("-_.", *at)) {
            free(host);
            return fault_set(fault, what);
        }
    *out = (struct value_target){.host = host, .port = port};
    return true;
}

bool value_targets(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    struct value_targets *out = field;
    struct value_target target;
    (void)key;
    if (out->count == VALUE_TARGETS_MAX)
        return fault_set(fault, "is one too many: the list holds %d", VALUE_TARGETS_MAX);
    if (!parse_target(&target, entry->value, fault))
        return false;
    for (size_t i = 0; i < out->count; i++)
        if (out->items[i].port == target.port && !strcasecmp(out->items[i].host, target.host)) {
            free(target.host);
            return fault_set(fault, "is in the list already");
        }
    out->items = memory_resize(out->items, (out->count + 1) * sizeof *out->items);
    out->items[out->count++] = target;
    return true;
}

void value_targets_fini(struct value_targets *targets)
{
    for (size_t i = 0; i < targets->count; i++)
        free(targets->items[i].host);
    free(targets->items);
    *targets = (struct value_targets){0};
}

static bool has_prefix(const struct value_prefixes *list, const struct prefix *prefix)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].len == prefix->len && address_equal(&list->items[i].addr, &prefix->addr))
            return true;
    return false;
}

void value_prefixes_add(struct value_prefixes *out, const struct prefix *prefix)
{
    if (has_prefix(out, prefix))
        return;
    out->items = memory_resize(out->items, (out->count + 1) * sizeof *out->items);
    out->items[out->count++] = *prefix;
}

static bool append_prefix(struct value_prefixes *out, const struct prefix *prefix, struct fault *fault)
{
    if (out->count == VALUE_LIST_MAX)
        return fault_set(fault, "is one too many: the list holds %d", VALUE_LIST_MAX);
    if (has_prefix(out, prefix))
        return fault_set(fault, "is in the list already");
    value_prefixes_add(out, prefix);
    return true;
}

bool value_prefixes(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    struct prefix prefix;
    (void)key;
    if (!prefix_parse(&prefix, entry->value))
        return fault_set(fault, "is not a prefix such as 10.73.0.0/24 or fd73::/64 (host bits must be zero)");
    return append_prefix(field, &prefix, fault);
}

static bool parse_length(unsigned *out, const char *text, unsigned most)
{
    unsigned value = 0;
    const char *at = text;
    for (; isdigit((unsigned char)*at) && value <= most; at++)
        value = value * 10 + (unsigned)(*at - '0');
    if (at == text || *at || value > most)
        return false;
    *out = value;
    return true;
}

bool value_addresses(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    static const char what[] = "is not an address such as 10.99.0.2/32 or fd99::2/128";
    struct prefix prefix = {0};
    char text[PREFIX_TEXT_SIZE];
    (void)key;
    if (strlen(entry->value) >= sizeof text)
        return fault_set(fault, what);
    strcpy(text, entry->value);
    char *slash = strchr(text, '/');
    if (slash)
        *slash++ = '\0';
    if (!address_parse(&prefix.addr, text))
        return fault_set(fault, what);
    unsigned most = prefix.addr.version == 4 ? 32 : 128;
    unsigned len = most;
    if (slash && !parse_length(&len, slash, most))
        return fault_set(fault, what);
    prefix.len = (uint8_t)len;
    return append_prefix(field, &prefix, fault);
}

void value_prefixes_fini(struct value_prefixes *prefixes)
{
    free(prefixes->items);
    *prefixes = (struct value_prefixes){0};
}

bool value_servers(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    char **out = field;
    struct address addr;
    struct endpoint ep;
    (void)key;
    if (!address_parse(&addr, entry->value) && !endpoint_parse(&ep, entry->value))
        return fault_set(fault, "is neither an address nor address:port");
    size_t used = *out ? strlen(*out) : 0;
    size_t size = used + strlen(entry->value) + 2;
    if (size > VALUE_SERVERS_SIZE)
        return fault_set(fault, "is one too many: the list has at most %d bytes", VALUE_SERVERS_SIZE);
    *out = memory_resize(*out, size);
    snprintf(*out + used, size - used, "%s%s", used ? "," : "", entry->value);
    return true;
}

static bool may_be_a_hosts(const struct address *addr)
{
    static const struct address none4 = {.version = 4}, none6 = {.version = 6};
    bool multicast = addr->version == 6 ? addr->bytes[0] == 0xff : addr->bytes[0] >= 224;
    bool link_local = addr->version == 6 && addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80;
    return !multicast && !link_local && !address_equal(addr, &none4) && !address_equal(addr, &none6);
}

bool value_source(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    struct socket_source *out = field;
    struct address addr;
    (void)key;
    if (!address_parse(&addr, entry->value))
        return fault_set(fault, "is not an address such as 10.73.0.1 or fd73::1");
    if (!may_be_a_hosts(&addr))
        return fault_set(fault, "is no address that connections can come from");
    struct address *place = addr.version == 6 ? &out->v6 : &out->v4;
    if (place->version)
        return fault_set(fault, "is a second address of IPv%d: there may be one of each version", addr.version);
    *place = addr;
    return true;
}

bool value_endpoints(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    struct value_endpoints *out = field;
    struct endpoint ep;
    (void)key;
    if (!endpoint_parse(&ep, entry->value))
        return fault_set(fault, "is not address:port or [v6]:port");
    if (out->count == VALUE_LIST_MAX)
        return fault_set(fault, "is one too many: the list holds %d", VALUE_LIST_MAX);
    for (size_t i = 0; i < out->count; i++)
        if (endpoint_equal(&out->items[i], &ep))
            return fault_set(fault, "is in the list already");
    out->items = memory_resize(out->items, (out->count + 1) * sizeof *out->items);
    out->items[out->count++] = ep;
    return true;
}

bool value_loopback(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    static const struct prefix v4 = {.addr = {.version = 4, .bytes = {127}}, .len = 8};
    static const struct prefix v6 = {.addr = {.version = 6, .bytes = {[15] = 1}}, .len = 128};
    struct endpoint ep;
    if (endpoint_parse(&ep, entry->value) && !prefix_contains(ep.addr.version == 4 ? &v4 : &v6, &ep.addr))
        return fault_set(fault, "is not on loopback (127.0.0.1:2323, [::1]:2323): others than this host reach it");
    return value_endpoints(field, entry, key, fault);
}

void value_endpoints_fini(struct value_endpoints *endpoints)
{
    free(endpoints->items);
    *endpoints = (struct value_endpoints){0};
}
