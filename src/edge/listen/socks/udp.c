// SPDX-License-Identifier: GPL-2.0-or-later
// All IPv4 far ends of a client share one session, so that all of them see one port of the gate's, whoever of them is
// spoken to first; where the protocol names no others in a datagram each far end has a session of its own.
#include "edge/listen/socks/udp.h"

#include "base/memory.h"
#include "edge/listen/socks/reply.h"
#include "edge/relay/bound.h"
#include "os/socket/socket.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SOURCES_MAX = 256,      // of one client: a resolver or a swarm speaks to so many; the one idle longest gives way
    CLIENT_GONE_MS = 30000, // a client that answers nothing is gone, and its port with it
};

struct association {
    struct list node; // in socks->associations
    struct socks *socks;
    struct poller_watch control;
    struct relay_bound bound;
    struct endpoint client; // port 0: not known yet
    struct list sources;    // the latest used first
    uint32_t source_count;
};

struct source {
    struct relay_source source; // first
    struct list node;           // in association->sources
    struct association *association;
    char host[]; // "": the address counts
};

// Each IPv6 address and each name has a session of its own, as has an address that stands for a far end elsewhere.
static bool is_alone(const struct socks *socks, const struct socks_target *target)
{
    const struct endpoint to = {.addr = target->addr, .port = target->port};
    return target->addr.version != 4 || edge_is_led(&socks->front.edge, USHER_UDP, &to);
}

static struct association *association_of(struct relay_bound *bound)
{
    return container_of(bound, struct association, bound);
}

static struct source *source_of(struct list *node)
{
    return container_of(node, struct source, node);
}

// Ends

static void abandon(struct relay_flow *flow)
{
    struct source *source = (struct source *)flow;
    list_remove(&source->node);
    source->association->source_count--;
    relay_source_close(&source->source);
}

static void end_source(struct source *source, const char *why)
{
    struct usher_session *session = source->source.flow.opening.session;
    source->source.flow.opening.session = NULL;
    if (session)
        usher_session_reset(session, USHER_FAILED, why);
    abandon(&source->source.flow);
}

static void end(struct association *association)
{
    struct socks *socks = association->socks;
    list_for_each(node, &association->sources)
        end_source(source_of(node), "its client has gone");
    relay_bound_close(&association->bound);
    poller_forget(socks->config.poller, &association->control);
    close(association->control.fd);
    list_remove(&association->node);
    socks->association_count--;
    free(association);
}

void udp_end_all(struct socks *socks)
{
    list_for_each(node, &socks->associations)
        end(container_of(node, struct association, node));
}

// Nothing is to come on the connection but its end.
static void on_control(struct poller_watch *watch, uint32_t events)
{
    (void)events;
    end(container_of(watch, struct association, control));
}

// What has waited for the far end that was refused is lost; for others it is tried again.
static void refused(struct relay_flow *flow, enum usher_word word, const char *text)
{
    (void)word;
    (void)text;
    struct source *source = (struct source *)flow;
    if (relay_source_move_on(&source->source))
        edge_open(&source->association->socks->front.edge, &flow->opening);
    else
        abandon(flow);
}

// To the client

static void answer(struct relay_source *from, const struct usher_datagram *datagram)
{
    const struct source *source = (const struct source *)from;
    const struct endpoint *far = from->flow.by_name ? &from->flow.outside : &datagram->from;
    struct socks_target target = {.addr = far->addr, .port = far->port};
    uint8_t *room = source->association->socks->datagram;
    strcpy(target.host, source->host);
    size_t header = socks_datagram_write(room, &target);
    memcpy(room + header, datagram->bytes, datagram->len);
    relay_source_send(from, room, header + datagram->len);
}

// From the client

static bool serves(const struct source *source, const struct socks_target *target, bool alone)
{
    const struct relay_flow *flow = &source->source.flow;
    if (flow->closing || flow->by_name != alone)
        return false;
    if (!alone)
        return true;
    return flow->outside.port == target->port && address_equal(&flow->outside.addr, &target->addr) &&
           !strcmp(source->host, target->host);
}

static struct source *find(struct association *association, const struct socks_target *target)
{
    bool alone = is_alone(association->socks, target);
    list_for_each(node, &association->sources) {
        if (!serves(source_of(node), target, alone))
            continue;
        list_remove(node);
        list_push_front(&association->sources, node);
        return source_of(node);
    }
    return NULL;
}

