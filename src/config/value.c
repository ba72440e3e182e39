// SPDX-License-Identifier: GPL-2.0-or-later
// Each parser takes the whole text or refuses it with a sentence that says what would have been right.

#include "config/value.h"

#include "base/memory.h"
#include "os/log.h"
#include "os/memory_limit.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUDGET_MOST = 256 << 20, // bytes: sixteen sessions that each fill a long fat path
    BUDGET_SHARE = 4, // of the memory that there is: there are two budgets, and the machine has other things to do
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
    uint64_t share = memory_limit("") / BUDGET_SHARE;
    if (share < key->min)
        share = key->min;
    *(uint64_t *)field = share < BUDGET_MOST ? share : BUDGET_MOST;
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

bool value_log_level(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    static const char *const names[] = {
        [LOG_LEVEL_ERROR] = "error",
        [LOG_LEVEL_WARNING] = "warning",
        [LOG_LEVEL_INFO] = "info",
        [LOG_LEVEL_DEBUG] = "debug",
    };
    (void)key;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcasecmp(names[i], entry->value)) {
            *(enum log_level *)field = (enum log_level)i;
            return true;
        }
    return fault_set(fault, "is none of error, warning, info, debug");
}
