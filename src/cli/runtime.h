// SPDX-License-Identifier: GPL-2.0-or-later
// A running instance's place, ROOT/NAME/: control socket, pid, log, and the slot that keeps the routing tables of
// several portals apart. The pid file is locked by its process, so a lock that can be had means a dead instance,
// whatever killed it, and a process number that was given away anew cannot mislead.
#ifndef CLI_RUNTIME_H
#define CLI_RUNTIME_H

#include "config/instance.h"
#include "os/netlink/routes.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    RUNTIME_SLOTS = ROUTES_SLOTS, // portals with routes at once on one host
    RUNTIME_PATH_SIZE = 108,      // of a socket's path
    RUNTIME_FILE_SIZE = 9,        // "/control" and its end, the longest there is
    RUNTIME_DIR_SIZE = RUNTIME_PATH_SIZE - RUNTIME_FILE_SIZE + 1,
    RUNTIME_ROOT_SIZE = RUNTIME_DIR_SIZE - 1 - INSTANCE_NAME_MAX,
};

struct runtime {
    char dir[RUNTIME_DIR_SIZE];
    unsigned slot; // RUNTIME_SLOTS: none
    uint64_t left; // slots that a dead instance of this name left routes in: a set, bit n is slot n
    int lock;      // the locked pid file
    int slots;     // the file that says which are taken
    bool stained;  // routes of ours could not be removed: whatever happens, our slots stay taken
};

// Where instances of this user have their places: "/run/usher" of the machine's (os/sandbox/rights.h), of anybody else "$XDG_RUNTIME_DIR/usher", and where
// that is not set "/run/user/UID/usher" or, where there is no such place, "/tmp/usher-UID". False when it is too long or
// somebody else's.
bool runtime_root(char room[RUNTIME_ROOT_SIZE], struct fault *fault);

// Makes the place anew, and the root if need be; what a dead instance of this name left there is removed. The slot, for
// who wants one, is a fresh one, so that the dead one's routes can stay, and nothing leaks, until the new ones are in
// place; see `left`. An instance that lives is a fault: "already running (pid N)".
bool runtime_claim(struct runtime *out, const char *root, const char *name, bool wants_slot, struct fault *fault);
// That of an earlier program in this process, which held it: `slot`, and the two descriptors.
bool runtime_adopt(struct runtime *out, const char *root, const char *name, unsigned slot, int lock, int slots,
                   struct fault *fault);
// The slots in `left` have been cleaned up: only our own counts from now on.
bool runtime_settle(struct runtime *runtime, struct fault *fault);
// Gives the slots back and removes everything, as far as we may: a program that has given its rights away may not.
// What stays behind is removed by whoever waits for it to end (runtime_remove), or by the next claim of any name.
void runtime_release(struct runtime *runtime);

// The process of a live instance, 0 when there is none.
pid_t runtime_pid(const char *root, const char *name);
// The slots that an instance holds, as in `left`; 0 when there are none.
uint64_t runtime_slots(const char *root, const char *name);
// Removes what a dead instance has left.
void runtime_remove(const char *root, const char *name);
// Calls `visit` for the name of every instance, dead or alive, in no order.
void runtime_each(const char *root, void (*visit)(void *arg, const char *name), void *arg);
// "ROOT/NAME/FILE".
void runtime_path(char room[RUNTIME_PATH_SIZE], const char *root, const char *name, const char *file);

#endif
