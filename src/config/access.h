// SPDX-License-Identifier: GPL-2.0-or-later
// The [Access NAME] sections: one flat list of their lines, in the file's order, and what else they say of whom.
#ifndef CONFIG_ACCESS_H
#define CONFIG_ACCESS_H

#include "config/config.h"
#include "config/value_forward.h"
#include "config/value_map.h"
#include "config/value_net.h"
#include "exchange/policy/policy.h"

enum {
    ACCESS_RULES_MAX = 65536,   // lines of Allow and Deny
    ACCESS_PORTALS_MAX = 65536, // portals that more is said of: as many as a gate may have at once
};

struct access_line {
    char *name; // of the portal; with a "*" in it of a group of them; "*" is everybody authenticated
    bool allow;
    char *rules; // comma separated, as exchange/policy/policy.h reads them
    unsigned line;
};

struct access_portal {
    char *name; // as above
    bool says_local, local;
    struct value_forwards forwards; // listen at the gate, lead to the portal's side; a group has none
    struct socket_source source;    // what it opens comes from there
    unsigned source_line;
    struct value_prefixes exports; // are captured at the gate, lie behind the portal; a group has none
    struct value_maps maps;        // exports that have other addresses there; a group has none
};

struct access {
    char *
        enrol; // "tcp:HOST:PORT", where every portal and every invitation may go, and an invitation nowhere else; NULL: none
    unsigned enrol_line;
    struct access_line *lines;
    size_t count;
    struct access_portal *portals;
    size_t portal_count;
};

config_parse access_allow; // struct access, appended
config_parse access_deny;
config_parse access_local; // once for each name
config_parse access_forward;
config_parse access_export;
config_parse access_source;
config_parse access_map;   // exports what it maps
config_parse access_enrol; // once
void access_fini(struct access *access);

// The policy of the portal that is called `name`: the way to the authority, the lines of its own section, then those of its
// groups in the file's order, then those of [Access *]. First match wins, so a portal's own section can take back, and add
// to, what everybody may. Of all this an invitation (config/invitation.h) has the first alone, and of what is below nothing.
struct policy *access_policy(const struct access *access, const char *name);
// The sections with rules for that portal, in that order: "[Access branch], [Access *]"; "" for none. Returns `room`.
const char *access_sections(const struct access *access, const char *name, char *room, size_t size);
// Whether anything is said of the portal, or of everybody.
bool access_lists(const struct access *access, const char *name);
// Whether all that the portal opens goes to this host: by its own section, or else a group's, or else [Access *].
bool access_is_local(const struct access *access, const char *name);
// Where what the portal opens comes from: for each IP version by its own section, or else a group's, or else [Access *].
struct socket_source access_source_of(const struct access *access, const char *name);
// A word on every such address that this host does not have now.
void access_notice_sources(const struct access *access, struct config *config);
// Whether any portal exports anything.
bool access_exports(const struct access *access);
// The forwards that lead to the portal; NULL when there are none.
const struct value_forwards *access_forwards(const struct access *access, const char *name);
// The networks behind the portal that are routed to it here; NULL when there are none.
const struct value_prefixes *access_exported(const struct access *access, const char *name);
// Of these, those that have other addresses there; NULL when there are none.
const struct value_maps *access_maps(const struct access *access, const char *name);

#endif
