// SPDX-License-Identifier: GPL-2.0-or-later
// /etc/resolv.conf taken over, and given back. The old one lies beside it meanwhile, PATH.usher-tun-NAME, so that it outlives
// a reboot in the middle; a link stays a link. One exchange of the two names takes it over and one rename gives it back, so
// that nobody ever finds none, or half of one. Where the name cannot be moved (a bind mount of a container), what is in the
// file is exchanged instead.
//
// Whose it is stands in its first line. Whether he is still there is told by a write lock on it, which he holds: no user
// who may only read the file can feign that.
#ifndef OS_SYSTEM_DNS_RESOLV_FILE_H
#define OS_SYSTEM_DNS_RESOLV_FILE_H

#include "base/fault.h"
#include "os/system_dns/resolv_conf.h"

#define RESOLV_FILE_PATH "/etc/resolv.conf"

struct resolv_file {
    const char *path;
    const char *name; // ours
    const struct address *servers;
    size_t server_count;
    const char *search;
    int lock;  // our file, locked; -1: not taken
    char *old; // what the old one said
};

// What `path` says, whoever wrote it; all empty when it is not there.
bool resolv_file_read(const char *path, struct resolv_conf *out, struct fault *fault);

// What it said before one of us took it over; false: it is not one of ours.
bool resolv_file_read_before(const char *path, struct resolv_conf *out);

// `before` becomes what the old one said, to be freed by its fini when true. One of a dead owner is put back first; one of
// an owner that lives is a fault. The lock is inherited by a child, and gone when the last that has it closes it.
bool resolv_file_take(struct resolv_file *file, struct resolv_conf *before, struct fault *fault);
// Whether what is there is NAME's, dead or alive.
bool resolv_file_is_of(const char *path, const char *name);

// The old one may be a link, whose target lives on: its manager keeps writing it. Where that says something else now, ours is
// written anew and `before` is as above; false: it says the same, or names no server.
bool resolv_file_renew(struct resolv_file *file, struct resolv_conf *before);
// It is another process's from now on.
void resolv_file_forget(struct resolv_file *file);

// The owner's own end of it: puts the old one back and lets go of the lock. What somebody else has written meanwhile is left
// alone: then the old one stays beside it, and a warning says so.
bool resolv_file_release(struct resolv_file *file, struct fault *fault);
// The same for an owner NAME who died. Nothing of his is there: true.
bool resolv_file_give_back(const char *path, const char *name, struct fault *fault);

#endif
