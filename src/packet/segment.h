// SPDX-License-Identifier: GPL-2.0-or-later
// A TCP segment as it came from the device: a checked view of its header, and the sequence arithmetic (RFC 9293
// section 3.4) that everything in front of lwIP shares.
#ifndef PACKET_SEGMENT_H
#define PACKET_SEGMENT_H

#include "packet/view.h"

enum {
    TCP_HEADER = 20, // without options
    TCP_HEADER_MAX = 60,
    TCP_CHECKSUM_AT = 16,
    TCP_FLAGS_AT = 13,
    SEGMENT_OPTIONS_MAX = 12,                                    // the three that we pass on
    SEGMENT_WRITTEN_MAX = 40 + TCP_HEADER + SEGMENT_OPTIONS_MAX, // behind an IPv6 header
};

enum {
    SEGMENT_FIN = 0x01,
    SEGMENT_SYN = 0x02,
    SEGMENT_RST = 0x04,
    SEGMENT_PSH = 0x08,
    SEGMENT_ACK = 0x10,
    SEGMENT_CONTROL = 0x1f, // those that we look at; URG, ECE and CWR mean nothing to us
};

struct segment {
    const struct packet_view *view;
    uint8_t *tcp; // its header
    uint16_t src_port;
    uint16_t dst_port;
    uint32_t seq;
    uint32_t ack;
    uint16_t window; // as it stands in the header, not scaled
    uint8_t flags;   // SEGMENT_CONTROL alone
    uint8_t header_len;
    uint32_t len; // bytes of data
};

// False when it is no TCP segment that a host may send to another: a fragment, lengths that contradict, port zero, a
// destination that is no single host, itself as its peer, or flags that exclude each other.
bool segment_parse(struct segment *out, const struct packet_view *view);
bool segment_checksum_is_right(const struct segment *segment);
// Sequence numbers it occupies: data, SYN and FIN.
uint32_t segment_span(const struct segment *segment);
// Shortens the data to `len` bytes; a FIN behind them goes.
void segment_trim(struct segment *segment, uint32_t len);
void segment_clear_fin(struct segment *segment);
// Moves the header up to the data, over the options; lwIP needs none after the SYN.
void segment_strip_options(struct segment *segment);

// What of a SYN's options we use.
struct segment_options {
    uint16_t mss; // 0: none given
    uint8_t scale;
    bool has_scale;
    bool sack;
};
void segment_options(struct segment_options *out, const struct segment *syn);

// Of a segment without data that we send.
struct segment_header {
    uint32_t seq;
    uint32_t ack;
    uint8_t flags;
    uint16_t window;
    const struct segment_options *options; // NULL: none
};
// The whole packet, checksums included; returns its length.
size_t segment_write(uint8_t room[SEGMENT_WRITTEN_MAX], const struct endpoint *from, const struct endpoint *to,
                     const struct segment_header *header);

// -1, 0, 1 as `a` lies before, at, or behind `b`.
static inline int sequence_order(uint32_t a, uint32_t b)
{
    int32_t distance = (int32_t)(a - b);
    return (distance > 0) - (distance < 0);
}

#endif
