// SPDX-License-Identifier: GPL-2.0-or-later
// A far end as a person types it: "10.73.0.2:80", "[fd73::2]:80", "fd73::2", "db.corp.example:22"; and the protocol.
#ifndef CLI_DESTINATION_H
#define CLI_DESTINATION_H

#include "base/address.h"
#include "base/fault.h"

#include <stdbool.h>

enum { DESTINATION_HOST_SIZE = 256, DESTINATION_TEXT_SIZE = 280 };

struct destination {
    struct address addr;              // version 0: `host` counts
    char host[DESTINATION_HOST_SIZE]; // a name; "" for an address
    uint16_t port;                    // 0: none
    uint8_t protocol;                 // of IP
};

// `protocol` is tcp, udp or icmp; NULL: tcp where there is a port, else icmp.
bool destination_parse(struct destination *out, const char *text, const char *protocol, struct fault *fault);
// "db.corp.example:22", as it is to be shown.
const char *destination_text(const struct destination *destination, char room[DESTINATION_TEXT_SIZE]);

#endif
