// SPDX-License-Identifier: GPL-2.0-or-later
// A small process that keeps what a program took over and gives it back whatever becomes of the program, which gives its
// rights away and may be killed. It hears nothing from the program but its end (end of file), and outlives every signal
// that a service manager or a terminal sends to all. When somebody else writes the file, it takes it over again: the newest
// old one says where other names are asked.
#ifndef OS_SYSTEM_DNS_RESOLV_KEEPER_H
#define OS_SYSTEM_DNS_RESOLV_KEEPER_H

#include "os/process/attendant.h"
#include "os/system_dns/resolv_file.h"

struct resolv_keeper {
    struct attendant attendant; // its channel is to be polled for reading
};

// What will be one, if it is needed: before any secret is read.
bool resolv_keeper_attendant(struct attendant *out, struct fault *fault);
// `file` has been taken; its lock is the keeper's from now on, and on failure it has been given back. So is the attendant.
// `log` is where it says what it cannot tell the program any more; -1: stderr.
bool resolv_keeper_start(struct resolv_keeper *out, struct attendant *attendant, struct resolv_file *file, int log,
                         struct fault *fault);

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
