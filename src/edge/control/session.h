// SPDX-License-Identifier: GPL-2.0-or-later
// The control session (doc/PROTOCOL.md section 10): what both ends of a tunnel say to each other beside the sessions of
// users. The end that has dialled opens it, first of all, in each tunnel; without it, or with an end that refuses it,
// everything that it is for is off.
#ifndef EDGE_CONTROL_SESSION_H
#define EDGE_CONTROL_SESSION_H

#include "edge/control/config.h"
#include "edge/edge.h"
#include "edge/probe.h"

struct control_session;

struct control_session *control_session_new(const struct control_session_config *config);
// The edge that it is; frees it when it is stopped. It is no flow, and counts as none.
struct edge *control_session_edge(struct control_session *control);
// Tells the other end that what is new should go through another tunnel, if it is one that heeds that.
void control_session_drain(struct control_session *control);
// Asks the other end, with whatever tunnel there is.
struct prober *control_session_prober(struct control_session *control);

// Tells the other end, in the tunnel that is there, what another connection is to show; of two the later one.
void control_session_tell_ticket(struct control_session *control, const struct control_ticket *ticket);

#endif
