// SPDX-License-Identifier: GPL-2.0-or-later
// What a gate runs by, while it runs: its configuration and the files that this names, read again when one of them has
// changed, or when somebody asks for it. What is mistaken is refused, loudly, and what was in force stays so.
#ifndef GATE_SUPERVISOR_RENEWAL_H
#define GATE_SUPERVISOR_RENEWAL_H

#include "gate/channel/handover.h"
#include "gate/load/load.h"

#include <uv.h>

struct renewal;

struct renewal_config {
    const char *name_or_file;     // borrowed
    const struct gate_conf *conf; // that the gate began with; borrowed
    struct gate_conf *now;        // that is in force instead, and the renewal's; NULL: that one
    // Other news than before are in force: renewal_conf and renewal_handover_fd say which.
    void (*renewed)(void *owner);
    void *owner;
};

// `handover` is wiped; `began` of it is the text of `conf`, where that is another than what is in force. NULL with a fault.
struct renewal *renewal_new(uv_loop_t *loop, const struct renewal_config *config, struct handover *handover,
                            struct fault *fault);
void renewal_free(struct renewal *renewal);

// In force; until it is renewed.
const struct gate_conf *renewal_conf(const struct renewal *renewal);
int renewal_handover_fd(const struct renewal *renewal);

// Reads everything again, now. Every sentence on it is logged, and is what renewal_describe_last tells; where nothing has
// changed, those of before. False when one is of a mistake.
bool renewal_run(struct renewal *renewal);
void renewal_describe_last(const struct renewal *renewal, struct facts *facts);
// For the status: when something was taken, and why something was not, if that is how it is.
void renewal_describe(const struct renewal *renewal, struct facts *facts);

#endif
