// SPDX-License-Identifier: GPL-2.0-or-later
// Forwards, such as "tcp 127.0.0.1:2222 -> db.corp.example:22" or "udp [::1]:8000-8009 -> 10.73.0.5:9000-9009": where we
// listen, and the far end that each port leads to. Ports that form a range lead to as many ports, in order.
#ifndef CONFIG_VALUE_FORWARD_H
#define CONFIG_VALUE_FORWARD_H

#include "base/address.h"
#include "config/config.h"

enum {
    VALUE_FORWARD_PORTS_MAX = 1024, // of one list: each is a socket, and a service of that many ports is a route
    VALUE_FORWARD_TEXT_SIZE = 352,  // protocol, address and port, arrow, a name of 253, ranges
};

struct value_forward {
    unsigned line;          // of the file
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

// Whether one of them listens where `forward` does.
bool value_forwards_meet(const struct value_forwards *forwards, const struct value_forward *forward);
// How many ports all of them have, and each of these, in order, as a forward of its own. Its name is borrowed.
size_t value_forwards_ports(const struct value_forwards *forwards);
struct value_forward value_forwards_port(const struct value_forwards *forwards, size_t index);
// As it is written in a file.
const char *value_forward_text(const struct value_forward *forward, char room[VALUE_FORWARD_TEXT_SIZE]);

#endif
