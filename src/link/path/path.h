// SPDX-License-Identifier: GPL-2.0-or-later
// How a portal gets to its gate: resolve anew, try every address, TLS, and on any failure again after a jittered
// back-off of 0.2 to 10 s, or at once when the network has changed.
#ifndef LINK_PATH_PATH_H
#define LINK_PATH_PATH_H

#include "link/tunnel/tunnel.h"

struct path;

struct path_config {
    const char *host; // name or address
    uint16_t port;
    const char *peer_name; // what its certificate must carry
    uint32_t mark;         // fwmark of the socket and of the name queries
    struct tls_identity *identity;
    struct tunnel_config tunnel; // `resume_ms` is 0: each attempt makes a tunnel of its own
};

enum path_end {
    PATH_LOST,        // the tunnel was up
    PATH_UNREACHABLE, // it never came up
    PATH_UNTRUSTED,   // nor will it: one end has refused the other, for its certificate, say
};

struct path_ops {
    void (*up)(void *owner, struct tunnel *tunnel);
    void (*opened)(void *owner, struct usher_session *session, const struct usher_open *open);
    // The tunnel or an attempt has ended; the next one comes by itself.
    void (*down)(void *owner, enum path_end end, const char *why);
    void (*wake)(void *owner);
};

struct path *path_new(uv_loop_t *loop, const struct path_config *config, const struct path_ops *ops, void *owner,
                      struct fault *fault);
void path_free(struct path *path);
// Ends the tunnel in order (see tunnel_end) and tries no more; `down` follows.
void path_stop(struct path *path, const char *reason);
// Addresses or routes changed: if the tunnel is not up, try at once. If it is, probe it: when its local address is gone,
// drop it and try at once.
void path_network_changed(struct path *path);
// Whether somebody waits for the tunnel. While it is so and there is none, the next attempt comes half a second after the
// last one whatever the back-off has grown to, and one that hangs is begun anew.
void path_want(struct path *path, bool wanted);
// End of turn, as tunnel_turn.
bool path_turn(struct path *path, usec_t now);
struct tunnel *path_tunnel(struct path *path); // NULL while down

#endif
