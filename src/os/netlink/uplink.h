// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a connection has lost the link that it goes by, while the machine has another.
#ifndef OS_NETLINK_UPLINK_H
#define OS_NETLINK_UPLINK_H

#include "os/netlink/netlink.h"

#include <stdbool.h>

// True when the interface that has `local` is down, or has no carrier, and a default route leads to one that is neither.
// Without another one a connection has nothing to gain, and survives if the link is back soon.
bool uplink_is_cut_off(struct netlink *nl, const struct address *local);

#endif
