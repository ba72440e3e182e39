// SPDX-License-Identifier: GPL-2.0-or-later
// A bound UDP socket that applications send to. Each source has an association of its own: a session that we open for it.
// What comes before the peer has answered waits, within bounds. The owner says which source carries a datagram, and may
// put something of its own around what goes and comes (SOCKS).
#ifndef EDGE_RELAY_BOUND_H
#define EDGE_RELAY_BOUND_H

#include "base/hash.h"
#include "base/table.h"
#include "edge/relay/port.h"

struct relay_bound;
struct relay_source;

struct relay_bound_ops {
    // Which source carries a datagram from datagram->from: one of relay_source_find, or a new one. What is not the far
    // end's may be cut off; `to` is to be set if the source has more than one far end. NULL: it is dropped.
    struct relay_source *(*route)(struct relay_bound *bound, struct usher_datagram *datagram);
    // A datagram from the far end, to be sent on by relay_source_send. NULL: as it is.
    void (*answer)(struct relay_source *source, const struct usher_datagram *datagram);
};

struct relay_bound {
    struct relay_port port;
    const struct relay_bound_ops *ops;
    struct table sources; // by their application
    struct hash_key key;
};

struct relay_source {
    struct relay_flow flow; // first; by_name: `flow.outside`, or a name, is the one far end
    struct relay_bound *bound;
    struct table_node by_inside; // until it closes
    struct endpoint inside;      // the application
    uint16_t last_port;          // that was sent to
    uint16_t early_count;
    struct list early; // datagrams that wait for the peer's answer
};

// For sessions of sources; their owner is the struct relay_source.
extern const struct usher_session_ops relay_source_ops;

// Takes a bound socket, which is the port's from now on. False with errno.
bool relay_bound_open(struct relay_bound *bound, struct relay *relay, int fd, const struct relay_bound_ops *ops);
// Its sources must have gone.
void relay_bound_close(struct relay_bound *bound);

// The source of that application towards `outside`; whichever comes first, if that is NULL. NULL when there is none.
struct relay_source *relay_source_find(const struct relay_bound *bound, const struct endpoint *inside,
                                       const struct endpoint *outside);
// A new one of `size` bytes that begins with a struct relay_source, for a session yet to be opened with relay_source_ops; it
// is to be put into flow.opening.session.
struct relay_source *relay_source_add(struct relay_bound *bound, const struct relay_kind *kind, size_t size,
                                      const struct endpoint *inside, const struct usher_open *open);
// The far end that it was to be opened for has refused. What waits for that one is lost; true when something waits for
// another, which is flow.outside from now on: a session is to be opened once more.
bool relay_source_move_on(struct relay_source *source);
// To the application.
void relay_source_send(struct relay_source *source, const uint8_t *bytes, size_t len);
// Retires the flow. Its session is gone.
void relay_source_close(struct relay_source *source);
// For kinds.
void relay_source_expired(struct relay_flow *flow);
void relay_source_abandon(struct relay_flow *flow);
const struct endpoint *relay_source_inside(const struct relay_flow *flow);

#endif
