// SPDX-License-Identifier: GPL-2.0-or-later
// A connection to a gate: its name, or that of the proxy before it, is resolved anew, every address is tried (RFC 8305),
// and a proxy is asked to lead on. With one, the gate's name is the proxy's to look up and is never asked for here.
#ifndef LINK_PATH_REACH_H
#define LINK_PATH_REACH_H

#include "link/path/proxy.h"
#include "os/resolver/resolver.h"

#include <stdbool.h>
#include <uv.h>

struct netlink;
struct reach;

// What a name was resolved to last, by which it is reached while no name server answers: the one that did may lie behind an
// uplink that is dead. Whoever is there instead by now is found out by the certificate.
struct reach_known {
    struct address addrs[RESOLVER_ADDRESSES_MAX];
    size_t count;
};

// Texts, proxy and what is known are borrowed until it ends.
struct reach_config {
    const char *host; // of the gate: name or address
    uint16_t port;
    const struct proxy *proxy; // its kind may be PROXY_NONE
    uint32_t mark;             // fwmark of the socket and of the name queries
    struct reach_known *known; // of the name; NULL: nothing is kept
    struct netlink *nl;        // to ask for other uplinks; NULL: only as the kernel routes
    const char
        *servers; // that are asked for names, as os/resolver/resolver.h takes them; NULL or "": those of resolv.conf
    uint32_t connect_ms; // for all addresses together
};

struct reach_end {
    int fd;          // the callee's own from now on; -1: `why`
    bool refused;    // by the proxy, and it would refuse again
    const char *why; // one sentence; lives as long as the call
};

// `done` comes once, from the loop and never from within this call, and ends it. NULL with a fault when there is no way to
// resolve.
struct reach *reach_new(uv_loop_t *loop, const struct reach_config *config,
                        void (*done)(void *owner, const struct reach_end *end), void *owner, struct fault *fault);
// Gives up, without a callback. Not after `done`, nor from within it. NULL is nobody's.
void reach_cancel(struct reach *reach);
bool reach_is_resolving(const struct reach *reach);

#endif
