// SPDX-License-Identifier: GPL-2.0-or-later
// What the files of this room share, and nobody else includes:
//
//     explain.c                  the command, and the portal that runs
//     names.c  routes.c          where an application's packets go
//     probe.c                    what becomes of a flow
//     way.c                      the way to the gate, where there is no tunnel
#ifndef PORTAL_EXPLAIN_INTERNAL_H
#define PORTAL_EXPLAIN_INTERNAL_H

#include "cli/command.h"
#include "cli/destination.h"
#include "cli/report.h"
#include "config/portal_conf.h"
#include "os/resolver/resolver.h"

struct explaining {
    struct report report;
    const struct command_line *line;
    char name[INSTANCE_NAME_MAX + 1];
    char *file;
    struct portal_conf *conf; // its text; credentials are not read
    char control[128];        // the socket of the portal
    struct json_t *status;    // of the portal; NULL: it does not run
    bool up;
    struct destination to;
    char text[DESTINATION_TEXT_SIZE]; // of `to`

    struct address addrs[RESOLVER_ADDRESSES_MAX]; // where that is, as an application hears
    size_t count;
    bool captured; // one of these goes into the device
};

void explain_names(struct explaining *e);
void explain_routes(struct explaining *e);
void explain_probe(struct explaining *e);
void explain_way(struct explaining *e);

#endif
