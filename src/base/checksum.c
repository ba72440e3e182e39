// SPDX-License-Identifier: GPL-2.0-or-later
// The Internet checksum (RFC 1071). Sums run over words in the machine's byte order: the ones-complement sum does not
// care, as long as the folded result is stored the same way.
#include "base/checksum.h"

#include <string.h>

// Eight bytes a step as two 32-bit words: a 64-bit sum of 32-bit words cannot overflow below 16 GiB.
uint64_t checksum_add(uint64_t sum, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    for (; len >= 8; at += 8, len -= 8) {
        uint32_t words[2];
        memcpy(words, at, sizeof words);
        sum += words[0];
        sum += words[1];
    }
    for (; len >= 2; at += 2, len -= 2) {
        uint16_t word;
        memcpy(&word, at, sizeof word);
        sum += word;
    }
    if (len > 0) {
        uint8_t last[2] = {*at, 0}; // RFC 1071 section 1: an odd byte is padded with zero behind it
        uint16_t word;
        memcpy(&word, last, sizeof word);
        sum += word;
    }
    return sum;
}

uint16_t checksum_fold(uint64_t sum)
{
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

uint64_t checksum_pseudo(const struct address *src, const struct address *dst, uint8_t protocol, uint32_t upper_len)
{
    size_t width = src->version == 4 ? 4 : 16;
    uint8_t tail[8] = {(uint8_t)(upper_len >> 24),
                       (uint8_t)(upper_len >> 16),
                       (uint8_t)(upper_len >> 8),
                       (uint8_t)upper_len,
                       0,
                       0,
                       0,
                       protocol};
    uint64_t sum = checksum_add(0, src->bytes, width);
    sum = checksum_add(sum, dst->bytes, width);
    return checksum_add(sum, tail, sizeof tail);
}

void checksum_put(uint8_t field[2], uint16_t checksum)
{
    memcpy(field, &checksum, sizeof checksum);
}
