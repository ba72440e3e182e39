// SPDX-License-Identifier: GPL-2.0-or-later
// A small process that keeps what a program took over and gives it back whatever becomes of the program, which gives its
// rights away and may be killed. It hears nothing from the program but its end (end of file), and outlives every signal
// that a service manager or a terminal sends to all. When somebody else writes the file, it takes it over again: the newest
// old one says where other names are asked.
#ifndef OS_RESOLV_KEEPER_H
#define OS_RESOLV_KEEPER_H

#include "os/resolv_file.h"

#include <sys/types.h>

struct resolv_keeper {
    pid_t pid;
    int news; // to poll for reading
};

// `file` has been taken; its lock is the keeper's from now on, and on failure it has been given back. `log` is where it
// says what it cannot tell the program any more; -1: stderr.
bool resolv_keeper_start(struct resolv_keeper *out, struct resolv_file *file, int log, struct fault *fault);

enum resolv_news {
    RESOLV_NOTHING,
    RESOLV_TAKEN,   // again: `servers` are asked for other names now
    RESOLV_RENEWED, // so they are, since the old one is a link whose target says so
    RESOLV_TROUBLE, // somebody else has the file, and `fault` says why he keeps it
    RESOLV_GONE,    // the keeper has ended: nobody gives the file back
};
enum resolv_news resolv_keeper_read(struct resolv_keeper *keeper, struct resolv_conf_servers *servers,
                                    struct fault *fault);

// Has it given back, and waits for that. No privilege is needed.
void resolv_keeper_stop(struct resolv_keeper *keeper);

#endif
