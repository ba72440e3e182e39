// SPDX-License-Identifier: GPL-2.0-or-later
// Pings. All sessions of one IP version share one raw socket; each has an echo identifier of our own choosing there, and
// what comes back belongs to it when identifier and address are right. The peer's identifier and sequence numbers are
// what its application sees.
#include "edge/dial/echo.h"
#include "edge/dial/internal.h"

#include "edge/relay/reason.h"
#include "os/heap.h"
#include "os/random.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { MESSAGES_BUDGET = 64 }; // read from a socket before others have their turn

struct dial_icmp {
    struct relay_flow flow; // first
    struct table_node node; // in dial->pings once it has an identifier
    struct endpoint inside; // where the latest request came from
    struct remotes remotes; // of a session that was opened by address
    uint16_t id;            // our echo identifier
    bool listed;            // in dial->pings
};

// Identifiers of the two versions are apart.
static uint64_t hash_of(uint8_t version, uint16_t id)
{
    return (uint64_t)version << 16 | id;
}

static struct dial_icmp *find(const struct dial *dial, uint8_t version, uint16_t id)
{
    uint64_t hash = hash_of(version, id);
    struct table_node *node = table_first(&dial->pings, hash);
    return node ? container_of(node, struct dial_icmp, node) : NULL;
}

static void close_icmp(struct dial_icmp *icmp)
{
    dial_lookup_cancel(&icmp->flow);
    if (icmp->listed)
        table_remove(&dial_of(&icmp->flow)->pings, &icmp->node);
    remotes_fini(&icmp->remotes);
    relay_flow_retire(&icmp->flow);
}

static void fail(struct dial_icmp *icmp, int error)
{
    relay_flow_reset(&icmp->flow, error);
    close_icmp(icmp);
}

static char *asked(struct relay_flow *flow)
{
    return (char *)flow + sizeof(struct dial_icmp);
}

static const char *asked_for(const struct relay_flow *flow)
{
    return (const char *)flow + sizeof(struct dial_icmp);
}

// From the peer to the socket

static uint8_t version_of(const struct dial_icmp *icmp)
{
    return icmp->flow.protocol == USHER_ICMPV6 ? 6 : 4;
}

// What was opened by name was judged then.
static bool may_send(struct dial_icmp *icmp, const struct usher_datagram *datagram, struct address *there)
{
    *there = icmp->flow.outside.addr;
    return icmp->flow.by_name || remotes_may_send(&icmp->remotes, &dial_of(&icmp->flow)->rules, USHER_ICMP,
                                                  &datagram->from.addr, &datagram->to, there);
}

// Which address a request is to come from, as sendmsg(2) takes it.
union origin {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static size_t origin_write(union origin *out, const struct address *from)
{
    struct in_pktinfo v4 = {0};
    struct in6_pktinfo v6 = {0};
    bool six = from->version == 6;
    size_t size = six ? sizeof v6 : sizeof v4;
    memcpy(six ? (void *)&v6.ipi6_addr : (void *)&v4.ipi_spec_dst, from->bytes, six ? 16 : 4);
    out->align = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(size),
        .cmsg_level = six ? IPPROTO_IPV6 : IPPROTO_IP,
        .cmsg_type = six ? IPV6_PKTINFO : IP_PKTINFO,
    };
    memcpy(CMSG_DATA(&out->align), six ? (void *)&v6 : (void *)&v4, size);
    return CMSG_SPACE(size);
}

