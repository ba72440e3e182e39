// SPDX-License-Identifier: GPL-2.0-or-later
// c-ares on our loop: it gives descriptors to watch and a time to wake up, libuv watches; the time is its owner's to keep.
#ifndef OS_RESOLVER_CHANNEL_H
#define OS_RESOLVER_CHANNEL_H

#include "base/fault.h"
#include "base/list.h"

#include <ares.h>
#include <stdbool.h>
#include <uv.h>

struct resolver_channel {
    uv_loop_t *loop;
    void (*read)(
        struct resolver_channel *channel); // c-ares has done what a socket allowed; its next time may be another
    uint32_t timeout_ms;                   // for the whole of a query
    uint32_t mark;                         // of every socket
    bool hosts_file;                       // asked before the servers
    // Its own.
    ares_channel ares; // NULL unless open
    struct list watches;
};

// What is not its own is set. `servers` as ares_set_servers_ports_csv has them.
bool resolver_channel_open(struct resolver_channel *channel, const char *servers, struct fault *fault);
// Every query is called back for, with ARES_EDESTRUCTION.
void resolver_channel_close(struct resolver_channel *channel);

#endif
