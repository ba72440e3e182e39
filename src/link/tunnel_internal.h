// SPDX-License-Identifier: GPL-2.0-or-later
// What tunnel.c (life and death) and pump.c (bytes in and out) share.
#ifndef LINK_TUNNEL_INTERNAL_H
#define LINK_TUNNEL_INTERNAL_H

#include "base/clock.h"
#include "link/tunnel.h"

enum {
    TUNNEL_WHY_SIZE = 640,
    TUNNEL_IDLE_USEC = 2 * USEC_PER_SEC, // buffers are kept for as long as a pause between two requests takes
};

enum tunnel_state {
    TUNNEL_SHAKING,    // TLS handshake
    TUNNEL_CONFIRMING, // portals: TLS is done, but the gate may still refuse us
    TUNNEL_UP,
    TUNNEL_ENDING,    // the last words are on their way: UsherEnd and close_notify, or an alert
    TUNNEL_LINGERING, // all is sent; closing before the peer has would make the kernel throw it away (RST)
    TUNNEL_OVER,      // `why` waits to be reported
    TUNNEL_REPORTED,
};

struct tunnel {
    uv_loop_t *loop;
    uv_poll_t poll;
    uv_timer_t timer;
    int fd;
    int armed;      // events that `poll` waits for
    usec_t wake_at; // when `timer` fires; USEC_NEVER while it does not run
    enum tls_role role;
    enum tunnel_state state;
    bool blocked;      // the socket took less than there was: it will say when it takes more
    int send_error;    // errno of a send that failed; reported when reading has come to its end
    bool engine_ended; // the engine has said its last word or the peer's has come: nothing more is pulled
    usec_t deadline;   // of the state
    usec_t expiry_at;  // when to look at the peer's certificate again
    usec_t trim_at;    // when to give memory back if nothing has moved since; USEC_NEVER when it is given back
    bool moved;        // something has, since trim_at was set
    struct tls *tls;
    struct usher_engine *engine; // from TUNNEL_UP until the report
    struct chunk_pool *chunks;
    struct tunnel_config config;
    const struct tunnel_ops *ops;
    void *owner;
    struct endpoint peer;
    bool has_peer;
    char why[TUNNEL_WHY_SIZE];
    uint8_t stage[CHUNK_SIZE]; // one record's plaintext on its way from the engine to TLS
};

// tunnel.c: each moves on to another state; the first `why` stays.
void tunnel_raise(struct tunnel *tunnel, usec_t now);
void tunnel_fail(struct tunnel *tunnel, usec_t now, const char *format, ...) __attribute__((format(printf, 3, 4)));
void tunnel_finish(struct tunnel *tunnel, usec_t now, const char *format, ...) __attribute__((format(printf, 3, 4)));
void tunnel_linger(struct tunnel *tunnel);
const char *tunnel_peer_role(const struct tunnel *tunnel);

// pump.c. Input: what the socket has, at most one batch; then what of it was not yet decrypted. Output: true when more
// is left that the socket would take.
void tunnel_receive(struct tunnel *tunnel, usec_t now);
void tunnel_digest(struct tunnel *tunnel, usec_t now);
bool tunnel_transmit(struct tunnel *tunnel, usec_t now);

#endif