static bool send_request(const struct dial_icmp *icmp, const struct address *to, const struct usher_datagram *datagram)
{
    struct dial *dial = dial_of(&icmp->flow);
    uint8_t version = version_of(icmp);
    const struct address *from = dial_source(dial, version);
    union origin origin;
    uint8_t header[ECHO_HEADER];
    struct sockaddr_storage sa;
    const struct endpoint end = {.addr = *to};
    struct iovec iov[] = {{header, sizeof header}, {(void *)datagram->bytes, datagram->len}};
    struct msghdr message = {.msg_name = &sa, .msg_iov = iov, .msg_iovlen = 2};
    message.msg_namelen = endpoint_to_sockaddr(&end, &sa);
    if (from) {
        message.msg_control = &origin;
        message.msg_controllen = origin_write(&origin, from);
    }
    echo_request_write(header, version, icmp->id, datagram->to.port, datagram->bytes, datagram->len);
    int fd = version == 6 ? dial->pinger6.watch.fd : dial->pinger4.watch.fd;
    if (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return true;
    if (errno == EINVAL && from) // what the kernel says of an address that is not this host's any more
        errno = ENETUNREACH;
    return false;
}

static void datagram(void *owner, const struct usher_datagram *datagram)
{
    struct dial_icmp *icmp = owner;
    struct address there;
    if (icmp->flow.closing || !may_send(icmp, datagram, &there))
        return;
    icmp->inside = datagram->from;
    relay_flow_wait(&icmp->flow, RELAY_WAIT_ECHO);
    if (!send_request(icmp, &there, datagram) && reason_word(errno) == USHER_UNREACHABLE && !icmp->remotes.several)
        fail(icmp, errno);
}

// From the socket to the peer

// `asked` is whom the peer knows for the sender, no address for a name.
static bool is_awaited(const struct dial_icmp *icmp, const struct echo_news *news, struct address *asked)
{
    const struct endpoint from = {.addr = news->from, .port = news->sequence};
    if (!icmp->flow.by_name)
        return remotes_let_in(&icmp->remotes, &from, asked);
    *asked = (struct address){0};
    return address_equal(&news->from, &icmp->flow.outside.addr);
}

static void take_news(struct dial *dial, const struct echo_news *news)
{
    struct dial_icmp *icmp = find(dial, news->from.version, news->id);
    struct address asked;
    if (!icmp || icmp->flow.closing || !is_awaited(icmp, news, &asked))
        return;
    if (news->error != 0) {
        if (!icmp->remotes.several)
            fail(icmp, news->error);
        return;
    }
    const struct usher_datagram datagram = {
        .from = {.addr = asked, .port = icmp->flow.outside.port},
        .to = {.addr = icmp->inside.addr, .port = news->sequence},
        .bytes = news->bytes,
        .len = news->len,
    };
    usher_session_datagram(icmp->flow.opening.session, &datagram);
}

static void read_all(const struct dial_pinger *pinger)
{
    struct dial *dial = pinger->dial;
    for (int i = 0; i < MESSAGES_BUDGET; i++) {
        struct sockaddr_storage sa;
        socklen_t sa_len = sizeof sa;
        struct endpoint from;
        struct echo_news news;
        ssize_t n =
            recvfrom(pinger->watch.fd, dial->packet, PACKET_ROOM, MSG_DONTWAIT, (struct sockaddr *)&sa, &sa_len);
        if (n < 0)
            return;
        if (!endpoint_from_sockaddr(&from, (const struct sockaddr *)&sa))
            continue;
        if (from.addr.version == 4 ? echo4_read(&news, dial->packet, (size_t)n)
                                   : echo6_read(&news, &from.addr, dial->packet, (size_t)n))
            take_news(dial, &news);
    }
}

static void on_event(struct poller_watch *watch, uint32_t events)
{
    if (events & EPOLLERR)
        socket_error(watch->fd);
    read_all(container_of(watch, struct dial_pinger, watch));
}

static void start_pinger(struct dial *dial, struct dial_pinger *pinger, int fd)
{
    pinger->dial = dial;
    pinger->watch.fd = fd;
    if (fd >= 0 && !poller_add(dial->config.poller, &pinger->watch, fd, EPOLLIN, on_event))
        pinger->watch.fd = -1;
}

static void stop_pinger(struct dial_pinger *pinger)
{
    if (pinger->watch.fd >= 0)
        poller_delete(pinger->dial->config.poller, &pinger->watch);
}

// The life

// A free identifier, after the one used last, so that late answers find nobody. False when all are in use.
static bool take_identifier(struct dial_icmp *icmp)
{
    struct dial *dial = dial_of(&icmp->flow);
    uint8_t version = version_of(icmp);
    for (uint32_t tries = 0; tries <= UINT16_MAX; tries++) {
        icmp->id = dial->next_echo++;
        if (find(dial, version, icmp->id))
            continue;
        table_insert(&dial->pings, &icmp->node, hash_of(version, icmp->id));
        icmp->listed = true;
        return true;
    }
    return false;
}

static void reach(struct relay_flow *flow, const struct address *addrs, size_t count)
{
    struct dial_icmp *icmp = (struct dial_icmp *)flow;
    (void)count;
    flow->outside.addr = addrs[0];
    const struct address *from = dial_source(dial_of(flow), addrs[0].version);
    if (from && !socket_may_bind(from)) {
        dial_refuse_errno(flow, EADDRNOTAVAIL);
        close_icmp(icmp);
        return;
    }
    if (!take_identifier(icmp)) {
        dial_refuse(flow, USHER_LIMIT, "no echo identifier is free");
        close_icmp(icmp);
        return;
    }
    relay_flow_wait(flow, RELAY_WAIT_ECHO);
    dial_accept(flow);
}

static void expired(struct relay_flow *flow)
{
    if (relay_flow_idle(flow))
        close_icmp((struct dial_icmp *)flow);
}

static void abandon(struct relay_flow *flow)
{
    close_icmp((struct dial_icmp *)flow);
}

static const struct endpoint *inside(const struct relay_flow *flow)
{
    return &((const struct dial_icmp *)flow)->inside;
}

// Half a ping session is none.
static void finished(void *owner)
{
    struct dial_icmp *icmp = owner;
    if (!icmp->flow.closing)
        usher_session_close(icmp->flow.opening.session);
}

static void ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct dial_icmp *icmp = owner;
    (void)ending;
    (void)word;
    (void)text;
    icmp->flow.opening.session = NULL;
    close_icmp(icmp);
}

