// SPDX-License-Identifier: GPL-2.0-or-later
// systemd-resolved: which names are asked over a link, and of whom (org.freedesktop.resolve1(5)). What it is told goes with
// the link, also when the program that made the link is killed, and it keeps it when it is started anew itself.
#ifndef OS_SYSTEM_DNS_RESOLVED_H
#define OS_SYSTEM_DNS_RESOLVED_H

#include "base/address.h"
#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>

struct resolved_domain {
    const char *name; // "": every name
    bool search;      // also completes short names; else it only says where questions go
};

struct resolved_link {
    unsigned ifindex;
    const struct address *servers;
    size_t server_count;
    const struct resolved_domain *domains;
    size_t domain_count;
};

// Tells it all, as root and within some seconds; false when it does not run, or does not take it: then nothing of it is left.
bool resolved_set_link(const struct resolved_link *link, struct fault *fault);

#endif
