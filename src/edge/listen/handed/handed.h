// SPDX-License-Identifier: GPL-2.0-or-later
// The entrance for programs that ask for a far end and get a descriptor: whoever asks hands it on, within this process or to
// another. It comes once the far side has answered; if that refuses, errno comes instead, as connect(2) would give it.
//
// TCP is a stream socket: half-close, urgent bytes and resets are what they are at the far end. UDP is a SOCK_SEQPACKET, one
// datagram a message; what finds no room is lost, as on any network, and when the far end is no longer there it reads as
// ended. The descriptor is close-on-exec and blocks; it is its taker's to close, which ends the flow.
#ifndef EDGE_LISTEN_HANDED_HANDED_H
#define EDGE_LISTEN_HANDED_HANDED_H

#include "edge/edge.h"
#include "edge/listen/handed/config.h"

#include <uv.h>

struct handed;
struct handed_flow;

struct handed *handed_new(uv_loop_t *loop, const struct handed_config *config);
struct edge *handed_edge(struct handed *handed);

// To a far end of TCP or UDP. NULL when there are too many flows.
struct handed_flow *handed_open(struct handed *handed, const struct usher_open *to, handed_told *told, void *owner);
// Nobody waits for it any more.
void handed_give_up(struct handed_flow *flow);

#endif
