// SPDX-License-Identifier: GPL-2.0-or-later
// Lines are kept as they were written, not as rules: they are checked once at start, travel to the workers as text, and
// become rules there, for the one portal that a worker serves.

#include "gate/access.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void add(struct access *access, const char *name, bool allow, const char *rules)
{
    access->lines = memory_resize(access->lines, (access->count + 1) * sizeof(*access->lines));
    access->lines[access->count++] = (struct access_line){
        .name = memory_text(name),
        .allow = allow,
        .rules = memory_text(rules),
    };
}

void access_fini(struct access *access)
{
    for (size_t i = 0; i < access->count; i++) {
        free(access->lines[i].name);
        free(access->lines[i].rules);
    }
    free(access->lines);
    *access = (struct access){0};
}

static bool parse(struct access *access, const struct config_entry *entry, bool allow, struct fault *fault)
{
    struct policy *scratch = policy_new();
    bool ok = policy_add(scratch, allow, entry->value, fault);
    policy_free(scratch);
    if (ok && access->count == ACCESS_RULES_MAX)
        ok = fault_set(fault, "is one line too many: there may be %d", ACCESS_RULES_MAX);
    if (ok)
        add(access, entry->argument, allow, entry->value);
    return ok;
}

bool access_allow(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    (void)key;
    return parse(field, entry, true, fault);
}

bool access_deny(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    (void)key;
    return parse(field, entry, false, fault);
}

static void add_of(struct policy *policy, const struct access *access, const char *name)
{
    struct fault fault;
    for (size_t i = 0; i < access->count; i++) {
        const struct access_line *line = &access->lines[i];
        if (strcasecmp(line->name, name)) // names of certificates are DNS names: case does not count
            continue;
        bool ok = policy_add(policy, line->allow, line->rules, &fault);
        assert(ok); // it was read before
        (void)ok;
    }
}

struct policy *access_policy(const struct access *access, const char *name)
{
    struct policy *policy = policy_new();
    if (strcmp(name, "*")) // a certificate for "*" is nobody in particular
        add_of(policy, access, name);
    add_of(policy, access, "*");
    return policy;
}

size_t access_size(const struct access *access)
{
    size_t size = sizeof(uint32_t);
    for (size_t i = 0; i < access->count; i++)
        size += strlen(access->lines[i].name) + 1 + sizeof(uint8_t) + strlen(access->lines[i].rules) + 1;
    return size;
}

void access_encode(struct writer *w, const struct access *access)
{
    writer_u32(w, (uint32_t)access->count);
    for (size_t i = 0; i < access->count; i++) {
        writer_text(w, access->lines[i].name);
        writer_u8(w, access->lines[i].allow);
        writer_text(w, access->lines[i].rules);
    }
}

bool access_decode(struct access *out, struct reader *r)
{
    uint32_t count = reader_u32(r);
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        const char *name = reader_text(r);
        bool allow = reader_u8(r);
        const char *rules = reader_text(r);
        if (name && rules)
            add(out, name, allow, rules);
    }
    return !r->failed;
}
