// SPDX-License-Identifier: GPL-2.0-or-later
// What the files of dial share, and nobody else includes. Each calls only those further down:
//
//     dial.c                     life, limits
//     tcp.c  udp.c  icmp.c       how the far end is reached, by protocol
//     lookup.c                   names, and the judging of addresses
//     answer.c                   what the peer is told
//
// What flows between a session and its socket then is edge/relay/'s.
#ifndef EDGE_DIAL_INTERNAL_H
#define EDGE_DIAL_INTERNAL_H

#include "base/table.h"
#include "edge/dial/config.h"
#include "edge/relay/association.h"
#include "edge/relay/front.h"

#include <unistd.h>

enum {
    PENDING_LOOKUPS_MAX = 64, // names being resolved at once; each holds a socket of the resolver
    PACKET_ROOM = 65536,      // more than any raw packet holds
};

// Of a flow that is not answered: what flow->making is.
enum dial_phase {
    DIAL_CONNECTING, // nothing
    DIAL_RESOLVING,  // a struct dial_lookup
    DIAL_RACING,     // a struct race
};

// A raw ICMP socket, shared by all pings of its IP version.
struct dial_pinger {
    struct poller_watch watch; // fd: borrowed; -1: none
    struct dial *dial;
};

struct dial {
    struct relay_front front; // first
    struct dial_config config;
    struct remotes_rules rules; // for datagrams
    struct relay_kind tcp, icmp;
    struct relay_association_kind udp;
    uint32_t lookups;
    struct dial_pinger pinger4, pinger6;
    struct table pings; // by our echo identifier
    uint16_t next_echo;
    struct dial_counters counters;
    struct endpoint crowded; // no port was left to connect to it from, `crowded_at` on the loop's clock; 0: never
    uint64_t crowded_at;
    uint64_t crowded_told;   // when the log was
    uint64_t source_told[2]; // IPv4, IPv6: when it was said that Source is not there, on the loop's clock; 0: never
    uint8_t *packet;         // what was read last from a pinger
};

static inline struct dial *dial_of(const struct relay_flow *flow)
{
    return container_of(relay_front_of(flow), struct dial, front);
}

// A new socket, with the mark that what it sends is to have; -1 with errno when there is none.
static inline int dial_marked(const struct dial *dial, int fd)
{
    if (fd < 0 || dial->config.mark == 0 || socket_set_mark(fd, dial->config.mark))
        return fd;
    close(fd);
    return -1;
}

// The address that what goes to one of that IP version comes from; NULL: as the kernel chooses.
static inline const struct address *dial_source(const struct dial *dial, uint8_t version)
{
    return socket_source_of(&dial->config.source, version);
}

// tcp.c, udp.c, icmp.c
void dial_tcp_init(struct dial *dial);
void dial_udp_init(struct dial *dial);
void dial_icmp_init(struct dial *dial);
void dial_icmp_fini(struct dial *dial);
void dial_tcp_open(struct dial *dial, struct usher_session *session, const struct usher_open *open);
void dial_udp_open(struct dial *dial, struct usher_session *session, const struct usher_open *open);
void dial_icmp_open(struct dial *dial, struct usher_session *session, const struct usher_open *open);

// lookup.c
// Where the far end is, which was judged: addresses, at least one, to connect to in this order, at flow->outside.port.
typedef void dial_reach(struct relay_flow *flow, const struct address *addrs, size_t count);
// Resolves where that is needed, judges, translates, and calls `reach`, or refuses and abandons. The flow may be retired when this
// returns.
void dial_look_up(struct relay_flow *flow, const struct usher_open *open, dial_reach *reach);
// Gives up the lookup that is under way, if one is.
void dial_lookup_cancel(struct relay_flow *flow);

// What was asked for stands behind the flow's own structure, as text, where it is not simply the address that the flow goes
// to: so many bytes.
size_t dial_asked_size(const struct dial *dial, const struct usher_open *open);
void dial_asked_put(char *room, const struct dial *dial, const struct usher_open *open);
// Whether it would be allowed now, to where it goes; a denial is told. `asked` is where that text stands.
bool dial_judge_anew(const struct relay_flow *flow, const char *asked);

// tcp.c, udp.c, icmp.c: the same of a flow of theirs, and of each of those that it sends to.
bool dial_tcp_may_stay(struct relay_flow *flow);
bool dial_udp_may_stay(struct relay_flow *flow);
bool dial_icmp_may_stay(struct relay_flow *flow);

// answer.c
// The far end is reached: accepts the session.
void dial_accept(struct relay_flow *flow);
// Refuses the session; the caller closes and retires.
void dial_refuse(struct relay_flow *flow, enum usher_word word, const char *text);
// The same for what errno says about connecting to flow->outside.
void dial_refuse_errno(struct relay_flow *flow, int error);
// What a flow that is not answered is doing.
const char *dial_state(const struct relay_flow *flow);

#endif
