// SPDX-License-Identifier: GPL-2.0-or-later
// The first process of a run's namespace. It makes the network and covers the files, starts the command, waits for it, and
// takes in whatever that leaves behind. With its end the kernel ends all of them.
#ifndef PORTAL_INSIDE_INSIDE_H
#define PORTAL_INSIDE_INSIDE_H

#include "config/portal_conf.h"

#include <signal.h>

struct inside {
    const struct portal_conf *conf;
    char **command;
    int channel;            // portal/inside/channel.h
    int portal;             // takes the device (os/tun/pass.h)
    const sigset_t *masked; // the signals that the command is not to hear, as whoever called us wants it
};

enum { INSIDE_CANNOT_RUN = 126, INSIDE_NOT_FOUND = 127 }; // exit codes, as shells have them

// Of a process that namespace_fork has made.
void inside_run(const struct inside *inside) __attribute__((noreturn));

#endif
