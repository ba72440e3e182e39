// SPDX-License-Identifier: GPL-2.0-or-later
// All that a worker needs to know, in a sealed memory file that it inherits: written once by the supervisor, read by
// every worker, so that no worker ever opens a file and the supervisor never waits for one.
#ifndef GATE_BRIEFING_H
#define GATE_BRIEFING_H

#include "gate/gate_conf.h"

struct briefing {
    struct options_material material;
    bool allow_tls12;
    struct options_link link;
    struct access access;
    char *name, *user, *dns;
    enum log_level log_level;
    uint64_t max_connecting, opens_per_second, opens_burst;
    uint64_t connect_timeout, udp_idle, dns_idle;
};

// The descriptor (close-on-exec), or -1. `dns` is what conf->dns or the system says; "" for none.
int briefing_write(const struct gate_conf *conf, const struct options_material *material, const char *dns,
                   struct fault *fault);
bool briefing_read(struct briefing *out, int fd, struct fault *fault);
// Wipes the credentials.
void briefing_fini(struct briefing *briefing);

#endif
