// SPDX-License-Identifier: GPL-2.0-or-later
// One end of a tunnel as it runs, portal or gate: a loop, an exchange with its entrances and exits, and the link that
// brings tunnels. The two programs differ in who dials and in what they add, not in the turn, which stands here once.
//
// One turn, after every batch of input and right before the loop sleeps:
//
//     1. sockets tell what became ready                      poller_turn
//     2. edges write what the turn gathered: credit goes back   before_pull
//     3. tunnels pull records, encrypt, send once               link turn
//     4. edges acknowledge to applications what was pulled      after_pull
//     5. the program tells what there is to tell                turned
//
// and the loop does not sleep while a turn has left work.
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "exchange/exchange.h"
#include "link/tunnel/tunnel.h"
#include "os/busy_poll.h"
#include "os/socket/poller.h"

// Where tunnels come from: a path to the gate that is dialled for ever, or the one connection that was accepted.
struct node_link {
    bool (*turn)(void *link, usec_t now);  // true when work is left that no event will announce
    struct tunnel *(*tunnel)(void *link);  // that is up; NULL while there is none
    void (*want)(void *link, bool wanted); // somebody waits for a tunnel; NULL: it does not matter
    // Of all tunnels that were left for another one (node_tunnel_left); NULL: none ever is.
    const struct usher_counters *(*left)(void *link);
};

struct node_config {
    uint32_t hold_ms; // how long what entrances open waits for a tunnel
    void (*turned)(void *owner, usec_t now);
    void *owner;
};

// Embedded in the program, zeroed.
struct node {
    uv_loop_t *loop;
    struct node_config config;
    struct exchange *exchange;
    struct poller *poller;
    const struct node_link *link_ops;
    void *link; // NULL: none yet
    uv_prepare_t turn;
    uv_idle_t awake; // active while work is left, so that the loop does not sleep
    struct busy_poll busy_poll;
    struct usher_counters counters; // of the tunnel that is, or was last
    struct usher_counters past;     // of those before, added up, but for those that were left
};

void node_init(struct node *node, uv_loop_t *loop, const struct node_config *config);
// Stops every edge. The link has been taken apart, its sessions have ended. Handles close when the loop runs next.
void node_fini(struct node *node);
// From here on the turn runs. NULL before the link is taken apart.
void node_set_link(struct node *node, const struct node_link *ops, void *link);
// The loop must not sleep before the next turn. `node` is void for the sake of callbacks.
void node_wake(void *node);

// What the link tells; its owner passes it on.
void node_tunnel_came(struct node *node, struct tunnel *tunnel);
void node_session_came(struct node *node, struct usher_session *session, const struct usher_open *open);
void node_tunnel_paused(struct node *node);
void node_tunnel_resumed(struct node *node);
void node_tunnel_went(struct node *node);
// It is there still, for the sessions that it has; what is new waits for another one.
void node_tunnel_left(struct node *node);

// Of all tunnels together.
void node_counters(const struct node *node, struct usher_counters *out);

#endif
