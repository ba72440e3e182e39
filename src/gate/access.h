// SPDX-License-Identifier: GPL-2.0-or-later
// The [Access NAME] sections as written: one flat list, in the file's order, so that it is easily handed to a worker.
#ifndef GATE_ACCESS_H
#define GATE_ACCESS_H

#include "base/cursor.h"
#include "cli/config.h"
#include "exchange/policy/policy.h"

enum { ACCESS_RULES_MAX = 65536 }; // lines of Allow and Deny

struct access_line {
    char *name; // of the portal; "*" is everybody authenticated
    bool allow;
    char *rules; // comma separated, as exchange/policy/policy.h reads them
};

struct access {
    struct access_line *lines;
    size_t count;
};

config_parse access_allow; // struct access, appended
config_parse access_deny;
void access_fini(struct access *access);

// The policy of the portal that is called `name`: the lines of its own section, then those of [Access *]. First match
// wins, so a portal's own section can take back, and add to, what everybody may.
struct policy *access_policy(const struct access *access, const char *name);

// For the way to a worker.
size_t access_size(const struct access *access);
void access_encode(struct writer *w, const struct access *access);
bool access_decode(struct access *out, struct reader *r);

#endif
