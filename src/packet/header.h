// SPDX-License-Identifier: GPL-2.0-or-later
// Headers of the packets that we build without lwIP.
#ifndef PACKET_HEADER_H
#define PACKET_HEADER_H

#include "base/address.h"

#include <stddef.h>
#include <stdint.h>

enum {
    HEADER_V4 = 20,
    HEADER_V6 = 40,
    HEADER_TTL = 64, // RFC 1700's default
};

// An IPv4 or IPv6 header for `upper_len` bytes behind it; returns its length. `id` matters to IPv4 alone.
size_t header_put(uint8_t room[HEADER_V6], const struct address *src, const struct address *dst, uint8_t protocol,
                  size_t upper_len, uint16_t id);

#endif
