// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/version.h"
#include "edge/control/session.h"
#include "libusher/own_internal.h"
#include "node/dialled.h"

#include <errno.h>

static void tunnel_came(void *owner, struct tunnel *tunnel)
{
    struct own *own = owner;
    node_tunnel_came(&own->node, tunnel);
    own->was_up = true;
    own_enter(own, UP, 0, "");
}

static void tunnel_went(void *owner, enum path_end end, const char *why)
{
    struct own *own = owner;
    if (end == PATH_MOVED) {
        node_tunnel_left(&own->node);
        return;
    }
    if (end == PATH_LOST || end == PATH_LEFT)
        node_tunnel_went(&own->node);
    if (own->stopping)
        own_take_apart_soon(own, 0);
    else if (own->state == FAILED) // which the caller is about to see
        return;
    else if (end == PATH_UNTRUSTED && !own->was_up)
        own_enter(own, FAILED, EACCES, why);
    else
        own_enter(own, CONNECTING, 0, why);
}

static void tunnel_paused(void *owner, const char *why)
{
    struct own *own = owner;
    (void)why;
    node_tunnel_paused(&own->node);
}

static void tunnel_resumed(void *owner)
{
    struct own *own = owner;
    node_tunnel_resumed(&own->node);
    own_enter(own, UP, 0, "");
}

static void take_ticket(void *owner, const struct control_ticket *ticket)
{
    struct own *own = owner;
    path_take_ticket(own->path, ticket->number);
}

static void drain(void *owner, bool left)
{
    struct own *own = owner;
    if (!left)
        path_move(own->path, "as the gate wants");
}

static void session_came(void *owner, struct usher_session *session, const struct usher_open *open)
{
    struct own *own = owner;
    node_session_came(&own->node, session, open); // no exit is there, which is what the gate hears
}

static void wake(void *owner)
{
    struct own *own = owner;
    node_wake(&own->node);
}

static void turned(void *owner, usec_t now)
{
    (void)owner;
    (void)now;
}

static void add_control_session(struct own *own, uv_loop_t *loop)
{
    static const struct control_session_ops ops = {.ticket = take_ticket, .drain = drain};
    const struct control_session_config config = {
        .loop = loop,
        .opens = true,
        .version = version_text,
        .max_sessions = (uint32_t)own->conf->link.max_sessions,
        .judge = exchange_judge(own->node.exchange),
        .confirms = own->conf->link.resume_timeout > 0,
        .ops = &ops,
        .owner = own,
    };
    exchange_add(own->node.exchange, control_session_edge(control_session_new(&config)));
}

static void add_entrance(struct own *own, uv_loop_t *loop)
{
    const struct handed_config config = {
        .poller = own->node.poller,
        .max_flows = (uint32_t)own->conf->max_flows,
        .udp_idle_ms = (uint32_t)own->conf->udp_idle,
    };
    own->handed = handed_new(loop, &config);
    exchange_add(own->node.exchange, handed_edge(own->handed));
}

bool own_begin_path(struct own *own, uv_loop_t *loop, struct fault *fault)
{
    static const struct path_ops ops = {.up = tunnel_came,
                                        .opened = session_came,
                                        .paused = tunnel_paused,
                                        .resumed = tunnel_resumed,
                                        .down = tunnel_went,
                                        .wake = wake};
    const struct node_config node = {.hold_ms = (uint32_t)own->conf->hold, .turned = turned, .owner = own};
    node_init(&own->node, loop, &node);
    add_control_session(own, loop);
    add_entrance(own, loop);
    struct path_config path = portal_conf_path(own->conf, own->gates, own->identity);
    own->path = path_new(loop, &path, &ops, own, fault);
    if (own->path)
        dialled_set_path(&own->node, own->path);
    return own->path;
}
