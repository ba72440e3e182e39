// SPDX-License-Identifier: GPL-2.0-or-later
// How a worker's tunnel goes on when its lane is lost: the tickets by which others are to know it, and the connections that
// have shown one. Several of those may shake hands at a time, since whoever reads along sees what is shown, and must not
// keep out the one that can prove who it is; the oldest gives way. The first that is up carries the tunnel.
#ifndef GATE_WORKER_CONTINUING_H
#define GATE_WORKER_CONTINUING_H

#include "edge/control/session.h"
#include "gate/channel/channel.h"
#include "link/lane/candidate.h"
#include "link/tunnel/tunnel.h"

enum { CONTINUING_MAX = 4 };

// Embedded in the worker, zeroed; what it points to is borrowed.
struct continuing {
    uv_loop_t *loop;
    int channel;
    struct tunnel *tunnel;
    struct tls_identity **identity; // by which lanes are let in now
    const struct lane_config *lane;
    struct control_session *control; // NULL: the portal is not known yet
    uint32_t seconds;                // that the tunnel waits
    void (*carried)(void *owner, const struct endpoint *from);
    void *owner;

    uint8_t latest[TLS_TICKET_SIZE];
    struct continuing_lane {
        struct continuing *of;
        struct candidate *candidate; // NULL: none
        uint32_t id;
        uint8_t ticket[TLS_TICKET_SIZE];
        struct endpoint from;
    } lanes[CONTINUING_MAX];
    unsigned next;
};

// Both ends confirm: from now on there is a ticket.
void continuing_begin(struct continuing *continuing);
// A connection that has shown one, which is taken over.
void continuing_take(struct continuing *continuing, const struct channel_message *message, int fd);
bool continuing_turn(struct continuing *continuing, usec_t now);
// Before the tunnel goes.
void continuing_end(struct continuing *continuing);

#endif
