// SPDX-License-Identifier: GPL-2.0-or-later
// How a portal gets to its gate: resolve anew, try every address, TLS, and on any failure again after a jittered
// back-off of 0.2 to 10 s, or at once when the network has changed.
#ifndef LINK_DIALER_H
#define LINK_DIALER_H

#include "link/tunnel.h"

struct dialer;

struct dialer_config {
    const char *host; // name or address
    uint16_t port;
    const char *peer_name; // what its certificate must carry
    uint32_t mark;         // fwmark of the socket and of the name queries
    struct tls_identity *identity;
    struct tunnel_config tunnel;
};

enum dialer_end {
    DIALER_LOST,        // the tunnel was up
    DIALER_UNREACHABLE, // it never came up
    DIALER_UNTRUSTED,   // nor will it: one end has refused the other, for its certificate, say
};

struct dialer_ops {
    void (*up)(void *owner, struct tunnel *tunnel);
    void (*opened)(void *owner, struct usher_session *session, const struct usher_open *open);
    // The tunnel or an attempt has ended; the next one comes by itself.
    void (*down)(void *owner, enum dialer_end end, const char *why);
    void (*wake)(void *owner);
};

struct dialer *dialer_new(uv_loop_t *loop, const struct dialer_config *config, const struct dialer_ops *ops,
                          void *owner, struct fault *fault);
void dialer_free(struct dialer *dialer);
// Ends the tunnel in order (see tunnel_end) and tries no more; `down` follows.
void dialer_stop(struct dialer *dialer, const char *reason);
// Addresses or routes changed: if the tunnel is not up, try at once. If it is, probe it: when its local address is gone,
// drop it and try at once.
void dialer_network_changed(struct dialer *dialer);
// Whether somebody waits for the tunnel. While it is so and there is none, the next attempt comes half a second after the
// last one whatever the back-off has grown to, and one that hangs is begun anew.
void dialer_want(struct dialer *dialer, bool wanted);
// End of turn, as tunnel_turn.
bool dialer_turn(struct dialer *dialer, usec_t now);
struct tunnel *dialer_tunnel(struct dialer *dialer); // NULL while down

#endif
