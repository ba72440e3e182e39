// SPDX-License-Identifier: GPL-2.0-or-later
// The modes keep everybody else from connecting at all; what the kernel says of the peer is looked at all the same, so that a
// directory that somebody has opened wide opens nothing.

#include "cli/guests.h"

#include "os/file/access_list.h"
#include "os/log.h"
#include "os/sandbox/rights.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

// Not that of the user whom portals and gates become: what breaks into one is to ask no other.
#define USUAL "usher-console"

enum { GROUPS_MAX = 1024 };

// What changes nothing, and opens nothing.
static const char *const QUESTIONS[] = {"status", "flows", "denials"};
// What takes down or takes anew, and opens nothing: whoever can open connections is the portal.
static const char *const ACTS[] = {"reload", "drain", "down"};

// An owner may give what is his to a group that he is of, which root can be for the moment.
static bool give(gid_t group, const char *place, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && st.st_gid == group &&
        (st.st_mode & 07777) == 0660) // by an earlier program in this process
        return true;
    int own = setfsgid(group);
    bool ok = chown(place, (uid_t)-1, group) == 0 && chmod(place, 0710) == 0 && chown(path, (uid_t)-1, group) == 0 &&
              chmod(path, 0660) == 0;
    int error = errno;
    setfsgid((gid_t)own);
    errno = error;
    return ok;
}

// Of a service's user, who is of no group but his own: what he owns he may share.
static bool let_in(gid_t group, const char *path)
{
    char place[256];
    snprintf(place, sizeof place, "%.*s", (int)(strrchr(path, '/') - path), path);
    return give(group, place, path) ||
           (errno == EPERM && access_list_let_in(place, 7, group, 1) && access_list_let_in(path, 6, group, 6));
}

bool guests_admit(struct guests *guests, const struct control_group *group, const char *path, struct fault *fault)
{
    *guests = (struct guests){.may_act = group->may_act};
    const char *name = group->name ? group->name : USUAL;
    if (!strcmp(name, "no") || (!group->name && !rights_are_the_machines()))
        return true;
    const struct group *found = getgrnam(name);
    if (!found && !group->name)
        return true;
    if (!found)
        return fault_set(fault, "ControlGroup: there is no group %s", name);
    if (!let_in(found->gr_gid, path)) {
        fault_errno(fault, errno, "ControlGroup: let %s in", name);
        if (group->name)
            return false;
        log_warning("%s", fault->text);
        return true;
    }
    guests->group = found->gr_gid;
    guests->allowed = true;
    return true;
}

bool guests_have(const struct guests *guests, int fd)
{
    struct ucred peer;
    gid_t groups[GROUPS_MAX];
    socklen_t len = sizeof peer, groups_len = sizeof groups;
    if (!guests->allowed || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return false;
    if (peer.gid == guests->group)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_len) < 0)
        return false;
    for (size_t i = 0; i < groups_len / sizeof groups[0]; i++)
        if (groups[i] == guests->group)
            return true;
    return false;
}

static bool has(const char *const *words, size_t count, const char *line)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(line, words[i]))
            return true;
    return false;
}

const char *guests_refuse(const struct guests *guests, const char *line)
{
    if (has(QUESTIONS, sizeof QUESTIONS / sizeof QUESTIONS[0], line) || !strncmp(line, "flows ", 6))
        return NULL;
    if (!guests->may_act)
        return "you may ask, and do nothing: ControlGroupMay = act lets you";
    if (has(ACTS, sizeof ACTS / sizeof ACTS[0], line) || !strncmp(line, "end ", 4))
        return NULL;
    return "only root, and who started it, may do that";
}
