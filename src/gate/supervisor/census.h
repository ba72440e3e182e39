// SPDX-License-Identifier: GPL-2.0-or-later
// `usher-gate flows`: the flows of all workers, a page for each request. Workers are asked one after another, in the order of
// their process numbers, each for some flows at a time, and one that does not answer is passed over.
#ifndef GATE_SUPERVISOR_CENSUS_H
#define GATE_SUPERVISOR_CENSUS_H

#include "cli/control.h"
#include "gate/supervisor/child.h"

struct census;

// Of the gate of that name; `file` is that of its configuration. All borrowed but for `file`.
struct census *census_new(uv_loop_t *loop, const char *name, const char *file, const struct list *children);
void census_free(struct census *census);
// "flows[ after PLACE][ of PORTAL]"
void census_request(struct census *census, const char *line, struct control_request *request);
// A worker has answered, or is gone.
void census_told(struct census *census, const struct child *child, const struct channel_message *message);
void census_gone(struct census *census, const struct child *child);

#endif
