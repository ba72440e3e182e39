// SPDX-License-Identifier: GPL-2.0-or-later
// A source is found by its application until it closes: what comes later begins a new one.
#include "edge/relay/bound.h"

#include "base/memory.h"
#include "edge/relay/reason.h"
#include "os/random.h"

#include <stdlib.h>
#include <string.h>

enum {
    DNS_PORT = 53,
    EARLY_MAX = 16,          // datagrams of one source
    EARLY_BYTES_MAX = 16384, // of each: one that is larger is not worth its keeping
};

struct early {
    struct list node;
    struct endpoint to;
    size_t len;
    uint8_t bytes[];
};

static struct relay_source *source_of(struct table_node *node)
{
    return container_of(node, struct relay_source, by_inside);
}

static uint64_t hash_of(const struct relay_bound *bound, const struct endpoint *inside)
{
    uint8_t bytes[sizeof inside->addr.bytes + sizeof inside->port];
    memcpy(bytes, inside->addr.bytes, sizeof inside->addr.bytes);
    memcpy(bytes + sizeof inside->addr.bytes, &inside->port, sizeof inside->port);
    return hash_bytes(&bound->key, bytes, sizeof bytes);
}

struct relay_source *relay_source_find(const struct relay_bound *bound, const struct endpoint *inside,
                                       const struct endpoint *outside)
{
    struct table_node *node = table_first(&bound->sources, hash_of(bound, inside));
    for (; node; node = table_next(node)) {
        struct relay_source *source = source_of(node);
        if (endpoint_equal(&source->inside, inside) && (!outside || endpoint_equal(&source->flow.outside, outside)))
            return source;
    }
    return NULL;
}

const struct endpoint *relay_source_inside(const struct relay_flow *flow)
{
    return &((const struct relay_source *)flow)->inside;
}

// Ends

static struct early *early_of(struct list *node)
{
    return container_of(node, struct early, node);
}

static void drop(struct relay_source *source, struct early *early)
{
    list_remove(&early->node);
    free(early);
    source->early_count--;
}

static void drop_early(struct relay_source *source)
{
    list_for_each(node, &source->early)
        drop(source, early_of(node));
}

bool relay_source_move_on(struct relay_source *source)
{
    list_for_each(node, &source->early) {
        if (endpoint_equal(&early_of(node)->to, &source->flow.outside))
            drop(source, early_of(node));
    }
    if (list_is_empty(&source->early))
        return false;
    source->flow.outside = early_of(source->early.next)->to;
    return true;
}

void relay_source_close(struct relay_source *source)
{
    drop_early(source);
    table_remove(&source->bound->sources, &source->by_inside);
    relay_flow_retire(&source->flow);
}

void relay_source_abandon(struct relay_flow *flow)
{
    relay_source_close((struct relay_source *)flow);
}

void relay_source_expired(struct relay_flow *flow)
{
    struct relay_source *source = (struct relay_source *)flow;
    table_remove(&source->bound->sources, &source->by_inside);
    if (relay_flow_idle(flow))
        flow->kind->abandon(flow);
}

// From the application to the peer

static void pass(struct relay_source *source, const struct endpoint *to, const uint8_t *bytes, size_t len)
{
    const struct usher_datagram datagram = {.from = source->inside, .to = *to, .bytes = bytes, .len = len};
    usher_session_datagram(source->flow.opening.session, &datagram);
}

static void keep(struct relay_source *source, const struct usher_datagram *datagram)
{
    if (source->early_count >= EARLY_MAX || datagram->len > EARLY_BYTES_MAX)
        return;
    struct early *early = memory_new(sizeof *early + datagram->len);
    early->to = datagram->to;
    early->len = datagram->len;
    memcpy(early->bytes, datagram->bytes, datagram->len);
    list_push_back(&source->early, &early->node);
    source->early_count++;
}

static void take(struct relay_bound *bound, struct usher_datagram *datagram)
{
    struct relay_source *source = bound->ops->route(bound, datagram);
    if (!source || source->flow.closing)
        return;
    if (source->flow.by_name || datagram->to.addr.version == 0)
        datagram->to = source->flow.outside;
    source->last_port = datagram->to.port;
    if (source->flow.pending) {
        keep(source, datagram);
        return;
    }
    relay_flow_wait(&source->flow, RELAY_WAIT_UDP);
    pass(source, &datagram->to, datagram->bytes, datagram->len);
}

