// SPDX-License-Identifier: GPL-2.0-or-later
// A worker's tunnel on its way out: the portal is asked to open what is new in another one, and this one ends with its last
// session, or when they have had long enough.
#ifndef GATE_WORKER_DEPARTURE_H
#define GATE_WORKER_DEPARTURE_H

#include "edge/control/session.h"
#include "gate/worker/accounting.h"
#include "link/tunnel/tunnel.h"
#include "os/alarm.h"

enum {
    // Without a session, until a tunnel ends whose portal has not said that it opens nothing more in it: it cannot say so, or
    // has no other one. What it opens at this very moment may be lost.
    DEPARTURE_IDLE_MS = 30 * 1000,
};

// Embedded in the worker, zeroed but for the first four.
struct departure {
    uv_loop_t *loop;
    int channel;                   // the supervisor is told when the portal wants it
    const char *who;               // for log lines
    struct accounting *accounting; // of the same worker, who sets it
    struct tunnel *tunnel;
    struct control_session *control; // NULL: not logged in yet
    bool begun, told, peer_left, over;
    uint64_t timeout_ms; // by the configuration, for when the portal wants it
    usec_t until;
    usec_t idle_since; // USEC_NEVER: there are sessions
    struct alarm alarm;
};

void departure_init(struct departure *departure);
void departure_close(struct departure *departure);
// The portal has logged in.
void departure_logged_in(struct departure *departure, struct tunnel *tunnel, struct control_session *control);
// The tunnel is to go, its sessions within that time.
void departure_begin(struct departure *departure, uint64_t timeout_ms);
// The same by this worker's own will, or its portal's: the supervisor is told.
void departure_leave(struct departure *departure);
// What the portal says of it: the `drain` of a control session.
void departure_heard(void *owner, bool left);
// The end of a turn: ends the tunnel when it is time.
void departure_turn(struct departure *departure, usec_t now);

#endif
