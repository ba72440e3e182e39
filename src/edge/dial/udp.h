// SPDX-License-Identifier: GPL-2.0-or-later
// A UDP association at the end where its socket is. udp.c has its life and stands on
// udp_receive.c (what the socket brings) and udp_send.c (what the peer sends), all of them on udp_error.c.
#ifndef EDGE_DIAL_UDP_H
#define EDGE_DIAL_UDP_H

#include "edge/dial/internal.h"
#include "edge/dial/remotes.h"

struct dial_udp {
    struct dial_flow flow;       // first
    struct poller_watch watch;   // fd -1: none yet
    uint16_t last_port;          // that was sent to
    struct endpoint inside;      // where the latest datagram came from
    struct dial_remotes remotes; // of an unconnected socket
    bool brings_trains : 1;      // the last messages were some, or nothing has come yet
    bool refuses_trains : 1;     // the path does
};

// Reads the socket, as far as its budget goes. The association may have ended when this returns.
void dial_udp_receive(struct dial_udp *udp);

// A datagram from the peer: judged, and sent at the end of the turn at the latest.
void dial_udp_take_datagram(void *owner, const struct usher_datagram *datagram);
// Sends what waits for the end of the turn. False when the association has ended over it.
bool dial_udp_send_waiting(struct dial_udp *udp);

// Retires the flow, whose session is gone.
void dial_udp_close(struct dial_udp *udp);
// Empties the error queue. False when the association has ended over it.
bool dial_udp_take_errors(struct dial_udp *udp);
// Ends the association if this is an error that concerns all of it; true when it has.
bool dial_udp_fail(struct dial_udp *udp, int error);

#endif
