// SPDX-License-Identifier: GPL-2.0-or-later
// All that a worker needs to read, in a sealed memory file that it inherits, or is handed anew when something of it has
// changed: written once by the supervisor, read by every worker, so that no worker ever opens a file and the supervisor
// never waits for one.
#ifndef GATE_CHANNEL_HANDOVER_H
#define GATE_CHANNEL_HANDOVER_H

#include "config/again.h"

struct handover {
    struct blob name; // of the instance
    struct in_force force;
    struct blob began;   // the text that the gate began with, if another: by it ports and devices are handed out
    struct blob servers; // name servers of the system, as os/resolver/resolver.h takes them; none: ""
};

// The descriptor (close-on-exec), or -1.
int handover_write(const struct handover *handover, struct fault *fault);
// Its bytes, 0 with a fault: what a sealed worker cannot ask for.
size_t handover_size(int fd, struct fault *fault);
bool handover_read(struct handover *out, int fd, size_t size, struct fault *fault);
// Wipes everything.
void handover_fini(struct handover *handover);

#endif