static void received(struct relay_port *port, const struct udp_message *message)
{
    struct relay_bound *bound = container_of(port, struct relay_bound, port);
    size_t at = 0;
    do {
        size_t len = relay_port_piece(message, at);
        struct usher_datagram datagram = {.from = message->from, .bytes = message->bytes + at, .len = len};
        take(bound, &datagram);
        at += len;
    } while (at < message->len);
}

// An application that is not there any more takes its sources with it; the port stays for the others.
static bool failed(struct relay_port *port, const struct endpoint *to, int error)
{
    struct relay_bound *bound = container_of(port, struct relay_bound, port);
    struct relay_source *source;
    while (reason_word(error) == USHER_REFUSED && (source = relay_source_find(bound, to, NULL))) {
        relay_flow_reset(&source->flow, error);
        source->flow.kind->abandon(&source->flow);
    }
    return true;
}

static const struct relay_port_ops port_ops = {.received = received, .failed = failed};

// From the peer to the application

void relay_source_send(struct relay_source *source, const uint8_t *bytes, size_t len)
{
    const struct usher_datagram datagram = {.to = source->inside, .bytes = bytes, .len = len};
    relay_port_send(&source->bound->port, &datagram);
}

static void datagram(void *owner, const struct usher_datagram *datagram)
{
    struct relay_source *source = owner;
    const struct endpoint *from = source->flow.by_name ? &source->flow.outside : &datagram->from;
    if (source->flow.closing)
        return;
    bool dns = from->port == DNS_PORT && source->last_port == DNS_PORT;
    relay_flow_wait(&source->flow, dns ? RELAY_WAIT_UDP_DNS : RELAY_WAIT_UDP);
    if (source->bound->ops->answer)
        source->bound->ops->answer(source, datagram);
    else
        relay_source_send(source, datagram->bytes, datagram->len);
}

// The session

static void opened(void *owner)
{
    struct relay_source *source = owner;
    struct relay_flow *flow = &source->flow;
    relay_flow_answered(flow);
    relay_flow_wait(flow, RELAY_WAIT_UDP);
    if (flow->kind->opened)
        flow->kind->opened(flow);
    list_for_each(node, &source->early) {
        const struct early *early = container_of(node, struct early, node);
        pass(source, &early->to, early->bytes, early->len);
    }
    drop_early(source);
}

// Of a socket that is bound nobody can be told, but by a packet that it did not send.
static void unreachable(void *owner, const struct usher_unreachable *what)
{
    (void)owner;
    (void)what;
}

// Half an association is none.
static void finished(void *owner)
{
    struct relay_source *source = owner;
    if (!source->flow.closing)
        usher_session_close(source->flow.opening.session);
}

static void ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct relay_source *source = owner;
    struct relay_flow *flow = &source->flow;
    (void)ending;
    flow->opening.session = NULL;
    if (flow->pending)
        flow->kind->refused(flow, word, text);
    else
        flow->kind->abandon(flow);
}

const struct usher_session_ops relay_source_ops = {
    .opened = opened, .datagram = datagram, .unreachable = unreachable, .finished = finished, .ended = ended};

// The beginning

struct relay_source *relay_source_add(struct relay_bound *bound, const struct relay_kind *kind, size_t size,
                                      const struct endpoint *inside, const struct usher_open *open)
{
    struct relay_source *source = (struct relay_source *)relay_flow_add(kind, size, open);
    source->bound = bound;
    source->inside = *inside;
    list_init(&source->early);
    relay_flow_wait(&source->flow, RELAY_WAIT_UDP);
    table_insert(&bound->sources, &source->by_inside, hash_of(bound, inside));
    return source;
}

bool relay_bound_open(struct relay_bound *bound, struct relay *relay, int fd, const struct relay_bound_ops *ops)
{
    bound->ops = ops;
    table_init(&bound->sources);
    random_fill(&bound->key, sizeof bound->key);
    relay_port_init(&bound->port, relay, &port_ops);
    return relay_port_open(&bound->port, fd);
}

void relay_bound_close(struct relay_bound *bound)
{
    relay_port_close(&bound->port);
    table_fini(&bound->sources);
}
