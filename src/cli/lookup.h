// SPDX-License-Identifier: GPL-2.0-or-later
// A name is resolved while a command waits for it.
#ifndef CLI_LOOKUP_H
#define CLI_LOOKUP_H

#include "base/clock.h"
#include "base/fault.h"
#include "os/resolver/resolver.h"

struct lookup {
    struct address addrs[RESOLVER_ADDRESSES_MAX];
    size_t count;
    usec_t took;
};

// False with a fault: there is no such name, or nobody who knows.
bool lookup_name(struct lookup *out, const char *host, const struct resolver_config *config, struct fault *fault);

#endif
