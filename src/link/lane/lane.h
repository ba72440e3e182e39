// SPDX-License-Identifier: GPL-2.0-or-later
// A lane: one connected socket and TLS over it, from the handshake to the last byte. It carries records for somebody and
// knows nothing of what they are; when it is over it says why, and whoever it carried for lives on or does not.
//
// Its owner calls lane_input and lane_output once each per turn of the loop, in this order and at lane_deadline at the
// latest, and looks at lane_is_over after that. Callbacks come from within these two and from the loop; none may free
// the lane.
#ifndef LINK_LANE_LANE_H
#define LINK_LANE_LANE_H

#include "base/address.h"
#include "base/chunk.h"
#include "base/clock.h"
#include "base/fault.h"
#include "link/tls/tls.h"

#include <uv.h>

struct lane;

struct lane_config {
    uint32_t notsent_lowat; // bytes, TCP_NOTSENT_LOWAT of the socket
    const char *congestion; // of the socket (os/socket/socket.h), or NULL for the system's own; used by lane_new only
    uint32_t handshake_timeout_ms; // 10,000
    uint32_t user_timeout_ms;      // unacknowledged for so long means gone; 0: 15,000
};

struct lane_ops {
    // Authenticated. False when it is not the peer that was meant: the lane fails, and nothing is pulled.
    bool (*up)(void *owner, usec_t now);
    // The plaintext of a record, borrowed.
    void (*bytes)(void *owner, const struct slice *slice, usec_t now);
    // Bytes of ciphertext that may be gathered for one send.
    size_t (*batch)(void *owner, usec_t now);
    // What goes next, at most `most` bytes (CHUNK_SIZE or more), valid until the next pull; NULL when there is nothing.
    const uint8_t *(*pull)(void *owner, size_t most, size_t *len, usec_t now);
    // Whether a pull would give anything.
    bool (*has_more)(void *owner);
    // The peer's certificate has expired: the last words may be pulled, then the lane ends.
    void (*expired)(void *owner);
    // Nothing has moved for two seconds, and the lane has given its buffers back.
    void (*idle)(void *owner);
};

// Takes `fd` over: a connected TCP socket, or one of a pair (socketpair(2)). `peer_name` as in tls_new. NULL with a fault; `fd` is closed then.
struct lane *lane_new(uv_loop_t *loop, int fd, struct tls_identity *identity, enum tls_role role, const char *peer_name,
                      const struct lane_config *config, struct fault *fault);
// Before the first turn, and again when somebody else takes it over. Records are decrypted into chunks of `chunks`.
void lane_attach(struct lane *lane, struct chunk_pool *chunks, const struct lane_ops *ops, void *owner);
// As tls_set_ticket, before the first turn.
bool lane_set_ticket(struct lane *lane, const uint8_t number[TLS_TICKET_SIZE]);
// As tls_set_peer, the same.
void lane_set_peer(struct lane *lane, const struct tls *before);
// Closes the socket. The structure goes when libuv has closed its handle.
void lane_free(struct lane *lane);
// The same, and the caller keeps what is known of the peer (tls_retire).
struct tls *lane_free_but_tls(struct lane *lane);

// Ends it in order: what is still to be pulled and close_notify, as far as the socket takes them within 1 s. Before it is
// up nothing is pulled. The first `why` stays.
void lane_end(struct lane *lane, const char *why, usec_t now);
// Without last words, when they could not arrive.
void lane_drop(struct lane *lane, const char *why);

void lane_input(struct lane *lane, usec_t now);
// True when work is left that no event will announce: the program must not sleep.
bool lane_output(struct lane *lane, usec_t now);
usec_t lane_deadline(const struct lane *lane);

bool lane_is_up(const struct lane *lane);
bool lane_is_blocked(const struct lane *lane); // the socket takes no more at the moment
bool lane_is_over(const struct lane *lane);
// Of one that is over: whether it was up and broke, and neither end had said that it would end.
bool lane_was_lost(const struct lane *lane);
// Of one that was lost: a kernel has said that nothing more comes, as it does for a process that is gone. So does a proxy that ends.
bool lane_was_closed(const struct lane *lane);
const char *lane_why(const struct lane *lane); // one sentence

enum tls_role lane_role(const struct lane *lane);
const struct tls *lane_tls(const struct lane *lane);
bool lane_is_unheard(const struct lane *lane); // what was sent waits to be acknowledged by the kernel at the other end
uint32_t lane_rtt_usec(const struct lane *lane);
bool lane_peer(const struct lane *lane, struct endpoint *out);
bool lane_local(const struct lane *lane, struct endpoint *out);

#endif
