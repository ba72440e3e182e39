// SPDX-License-Identifier: GPL-2.0-or-later
// A tunnel: one connected socket, TLS over it, and the engine that turns its records into sessions. The same at both
// ends. The program calls tunnel_turn once per turn of its loop, after every input was handled.
#ifndef LINK_TUNNEL_H
#define LINK_TUNNEL_H

#include "base/chunk.h"
#include "base/facts.h"
#include "base/fault.h"
#include "link/tls/tls.h"
#include "usher/engine.h"

#include <uv.h>

struct tunnel;

struct tunnel_config {
    struct usher_engine_config engine; // `server` and `extended` are set by the tunnel itself
    uint32_t batch;                    // bytes of ciphertext per send while nothing interactive is active (256 KiB)
    uint32_t batch_interactive;        // while something is (64 KiB)
    uint32_t notsent_lowat;            // bytes, TCP_NOTSENT_LOWAT of the socket
    const char *congestion;            // of the socket (os/socket.h), or NULL for the system's own
    uint32_t handshake_timeout_ms;     // 10,000
};

struct tunnel_ops {
    // Authenticated: the engine exists and sessions may be opened.
    void (*up)(void *owner);
    // The peer opened a session (see usher/engine.h).
    void (*opened)(void *owner, struct usher_session *session, const struct usher_open *open);
    // The tunnel is over, or never came up: `why` is one sentence. Every session has ended. The owner calls
    // tunnel_free, at once or later. Called from tunnel_turn only.
    void (*down)(void *owner, const char *why);
    // Something became runnable outside a turn's input: the program must not sleep before the next tunnel_turn.
    void (*wake)(void *owner);
};

// Takes `fd` (connected) over and begins the handshake. `peer_name` as in tls_new. NULL with a fault.
struct tunnel *tunnel_new(uv_loop_t *loop, int fd, struct tls_identity *identity, enum tls_role role,
                          const char *peer_name, const struct tunnel_config *config, const struct tunnel_ops *ops,
                          void *owner, struct fault *fault);
// Closes the socket; sessions that are left end as LOST. The structure goes when libuv has closed its handles.
void tunnel_free(struct tunnel *tunnel);
// Sends UsherEnd with `reason` and close_notify as far as the socket takes them within 1 s, then `down`.
void tunnel_end(struct tunnel *tunnel, const char *reason);
// Without last words, when they could not arrive: `down` follows with `why`.
void tunnel_drop(struct tunnel *tunnel, const char *why);

// End of turn: pulls, encrypts and sends what the socket takes, within the batch; runs timers; reports `down`. Returns
// true when work is left that no event will announce: the program must not sleep.
bool tunnel_turn(struct tunnel *tunnel, usec_t now);
// The socket takes no more at the moment: bare acknowledgements can wait (stack_flush).
bool tunnel_is_blocked(const struct tunnel *tunnel);
bool tunnel_is_up(const struct tunnel *tunnel);
// Within `down`: whether one end has refused the other, so that another attempt would end the same.
bool tunnel_is_untrusted(const struct tunnel *tunnel);

struct usher_engine *tunnel_engine(const struct tunnel *tunnel); // NULL before `up`
const struct tls *tunnel_tls(const struct tunnel *tunnel);
uint32_t tunnel_rtt_usec(const struct tunnel *tunnel);
void tunnel_describe(const struct tunnel *tunnel, struct facts *facts); // the round trip
bool tunnel_peer(const struct tunnel *tunnel, struct endpoint *out);
bool tunnel_local(const struct tunnel *tunnel, struct endpoint *out);

#endif
