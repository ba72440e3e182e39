// SPDX-License-Identifier: GPL-2.0-or-later
// Who may use a control socket besides root and who started the program: the members of one group, which the modes of its
// directory and its file let in. They may ask; to act is another right.
#ifndef CLI_GUESTS_H
#define CLI_GUESTS_H

#include "base/fault.h"
#include "config/control_group.h"

#include <stdbool.h>
#include <sys/types.h>

struct guests {
    gid_t group;
    bool allowed; // there are any
    bool may_act;
};

// Before the program gives its rights away: the group gets its way to the socket at `path`, whose directory is ours too. A
// group that is configured and is none, or not ours to let in, is a fault.
bool guests_admit(struct guests *guests, const struct control_group *group, const char *path, struct fault *fault);
// Whether the peer of a connected socket is of the group.
bool guests_have(const struct guests *guests, int fd);
// NULL: a guest may ask that. Otherwise why not.
const char *guests_refuse(const struct guests *guests, const char *line);

#endif
