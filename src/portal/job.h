// SPDX-License-Identifier: GPL-2.0-or-later
// A command that has another one run in its place is one job of the shell that controls it, and shares its terminal.
#ifndef PORTAL_JOB_H
#define PORTAL_JOB_H

#include <sys/types.h>

struct job {
    int fd;      // the terminal; -1: there is none
    pid_t group; // ours, when it had the terminal; else 0
};

void job_open(struct job *job);
void job_close(struct job *job);
// The command was stopped by this signal: so are we, until we are told to go on.
void job_stop(int number);
// After its end: a shell that ran in our place took the terminal for a group of its own, which is gone, and could not give
// it back. SIGTTOU must be blocked.
void job_restore(struct job *job);

#endif
