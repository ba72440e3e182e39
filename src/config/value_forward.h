// SPDX-License-Identifier: GPL-2.0-or-later
// Forwards, such as "tcp 127.0.0.1:2222 -> db.corp.example:22" or "udp [::1]:8000-8009 -> 10.73.0.5:9000-9009": where we
// listen, and the far end that each port leads to. Ports that form a range lead to as many ports, in order.
#ifndef CONFIG_VALUE_FORWARD_H
#define CONFIG_VALUE_FORWARD_H

#include "base/address.h"
#include "config/config.h"

struct value_forward {
    uint8_t protocol;       // IPPROTO_TCP or IPPROTO_UDP
    uint16_t count;         // of ports, at both ends
    struct endpoint listen; // with the first port
    char *host;             // the far end by name; NULL: by `address`
    struct address address;
    uint16_t port; // the first at the far end
};

struct value_forwards {
    struct value_forward *items;
    size_t count;
};

config_parse value_forwards; // struct value_forwards, appended
void value_forwards_fini(struct value_forwards *forwards);

#endif
