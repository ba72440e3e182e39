// SPDX-License-Identifier: GPL-2.0-or-later
// What the entrance is told when it begins, and how it answers.
#ifndef EDGE_LISTEN_HANDED_CONFIG_H
#define EDGE_LISTEN_HANDED_CONFIG_H

#include "os/socket/poller.h"

struct handed_config {
    struct poller *poller; // borrowed
    uint32_t max_flows;
    uint32_t udp_idle_ms;
};

// `fd` is the callee's; or -1, and why: errno, and a sentence that is safe to show. Once for each that is opened and not
// given up, never from within handed_open; after it the flow is nobody's business any more.
typedef void handed_told(void *owner, int fd, int error, const char *why);

#endif
