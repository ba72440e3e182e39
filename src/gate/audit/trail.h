// SPDX-License-Identifier: GPL-2.0-or-later
// The supervisor's end of the audit file: makes lines, and sends them to the process that writes them (writer.h). It waits for
// nobody: what has no room is lost, counted, and told in the log and in the file.
#ifndef GATE_AUDIT_TRAIL_H
#define GATE_AUDIT_TRAIL_H

#include "base/facts.h"
#include "gate/audit/line.h"

#include <uv.h>

struct trail;

// `gate` is its name, `file` that of its configuration. Off at first.
struct trail *trail_new(uv_loop_t *loop, const char *gate, const char *file);
// Where lines go from now on. NULL: nowhere.
void trail_set(struct trail *trail, const char *path);
// A process that is to be executed in the place of this one writes on.
void trail_pause(struct trail *trail);
// Waits until all is written, but not for long. Memory goes when the loop runs next.
void trail_free(struct trail *trail);

void trail_record(struct trail *trail, const struct audit_tunnel *tunnel, const struct audit_record *record);
void trail_tunnel(struct trail *trail, const struct audit_tunnel *tunnel, const char *event, const char *cipher);
void trail_act(struct trail *trail, const char *act, uint32_t uid, const char *portal);
// A worker could not tell of so many sessions.
void trail_lost(struct trail *trail, const char *portal, uint64_t lines);

// A group "audit", where there is a file.
void trail_describe(const struct trail *trail, struct facts *facts);

#endif
