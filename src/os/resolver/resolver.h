// SPDX-License-Identifier: GPL-2.0-or-later
// Names to addresses: c-ares on the program's own loop, no threads. A name is asked for as it is: no search domains.
// Text that is an address answers itself. What c-ares takes is there while names are asked for; it opens no file then, where
// `servers` are given and `hosts_file` is not.
#ifndef OS_RESOLVER_RESOLVER_H
#define OS_RESOLVER_RESOLVER_H

#include "base/address.h"
#include "base/fault.h"

#include <stddef.h>
#include <uv.h>

struct resolver;
struct resolver_query;

enum { RESOLVER_ADDRESSES_MAX = 16 };

struct resolver_config {
    const char *servers; // "10.0.0.53,[fd00::53]:5353"; NULL or "": from resolv.conf, read by resolver_new alone
    uint32_t mark;       // fwmark of its sockets, 0 is none
    uint32_t timeout_ms; // for a whole query; 5000 is usual
    bool hosts_file;     // also look into /etc/hosts (a sandboxed process cannot)
    const char *hosts;   // what stands there, for one that cannot (os/resolver/hosts.h); borrowed. NULL: nothing
};

// The servers that resolv.conf names now, as text for `servers`; for handing to a process that cannot read the file.
bool resolver_system_servers(char *room, size_t size, struct fault *fault);
// The same without those that are reached through a tunnel: where a portal has taken resolv.conf over, those from before. Who
// marks his sockets, and so stays outside of every tunnel, can ask no others.
bool resolver_outside_servers(char *room, size_t size, struct fault *fault);

struct resolver *resolver_new(uv_loop_t *loop, const struct resolver_config *config, struct fault *fault);
// Cancels what is under way without a callback; may be called from `done`. The loop must run once more to close all.
void resolver_free(struct resolver *resolver);

enum resolver_outcome {
    RESOLVER_FOUND,
    RESOLVER_NO_NAME,    // there is none, and that is certain
    RESOLVER_NO_ADDRESS, // there is one, which has no address of either family
    RESOLVER_FAILED,
};

struct resolver_answer {
    enum resolver_outcome outcome;
    const struct address *addrs; // of both families in the order of RFC 6724
    size_t count;                // 0: not found
    uint32_t ttl;                // seconds, of what was found
    const char *why;             // of what was not: some words, "no such name"
};

// `done` comes exactly once, never from within this call, unless cancelled. The answer lives as long as the call.
struct resolver_query *resolver_lookup(struct resolver *resolver, const char *host,
                                       void (*done)(void *owner, const struct resolver_answer *answer), void *owner);
void resolver_cancel(struct resolver_query *query);

#endif
