// SPDX-License-Identifier: GPL-2.0-or-later
// Lines are kept as they were written, not as rules: they are checked when they are read, and become rules for the one
// portal that a worker serves.

#include "config/access.h"

#include "base/memory.h"
#include "config/invitation.h"
#include "config/value.h"
#include "os/netlink/routes.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct access *access, const struct config_entry *entry, bool allow)
{
    access->lines = memory_resize(access->lines, (access->count + 1) * sizeof *access->lines);
    access->lines[access->count++] = (struct access_line){
        .name = memory_text(entry->argument),
        .allow = allow,
        .rules = memory_text(entry->value),
        .line = entry->line,
    };
}

void access_fini(struct access *access)
{
    for (size_t i = 0; i < access->count; i++) {
        free(access->lines[i].name);
        free(access->lines[i].rules);
    }
    for (size_t i = 0; i < access->portal_count; i++) {
        free(access->portals[i].name);
        value_forwards_fini(&access->portals[i].forwards);
        value_prefixes_fini(&access->portals[i].exports);
        value_maps_fini(&access->portals[i].maps);
    }
    free(access->lines);
    free(access->portals);
    free(access->enrol);
    *access = (struct access){0};
}

// Whose a section is, as seen by one portal. In this order it is asked what they say.
enum whose { ITS_OWN, ITS_GROUP, EVERYBODYS, OTHERS };

// Names of certificates are DNS names: case does not count. A certificate for "*" is nobody in particular.
static enum whose whose(const char *section, const char *name)
{
    const char *star = strchr(section, '*');
    if (!star)
        return strcasecmp(section, name) ? OTHERS : ITS_OWN;
    size_t head = (size_t)(star - section), tail = strlen(star + 1), len = strlen(name);
    if (head + tail == 0)
        return EVERYBODYS;
    return len > head + tail && !strncasecmp(section, name, head) && !strcasecmp(name + len - tail, star + 1)
               ? ITS_GROUP
               : OTHERS;
}

static bool is_section(const char *section, struct fault *fault)
{
    const char *star = strchr(section, '*');
    return !star || !strchr(star + 1, '*') ||
           fault_set(fault, "is of [Access %.100s], which has more than one *", section);
}

// What is said once for one portal cannot be said of many.
static bool is_one(const char *section, const char *what, struct fault *fault)
{
    return !strchr(section, '*') || fault_set(fault, "%s one portal, but [Access %.100s] is %s", what, section,
                                              strcmp(section, "*") ? "a group of them" : "all of them");
}

static bool may_have_rights(const char *name, struct fault *fault)
{
    return !invitation_is(name) ||
           fault_set(fault, "%.100s is the name of an invitation, which has no other right than to be accepted", name);
}

static bool is_rule(bool allow, const char *rules, struct fault *fault)
{
    struct policy *scratch = policy_new();
    bool ok = policy_add(scratch, allow, rules, fault);
    policy_free(scratch);
    return ok;
}

bool access_enrol(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    struct access *access = field;
    struct value_targets targets = {0};
    char rule[512];
    bool ok = value_targets(&targets, entry, key, fault);
    value_targets_fini(&targets);
    snprintf(rule, sizeof rule, "tcp:%s", entry->value);
    if (!ok || !is_rule(true, rule, fault))
        return ok && fault_set(fault, "is not a host and its port, such as 127.0.0.1:4434");
    free(access->enrol);
    access->enrol = memory_text(rule);
    access->enrol_line = entry->line;
    return true;
}

