// SPDX-License-Identifier: GPL-2.0-or-later
// A worker's accounts for the audit file, on their way to the supervisor: gathered, so that they cost the data path no system
// call each, and bounded, as nobody waits for a supervisor that is behind.
#ifndef GATE_WORKER_ACCOUNTING_H
#define GATE_WORKER_ACCOUNTING_H

#include "exchange/exchange.h"
#include "gate/audit/record.h"

struct accounting {
    int channel;    // -1: it is off
    uv_timer_t due; // runs while something waits
    uint8_t *bytes; // records that wait
    size_t len, size;
    uint32_t lost;
    enum audit_end at_the_end; // what the end of the tunnel is to its sessions
};

void accounting_init(struct accounting *accounting, uv_loop_t *loop);
// Closes its handle.
void accounting_close(struct accounting *accounting);
void accounting_fini(struct accounting *accounting);
// Whether accounts are kept from now on.
void accounting_set(struct accounting *accounting, struct exchange *exchange, bool on, int channel);
// Why the tunnel will have ended; the first reason counts.
void accounting_ends(struct accounting *accounting, enum audit_end end);
void accounting_paused(struct accounting *accounting, const char *why);
// The tunnel's last word. Sessions have been told of.
void accounting_down(struct accounting *accounting, const char *why);
// Now, and waiting for room if need be.
void accounting_flush(struct accounting *accounting);

#endif
