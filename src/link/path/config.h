// SPDX-License-Identifier: GPL-2.0-or-later
// What a path is told when it is made, and what it tells.
#ifndef LINK_PATH_CONFIG_H
#define LINK_PATH_CONFIG_H

#include "link/path/gate.h"
#include "link/path/proxy.h"
#include "link/tunnel/tunnel.h"

struct netlink;

// Borrowed as long as the path lives, or is renewed, with all that it points to.
struct path_config {
    const struct path_gate *gates; // in order of preference; this list is copied
    size_t gate_count;             // at least 1
    const struct proxy *proxy;     // on the way to each of them; NULL: none
    const char *command;           // the same by a command (link/path/command.h); NULL: none
    uint32_t mark;                 // fwmark of the socket and of the name queries
    struct netlink *nl;            // to ask for other uplinks; NULL: only as the kernel routes
    const char
        *servers; // that are asked for names, as os/resolver/resolver.h takes them, and may be others at the next
                  // attempt; NULL or "": those of resolv.conf
    struct tls_identity *identity;
    struct tunnel_config tunnel;
};

enum path_end {
    PATH_LOST,        // the tunnel was up; after a pause `up` may follow at once
    PATH_LEFT,        // so it was, with nothing open in it, and an earlier gate is here again: `up` follows at once
    PATH_MOVED,       // it is left for another one, and only lives for its sessions: `up` follows at once
    PATH_UNREACHABLE, // it never came up
    PATH_UNTRUSTED,   // nor will it: one end has refused the other, for its certificate, say, or the proxy has
};

struct path_ops {
    void (*up)(void *owner, struct tunnel *tunnel);
    void (*opened)(void *owner, struct usher_session *session, const struct usher_open *open);
    // The tunnel has lost its connection, and waits for another that carries it on; attempts go on meanwhile, and tell by
    // `down` that they fail. Then `resumed`, or `down` with PATH_LOST.
    void (*paused)(void *owner, const char *why);
    void (*resumed)(void *owner);
    // The tunnel, or an attempt at every gate, has ended; the next one comes by itself.
    void (*down)(void *owner, enum path_end end, const char *why);
    void (*wake)(void *owner);
};

#endif
