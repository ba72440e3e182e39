// SPDX-License-Identifier: GPL-2.0-or-later
// What a gate listens on and captures for a portal: the sockets of its forwards and the device of its exports are made
// when it has logged in, are handed to its worker and go with it. So nobody listens while there is no portal, and a
// connection is refused, as it should be.
//
// One worker has them: of several logins of a name the latest that may stay. Where a login replaces another, whose worker
// has them still, they are made when that one has ended, within a second or so. A second set at the same time
// (SO_REUSEPORT) would be worse: until then the kernel would share connections out to the one that is leaving, too.
#ifndef GATE_HANDOUT_H
#define GATE_HANDOUT_H

#include "config/access.h"
#include "gate/child.h"
#include "gate/exports.h"

struct handout;

// Both borrowed.
struct handout *handout_new(uv_loop_t *loop, const struct access *access, const struct list *children);
void handout_free(struct handout *handout);
// Without it no device is handed out. Borrowed.
void handout_set_exports(struct handout *handout, struct exports *exports);
// Routes, rules or devices of exports may have been removed by another program: they are put back.
void handout_repair(struct handout *handout);
// A portal has come or gone.
void handout_look(struct handout *handout);

// Whether all could listen now; else a sentence, errno and, where `line` is not NULL, the line of the file.
bool handout_try(const struct access *access, struct fault *fault, unsigned *line);

#endif