static struct source *add(struct association *association, const struct socks_target *target)
{
    struct socks *socks = association->socks;
    if (association->source_count >= SOURCES_MAX)
        end_source(source_of(association->sources.prev), "others are more in use");
    if (socks_is_full(socks))
        return NULL;
    const struct usher_open open = {
        .protocol = USHER_UDP,
        .addr = target->addr,
        .port = target->port,
        .by_name = is_alone(socks, target),
    };
    size_t host = strlen(target->host) + 1;
    struct source *source = (struct source *)relay_source_add(&association->bound, &socks->sources,
                                                              sizeof *source + host, &association->client, &open);
    source->association = association;
    memcpy(source->host, target->host, host);
    list_push_front(&association->sources, &source->node);
    association->source_count++;
    edge_open(&socks->front.edge, &source->source.flow.opening);
    return source;
}

static bool is_client(const struct association *association, const struct endpoint *from)
{
    return address_equal(&association->client.addr, &from->addr) &&
           (association->client.port == 0 || association->client.port == from->port);
}

static struct relay_source *route(struct relay_bound *bound, struct usher_datagram *datagram)
{
    struct association *association = association_of(bound);
    struct socks_target target;
    size_t header;
    if (!is_client(association, &datagram->from) ||
        !socks_datagram_parse(&target, datagram->bytes, datagram->len, &header) || target.port == 0)
        return NULL;
    association->client.port = datagram->from.port;
    datagram->bytes += header;
    datagram->len -= header;
    datagram->to = (struct endpoint){.addr = target.addr, .port = target.port};
    struct source *source = find(association, &target);
    if (!source)
        source = add(association, &target);
    return source ? &source->source : NULL;
}

// The beginning

void udp_want(const struct opening *opening, struct want *out)
{
    const struct source *source = container_of(opening, struct source, source.flow.opening);
    const struct relay_flow *flow = &source->source.flow;
    *out = (struct want){
        .open = {.protocol = USHER_UDP,
                 .addr = flow->outside.addr,
                 .port = flow->outside.port,
                 .by_name = flow->by_name},
        .origin = source->source.inside,
        .ops = &relay_source_ops,
    };
    strcpy(out->open.host, source->host);
}

void udp_placed(struct opening *opening)
{
    relay_flow_wait(container_of(opening, struct relay_flow, opening), RELAY_WAIT_UDP);
}

// No far end would be reached.
void udp_refused(struct opening *opening)
{
    abandon(container_of(opening, struct relay_flow, opening));
}

static const char *host_of(const struct relay_flow *flow)
{
    const char *host = ((const struct source *)flow)->host;
    return *host ? host : NULL;
}

void udp_init(struct socks *socks)
{
    list_init(&socks->associations);
    socks->sources = (struct relay_kind){
        .relay = socks->front.relay,
        .expired = relay_source_expired,
        .abandon = abandon,
        .inside = relay_source_inside,
        .host = host_of,
        .refused = refused,
    };
}

// At the address that the client has reached us by.
static int bind_beside(int control, struct endpoint *at)
{
    struct sockaddr_storage sa;
    if (!socket_local(control, at))
        return -1;
    at->port = 0;
    socklen_t len = endpoint_to_sockaddr(at, &sa);
    int fd = socket_datagram(at->addr.version);
    if (fd < 0 || (bind(fd, (const struct sockaddr *)&sa, len) == 0 && socket_local(fd, at)))
        return fd;
    close(fd);
    return -1;
}

static void refuse(int fd)
{
    reply_refused(fd, 5, SOCKS_FAILED);
    close(fd);
}

void udp_begin(struct socks *socks, int fd, const struct endpoint *client, uint16_t port)
{
    static const struct relay_bound_ops ops = {.route = route, .answer = answer};
    struct endpoint at;
    int bound = socks->association_count < SOCKS_ASSOCIATIONS_MAX ? bind_beside(fd, &at) : -1;
    if (bound < 0) {
        refuse(fd);
        return;
    }
    struct association *association = memory_new(sizeof *association);
    association->socks = socks;
    association->client = (struct endpoint){.addr = client->addr, .port = port};
    list_init(&association->sources);
    list_push_back(&socks->associations, &association->node);
    socks->association_count++;
    socket_set_user_timeout(fd, CLIENT_GONE_MS);
    bool watched = poller_add(socks->config.poller, &association->control, fd, EPOLLIN | EPOLLRDHUP, on_control);
    if (relay_bound_open(&association->bound, socks->front.relay, bound, &ops) && watched)
        reply_granted(fd, 5, &at);
    else
        end(association);
}