static const struct usher_session_ops ops = {.datagram = datagram, .finished = finished, .ended = ended};

void dial_icmp_init(struct dial *dial)
{
    dial->icmp = (struct relay_kind){.relay = dial->front.relay,
                                     .expired = expired,
                                     .abandon = abandon,
                                     .inside = inside,
                                     .asked = asked_for,
                                     .state = dial_state};
    table_init(&dial->pings);
    dial->packet = heap_pages(PACKET_ROOM);
    random_fill(&dial->next_echo, sizeof dial->next_echo);
    start_pinger(dial, &dial->pinger4, dial->config.icmp4_fd);
    start_pinger(dial, &dial->pinger6, dial->config.icmp6_fd);
}

void dial_icmp_fini(struct dial *dial)
{
    table_fini(&dial->pings);
    stop_pinger(&dial->pinger4);
    stop_pinger(&dial->pinger6);
    heap_pages_free(dial->packet, PACKET_ROOM);
}

void dial_icmp_open(struct dial *dial, struct usher_session *session, const struct usher_open *open)
{
    struct relay_flow *flow = relay_flow_add(&dial->icmp, sizeof(struct dial_icmp) + dial_asked_size(dial, open), open);
    dial_asked_put(asked(flow), dial, open);
    usher_session_attach(session, &ops, flow);
    flow->opening.session = session;
    dial_look_up(flow, open, reach);
}

bool dial_icmp_may_stay(struct relay_flow *flow)
{
    struct dial_icmp *icmp = (struct dial_icmp *)flow;
    if (flow->by_name || flow->pending)
        return dial_judge_anew(flow, asked(flow));
    return remotes_judge_again(&icmp->remotes, &dial_of(flow)->rules, USHER_ICMP);
}
