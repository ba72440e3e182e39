// SPDX-License-Identifier: GPL-2.0-or-later
// Each parser takes the whole text or refuses it with a sentence that says what would have been right.

#include "cli/value.h"

#include "base/memory.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BUDGET_MOST = 256 << 20, // bytes: sixteen sessions that each fill a long fat path
    BUDGET_SHARE = 4,        // of a machine's memory: there are two budgets, and the machine has other things to do
};

struct unit {
    const char *name;
    uint64_t factor;
};

// "<digits><unit>" with a unit of the table, whose first has the factor 1; within the key's bounds. `what` names the kind
// for the refusal.
static bool parse_scaled(uint64_t *out, const char *text, const struct unit *units, const struct config_key *key,
                         const char *what, struct fault *fault)
{
    uint64_t value = 0;
    const char *at = text;
    for (; isdigit((unsigned char)*at); at++) {
        if (value > (UINT64_MAX - 9) / 10)
            return fault_set(fault, "is too large");
        value = value * 10 + (uint64_t)(*at - '0');
    }
    const struct unit *unit = units;
    while (unit->name && strcmp(unit->name, at))
        unit++;
    if (at == text || !unit->name)
        return fault_set(fault, "is not %s", what);
    if (value > UINT64_MAX / unit->factor)
        return fault_set(fault, "is too large");
    value *= unit->factor;
    if (value < key->min || (key->max && value > key->max))
        return fault_set(fault, "is out of bounds: %llu to %llu%s", (unsigned long long)key->min,
                         (unsigned long long)key->max, units->name);
    *out = value;
    return true;
}

bool value_number(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    static const struct unit units[] = {{"", 1}, {NULL, 0}};
    return parse_scaled(field, entry->value, units, key, "a number", fault);
}

static const struct unit size_units[] = {{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};

bool value_size(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    return parse_scaled(field, entry->value, size_units, key, "a size such as 64K, 16M or 1G", fault);
}

bool value_budget(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    if (strcmp(entry->value, "auto"))
        return parse_scaled(field, entry->value, size_units, key, "auto or a size such as 16M or 1G", fault);
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    *(uint64_t *)field = memory / BUDGET_SHARE < BUDGET_MOST ? memory / BUDGET_SHARE : BUDGET_MOST;
    return true;
}

bool value_duration(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    static const struct unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};
    if (!strcmp(entry->value, "0") && !key->min) {
        *(uint64_t *)field = 0;
        return true;
    }
    return parse_scaled(field, entry->value, units, key, "a duration such as 200ms, 30s, 5m or 1h", fault);
}

bool value_switch(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    (void)key;
    bool yes = !strcasecmp(entry->value, "yes");
    if (!yes && strcasecmp(entry->value, "no"))
        return fault_set(fault, "is neither yes nor no");
    *(bool *)field = yes;
    return true;
}

static void set_text(char **field, const char *value)
{
    free(*field);
    *field = memory_text(value);
}

bool value_path(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    (void)key;
    if (*entry->value != '/')
        return fault_set(fault, "is not an absolute path");
    set_text(field, entry->value);
    return true;
}

bool value_word(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    size_t len = strlen(entry->value);
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)entry->value[i]) && !strchr("-_.", entry->value[i]))
            return fault_set(fault, "has a character that is none of a-z A-Z 0-9 - _ .");
    if (key->max && len > key->max)
        return fault_set(fault, "is longer than %llu bytes", (unsigned long long)key->max);
    if (!strcmp(entry->value, ".") || !strcmp(entry->value, ".."))
        return fault_set(fault, "is not a name");
    set_text(field, entry->value);
    return true;
}

static bool parse_port(uint16_t *out, const char *text)
{
    unsigned value = 0;
    const char *at = text;
    for (; isdigit((unsigned char)*at) && value <= UINT16_MAX; at++)
        value = value * 10 + (unsigned)(*at - '0');
    if (at == text || *at || !value || value > UINT16_MAX)
        return false;
    *out = (uint16_t)value;
    return true;
}

bool value_host_port(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    static const char what[] = "is not host:port, address:port or [v6]:port";
    struct value_target *out = field;
    (void)key;
    const char *colon = strrchr(entry->value, ':');
    uint16_t port;
    if (!colon || colon == entry->value || !parse_port(&port, colon + 1))
        return fault_set(fault, what);
    char *host = memory_text(entry->value);
    host[colon - entry->value] = '\0';
    struct endpoint ep;
    bool ok = endpoint_parse(&ep, entry->value);
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
    value_target_fini(out);
    out->host = host;
    out->port = port;
    return true;
}

void value_target_fini(struct value_target *target)
{
    free(target->host);
    target->host = NULL;
}

static bool append_prefix(struct value_prefixes *out, const struct prefix *prefix, struct fault *fault)
{
    if (out->count == VALUE_LIST_MAX)
        return fault_set(fault, "is one too many: the list holds %d", VALUE_LIST_MAX);
    for (size_t i = 0; i < out->count; i++)
        if (out->items[i].len == prefix->len && address_equal(&out->items[i].addr, &prefix->addr))
            return fault_set(fault, "is in the list already");
    out->items = memory_resize(out->items, (out->count + 1) * sizeof(*out->items));
    out->items[out->count++] = *prefix;
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

bool value_addresses(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    static const char what[] = "is not an address such as 10.99.0.2/32 or fd99::2/128";
    struct prefix prefix = {0};
    char text[PREFIX_TEXT_SIZE];
    (void)key;
    if (strlen(entry->value) >= sizeof(text))
        return fault_set(fault, what);
    strcpy(text, entry->value);
    char *slash = strchr(text, '/');
    if (slash)
        *slash++ = '\0';
    if (!address_parse(&prefix.addr, text))
        return fault_set(fault, what);
    unsigned most = prefix.addr.version == 4 ? 32 : 128;
    unsigned len = most;
    if (slash) {
        const struct config_key bounds = {.max = most};
        static const struct unit units[] = {{"", 1}, {NULL, 0}};
        uint64_t value;
        if (!parse_scaled(&value, slash, units, &bounds, "a prefix length", fault))
            return fault_set(fault, what);
        len = (unsigned)value;
    }
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
    out->items = memory_resize(out->items, (out->count + 1) * sizeof(*out->items));
    out->items[out->count++] = ep;
    return true;
}

void value_endpoints_fini(struct value_endpoints *endpoints)
{
    free(endpoints->items);
    *endpoints = (struct value_endpoints){0};
}
