// SPDX-License-Identifier: GPL-2.0-or-later
// What a gate listens on and captures for a portal: the sockets of its forwards and the device of its exports are made
// when it has logged in, are handed to its worker and go with it. So nobody listens while there is no portal, and a
// connection is refused, as it should be.
//
// One worker has them: of several logins of a name the latest that may stay. Where the one that has them ends or drains, the
// same sockets go to the next at once. The device stays until its worker has ended, since the connections that are
// captured live in that; then the same device goes to the next.
#ifndef GATE_SUPERVISOR_HANDOUT_H
#define GATE_SUPERVISOR_HANDOUT_H

#include "config/access.h"
#include "gate/supervisor/child.h"
#include "gate/supervisor/exports.h"

struct handout;

// Both borrowed.
struct handout *handout_new(uv_loop_t *loop, const struct access *access, const struct list *children);
void handout_free(struct handout *handout);
// Without it no device is handed out. Borrowed.
void handout_set_exports(struct handout *handout, struct exports *exports);
// Routes, rules or devices of exports may have been removed by another program: they are put back.
void handout_repair(struct handout *handout);
// A portal has come or gone, or one drains.
void handout_look(struct handout *handout);

// What it keeps, for the next program in this process; an item each that is the caller's to free, as its list of sockets is.
struct state_held *handout_save(const struct handout *handout, uint32_t *count);
// Takes over what an earlier one kept; devices are for exports_new. What is nobody's any more is closed by handout_look.
void handout_load(struct handout *handout, const struct state_held *held, uint32_t count);

// How many descriptors it may keep.
size_t handout_descriptors(const struct access *access);

// Whether all could listen now; else a sentence, errno and, where `line` is not NULL, the line of the file.
bool handout_try(const struct access *access, struct fault *fault, unsigned *line);

#endif
