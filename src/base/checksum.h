// SPDX-License-Identifier: GPL-2.0-or-later
// The Internet checksum (RFC 1071), for headers that we write and for messages that nobody has verified before us.
#ifndef BASE_CHECKSUM_H
#define BASE_CHECKSUM_H

#include "base/address.h"

// The ones-complement sum of `bytes` added to `sum`, not folded. Only the last of several runs may be of odd length.
uint64_t checksum_add(uint64_t sum, const void *bytes, size_t len);
// Complemented, in network order: over data that hold their checksum it is zero.
uint16_t checksum_fold(uint64_t sum);
// The pseudo-header's part of an upper-layer checksum (RFC 793, RFC 8200 section 8.1).
uint64_t checksum_pseudo(const struct address *src, const struct address *dst, uint8_t protocol, uint32_t upper_len);
// Writes a folded checksum where it belongs.
void checksum_put(uint8_t field[2], uint16_t checksum);

#endif
