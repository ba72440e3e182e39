// SPDX-License-Identifier: GPL-2.0-or-later
// How a portal gets to one of its gates: each in the order of the list (link/path/approach.h), and when all have failed
// again after a jittered back-off of 0.2 to 10 s, or at once when the network has changed. While a later gate has the
// tunnel and nothing is open in it, the earlier ones are tried now and then.
#ifndef LINK_PATH_PATH_H
#define LINK_PATH_PATH_H

#include "link/path/proxy.h"
#include "link/tunnel/tunnel.h"

struct netlink;
struct path;

struct path_gate {
    const char *host; // name or address
    uint16_t port;
    const char *peer_name; // what its certificate must carry
};

// Borrowed as long as the path lives, with all that it points to.
struct path_config {
    const struct path_gate *gates; // in order of preference
    size_t gate_count;             // at least 1
    const struct proxy *proxy;     // on the way to each of them; NULL: none
    const char *command;           // the same by a command (link/path/command.h); NULL: none
    uint32_t mark;                 // fwmark of the socket and of the name queries
    struct netlink *nl;            // to ask for other uplinks; NULL: only as the kernel routes
    const char *servers; // that are asked for names, as os/resolver.h takes them, and may be others at the next
                         // attempt; NULL or "": those of resolv.conf
    struct tls_identity *identity;
    struct tunnel_config tunnel; // `resume_ms` is 0: each attempt makes a tunnel of its own
};

enum path_end {
    PATH_LOST,        // the tunnel was up
    PATH_LEFT,        // so it was, with nothing open in it, and an earlier gate is here again: `up` follows at once
    PATH_UNREACHABLE, // it never came up
    PATH_UNTRUSTED,   // nor will it: one end has refused the other, for its certificate, say, or the proxy has
};

struct path_ops {
    void (*up)(void *owner, struct tunnel *tunnel);
    void (*opened)(void *owner, struct usher_session *session, const struct usher_open *open);
    // The tunnel, or an attempt at every gate, has ended; the next one comes by itself.
    void (*down)(void *owner, enum path_end end, const char *why);
    void (*wake)(void *owner);
};

struct path *path_new(uv_loop_t *loop, const struct path_config *config, const struct path_ops *ops, void *owner,
                      struct fault *fault);
void path_free(struct path *path);
// Ends the tunnel in order (see tunnel_end) and tries no more; `down` follows.
void path_stop(struct path *path, const char *reason);
// Addresses or routes changed: if the tunnel is not up, try at once. If it is, probe it: when its local address is gone,
// or its link is down and there is another, drop it and try at once.
void path_network_changed(struct path *path);
// Whether somebody waits for the tunnel. While it is so and there is none, the next attempt comes half a second after the
// last one whatever the back-off has grown to, and one that hangs is begun anew, or the next gate's.
void path_want(struct path *path, bool wanted);
// End of turn, as tunnel_turn.
bool path_turn(struct path *path, usec_t now);
struct tunnel *path_tunnel(struct path *path); // NULL while down
// Why the gates that were tried in this round so far have failed; "": none has.
const char *path_why(const struct path *path);
// The gate that has the tunnel, or the one that was tried last.
const struct path_gate *path_gate(const struct path *path);

#endif