static bool parse(struct access *access, const struct config_entry *entry, bool allow, struct fault *fault)
{
    bool ok = is_section(entry->argument, fault) && may_have_rights(entry->argument, fault) &&
              is_rule(allow, entry->value, fault);
    if (ok && access->count == ACCESS_RULES_MAX)
        ok = fault_set(fault, "is one line too many: there may be %d", ACCESS_RULES_MAX);
    if (ok)
        add(access, entry, allow);
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

static const struct access_portal *find_portal(const struct access *access, const char *name)
{
    for (size_t i = 0; i < access->portal_count; i++)
        if (!strcasecmp(access->portals[i].name, name))
            return &access->portals[i];
    return NULL;
}

// The one of that name, made if need be; NULL when there are too many.
static struct access_portal *portal_of(struct access *access, const char *name, struct fault *fault)
{
    const struct access_portal *found = find_portal(access, name);
    if (found)
        return &access->portals[found - access->portals];
    if (!is_section(name, fault) || !may_have_rights(name, fault))
        return NULL;
    if (access->portal_count == ACCESS_PORTALS_MAX) {
        fault_set(fault, "is one too many: there may be %d", ACCESS_PORTALS_MAX);
        return NULL;
    }
    access->portals = memory_resize(access->portals, (access->portal_count + 1) * sizeof *access->portals);
    access->portals[access->portal_count] = (struct access_portal){.name = memory_text(name)};
    return &access->portals[access->portal_count++];
}

bool access_local(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    bool local;
    if (!value_switch(&local, entry, key, fault))
        return fault_set(fault, "is neither yes nor no");
    struct access_portal *portal = portal_of(field, entry->argument, fault);
    if (!portal)
        return false;
    if (portal->says_local)
        return fault_set(fault, "was given before for this portal");
    portal->says_local = true;
    portal->local = local;
    return true;
}

// Another portal that listens where the newest forward of `portal` does.
static const struct access_portal *find_rival(const struct access *access, const struct access_portal *portal)
{
    const struct value_forward *newest = &portal->forwards.items[portal->forwards.count - 1];
    for (size_t i = 0; i < access->portal_count; i++)
        if (&access->portals[i] != portal && value_forwards_meet(&access->portals[i].forwards, newest))
            return &access->portals[i];
    return NULL;
}

bool access_forward(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    struct access *access = field;
    struct access_portal *portal =
        is_one(entry->argument, "leads to", fault) ? portal_of(access, entry->argument, fault) : NULL;
    if (!portal || !value_forwards(&portal->forwards, entry, key, fault))
        return false;
    const struct access_portal *rival = find_rival(access, portal);
    return !rival || fault_set(fault, "listens where one of [Access %.200s] does", rival->name);
}

static bool is_exported(const struct access_portal *portal, const struct prefix *prefix)
{
    for (size_t i = 0; i < portal->exports.count; i++) {
        const struct prefix *other = &portal->exports.items[i];
        if (other->len == prefix->len && address_equal(&other->addr, &prefix->addr))
            return true;
    }
    return false;
}

// How many lengths the exports of that version have, of all portals.
static unsigned export_lengths(const struct access *access, uint8_t version)
{
    bool seen[129] = {false};
    unsigned count = 0;
    for (size_t i = 0; i < access->portal_count; i++) {
        for (size_t n = 0; n < access->portals[i].exports.count; n++) {
            const struct prefix *prefix = &access->portals[i].exports.items[n];
            count += prefix->addr.version == version && !seen[prefix->len];
            seen[prefix->len] |= prefix->addr.version == version;
        }
    }
    return count;
}

// What lies behind one portal only.
static struct access_portal *one_portal(struct access *access, const char *name, struct fault *fault)
{
    return is_one(name, "lies behind", fault) ? portal_of(access, name, fault) : NULL;
}

static bool may_export(const struct access *access, const struct access_portal *portal, const struct prefix *newest,
                       struct fault *fault)
{
    for (size_t i = 0; i < access->portal_count; i++)
        if (&access->portals[i] != portal && is_exported(&access->portals[i], newest))
            return fault_set(fault, "is exported by [Access %.200s] already", access->portals[i].name);
    if (export_lengths(access, newest->addr.version) > ROUTES_LEVELS)
        return fault_set(fault, "is of one prefix length more than the %d that there may be", ROUTES_LEVELS);
    return true;
}

bool access_export(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    struct access_portal *portal = one_portal(field, entry->argument, fault);
    return portal && value_prefixes(&portal->exports, entry, key, fault) &&
           may_export(field, portal, &portal->exports.items[portal->exports.count - 1], fault);
}

bool access_map(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    struct access_portal *portal = one_portal(field, entry->argument, fault);
    if (!portal || !value_maps(&portal->maps, entry, key, fault))
        return false;
    value_maps_route(&portal->maps, &portal->exports);
    return may_export(field, portal, &portal->maps.items[portal->maps.count - 1].here, fault);
}

bool access_source(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    struct access_portal *portal = portal_of(field, entry->argument, fault);
    if (!portal)
        return false;
    portal->source_line = entry->line;
    return value_source(&portal->source, entry, key, fault);
}

struct socket_source access_source_of(const struct access *access, const char *name)
{
    struct socket_source source = {0};
    for (enum whose by = ITS_OWN; by < OTHERS; by++) {
        for (size_t i = 0; i < access->portal_count; i++) {
            const struct access_portal *said = &access->portals[i];
            if (whose(said->name, name) != by)
                continue;
            if (!source.v4.version)
                source.v4 = said->source.v4;
            if (!source.v6.version)
                source.v6 = said->source.v6;
        }
    }
    return source;
}

static void notice_source(struct config *config, unsigned line, const struct address *from)
{
    char text[ADDRESS_TEXT_SIZE];
    if (from->version && !socket_may_bind(from))
        config_notice_at(config, line,
                         "Source: this host does not have %s now: until it does, nothing can come from there",
                         address_text(from, text));
}

void access_notice_sources(const struct access *access, struct config *config)
{
    for (size_t i = 0; i < access->portal_count; i++) {
        const struct access_portal *portal = &access->portals[i];
        notice_source(config, portal->source_line, &portal->source.v4);
        notice_source(config, portal->source_line, &portal->source.v6);
    }
}

static void add_of(struct policy *policy, const struct access *access, const char *name, enum whose by)
{
    struct fault fault;
    for (size_t i = 0; i < access->count; i++) {
        const struct access_line *line = &access->lines[i];
        if (whose(line->name, name) != by)
            continue;
        bool ok = policy_add_line(policy, line->allow, line->rules, line->line, &fault);
        assert(ok); // it was read before
        (void)ok;
    }
}

struct policy *access_policy(const struct access *access, const char *name)
{
    struct policy *policy = policy_new();
    struct fault fault;
    if (access->enrol)
        policy_add_line(policy, true, access->enrol, access->enrol_line, &fault);
    if (invitation_is(name))
        return policy;
    for (enum whose by = ITS_OWN; by < OTHERS; by++)
        add_of(policy, access, name, by);
    return policy;
}

const char *access_sections(const struct access *access, const char *name, char *room, size_t size)
{
    size_t used = 0;
    *room = '\0';
    for (enum whose by = ITS_OWN; by < OTHERS; by++) {
        const char *last = "";
        for (size_t i = 0; i < access->count; i++) {
            const char *section = access->lines[i].name;
            if (whose(section, name) != by || !strcasecmp(section, last) || used >= size)
                continue;
            used += (size_t)snprintf(room + used, size - used, "%s[Access %s]", used ? ", " : "", section);
            last = section;
        }
    }
    return room;
}

bool access_lists(const struct access *access, const char *name)
{
    if (invitation_is(name))
        return access->enrol;
    for (size_t i = 0; i < access->portal_count; i++)
        if (whose(access->portals[i].name, name) != OTHERS)
            return true;
    for (size_t i = 0; i < access->count; i++)
        if (whose(access->lines[i].name, name) != OTHERS)
            return true;
    return false;
}

bool access_is_local(const struct access *access, const char *name)
{
    if (invitation_is(name))
        return false;
    for (enum whose by = ITS_OWN; by < OTHERS; by++)
        for (size_t i = 0; i < access->portal_count; i++)
            if (access->portals[i].says_local && whose(access->portals[i].name, name) == by)
                return access->portals[i].local;
    return false;
}

const struct value_forwards *access_forwards(const struct access *access, const char *name)
{
    const struct access_portal *portal = find_portal(access, name);
    return portal && portal->forwards.count ? &portal->forwards : NULL;
}

const struct value_prefixes *access_exported(const struct access *access, const char *name)
{
    const struct access_portal *portal = find_portal(access, name);
    return portal && portal->exports.count ? &portal->exports : NULL;
}

const struct value_maps *access_maps(const struct access *access, const char *name)
{
    const struct access_portal *portal = find_portal(access, name);
    return portal && portal->maps.count ? &portal->maps : NULL;
}

bool access_exports(const struct access *access)
{
    for (size_t i = 0; i < access->portal_count; i++)
        if (access->portals[i].exports.count)
            return true;
    return false;
}
