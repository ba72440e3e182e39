// SPDX-License-Identifier: GPL-2.0-or-later
#include "node/node.h"

#include "os/clock.h"

static void stay_awake(uv_idle_t *idle)
{
    (void)idle;
}

void node_wake(void *owner)
{
    struct node *node = owner;
    uv_idle_start(&node->awake, stay_awake);
}

static struct tunnel *tunnel_of(const struct node *node)
{
    return node->link ? node->link_ops->tunnel(node->link) : NULL;
}

static bool turn_link(struct node *node, usec_t now)
{
    if (!node->link)
        return false;
    bool work = node->link_ops->turn(node->link, now);
    const struct tunnel *tunnel = tunnel_of(node);
    if (tunnel)
        node->counters = *usher_engine_counters(tunnel_engine(tunnel));
    return work;
}

static void want_link(struct node *node)
{
    if (node->link && node->link_ops->want)
        node->link_ops->want(node->link, exchange_is_holding(node->exchange));
}

static void turn(uv_prepare_t *handle)
{
    struct node *node = handle->data;
    usec_t now = clock_now();
    uv_idle_stop(&node->awake); // first: a wake from within the turn keeps its effect
    poller_turn(node->poller);
    exchange_before_pull(node->exchange, now);
    bool work = turn_link(node, now);
    const struct tunnel *tunnel = tunnel_of(node);
    exchange_after_pull(node->exchange, tunnel && tunnel_is_blocked(tunnel), now);
    want_link(node);
    node->config.turned(node->config.owner, now);
    if (work || busy_poll_wants(&node->busy_poll, usher_counters_moved(&node->counters), now))
        node_wake(node);
}

void node_init(struct node *node, uv_loop_t *loop, const struct node_config *config)
{
    const struct exchange_config exchange = {.hold_ms = config->hold_ms, .wake = node_wake, .owner = node};
    node->loop = loop;
    node->config = *config;
    node->poller = poller_new(loop);
    node->exchange = exchange_new(loop, &exchange);
    uv_prepare_init(loop, &node->turn);
    uv_idle_init(loop, &node->awake);
    node->turn.data = node->awake.data = node;
    uv_prepare_start(&node->turn, turn);
}

void node_fini(struct node *node)
{
    exchange_free(node->exchange);
    poller_free(node->poller);
    uv_close((uv_handle_t *)&node->turn, NULL);
    uv_close((uv_handle_t *)&node->awake, NULL);
}

void node_set_link(struct node *node, const struct node_link *ops, void *link)
{
    node->link_ops = ops;
    node->link = link;
}

void node_tunnel_came(struct node *node, struct tunnel *tunnel)
{
    exchange_attach(node->exchange, tunnel_engine(tunnel));
}

void node_session_came(struct node *node, struct usher_session *session, const struct usher_open *open)
{
    exchange_opened(node->exchange, session, open);
}

void node_tunnel_paused(struct node *node)
{
    exchange_pause(node->exchange);
}

void node_tunnel_resumed(struct node *node)
{
    exchange_go_on(node->exchange);
}

void node_tunnel_went(struct node *node)
{
    exchange_detach(node->exchange);
    usher_counters_add(&node->past, &node->counters);
    node->counters = (struct usher_counters){0};
}

void node_tunnel_left(struct node *node)
{
    exchange_detach(node->exchange);
    node->counters = (struct usher_counters){0};
}

void node_counters(const struct node *node, struct usher_counters *out)
{
    *out = node->past;
    usher_counters_add(out, &node->counters);
    if (node->link && node->link_ops->left)
        usher_counters_add(out, node->link_ops->left(node->link));
}
