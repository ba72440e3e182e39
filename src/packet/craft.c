// SPDX-License-Identifier: GPL-2.0-or-later
// ICMP errors (RFC 792, RFC 4443), UDP datagrams and echo replies, byte by byte.
#include "packet/craft.h"

#include "base/checksum.h"
#include "base/cursor.h"
#include "packet/header.h"

#include <netinet/in.h>
#include <string.h>

enum {
    ICMP_HEADER = 8,
    UDP_HEADER = 8,
    UDP_CHECKSUM_AT = 6,   // in the UDP header
    ICMP_CHECKSUM_AT = 2,  // in the ICMP header
    ERROR_V4_SIZE = 576,   // RFC 1812 section 4.3.2.3: as much of the offender as fits into this
    NEVER_FRAGMENTED = 548 // bytes of payload: 576 (RFC 791) less headers
};

// Type and code of a destination-unreachable, by what Linux makes of them at a connecting socket: RFC 792 and RFC 1812
// section 5.2.7.1; RFC 4443 section 3.1.
static const struct {
    uint8_t v4;
    uint8_t v6;
} error_codes[] = {
    [CRAFT_NO_HOST] = {.v4 = 1, .v6 = 3},     // EHOSTUNREACH
    [CRAFT_NO_NET] = {.v4 = 0, .v6 = 0},      // ENETUNREACH
    [CRAFT_NO_PORT] = {.v4 = 3, .v6 = 4},     // ECONNREFUSED
    [CRAFT_PROHIBITED] = {.v4 = 13, .v6 = 1}, // EHOSTUNREACH, EACCES
};

enum { TYPE_UNREACHABLE_V4 = 3, TYPE_UNREACHABLE_V6 = 1, TYPE_ECHO_REPLY_V4 = 0, TYPE_ECHO_REPLY_V6 = 129 };

// `at` holds an ICMP message of `len` bytes with a zero checksum, whose payload may go on elsewhere: `sum` is its part.
static void seal_icmp(uint8_t *at, size_t len, uint64_t sum, const struct address *src, const struct address *dst,
                      size_t total)
{
    if (src->version == 6)
        sum += checksum_pseudo(src, dst, IPPROTO_ICMPV6, (uint32_t)total);
    checksum_put(at + ICMP_CHECKSUM_AT, checksum_fold(checksum_add(sum, at, len)));
}

size_t craft_icmp_error(uint8_t room[CRAFT_ERROR_SIZE], enum craft_error error, const uint8_t *offender, size_t len)
{
    bool v4 = offender[0] >> 4 == 4;
    struct address src = v4 ? address_v4(offender + 16) : address_v6(offender + 24);
    struct address dst = v4 ? address_v4(offender + 12) : address_v6(offender + 8);
    size_t most = v4 ? ERROR_V4_SIZE - HEADER_V4 - ICMP_HEADER : CRAFT_ERROR_SIZE - HEADER_V6 - ICMP_HEADER;
    size_t quoted = len < most ? len : most;
    size_t total = ICMP_HEADER + quoted;
    size_t ip = header_put(room, &src, &dst, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, total, 0);
    struct writer w = writer_over(room + ip, total);
    writer_u8(&w, v4 ? TYPE_UNREACHABLE_V4 : TYPE_UNREACHABLE_V6);
    writer_u8(&w, v4 ? error_codes[error].v4 : error_codes[error].v6);
    writer_u16(&w, 0); // checksum
    writer_u32(&w, 0); // unused
    writer_bytes(&w, offender, quoted);
    seal_icmp(room + ip, total, 0, &src, &dst, total);
    return ip + total;
}

// RFC 6864 section 4.3 wants the ids of datagrams in flight to differ, lest fragments be mixed up. A digest of the
// payload does without a counter: equal ids then mean, nearly always, equal datagrams. The kernel counts on from it for the
// pieces of a batch, of which none is to be cut.
static uint16_t digest(const uint8_t *payload, size_t len)
{
    return len > NEVER_FRAGMENTED ? checksum_fold(checksum_add(0, payload, len)) : 0;
}

size_t craft_udp(uint8_t head[CRAFT_HEAD_SIZE], struct virtio_net_hdr *vnet, bool offload, const struct endpoint *from,
                 const struct endpoint *to, const uint8_t *payload, size_t len)
{
    size_t total = UDP_HEADER + len;
    size_t ip = header_put(head, &from->addr, &to->addr, IPPROTO_UDP, total, digest(payload, len));
    uint8_t *udp = head + ip;
    struct writer w = writer_over(udp, UDP_HEADER);
    writer_u16(&w, from->port);
    writer_u16(&w, to->port);
    writer_u16(&w, (uint16_t)total);
    writer_u16(&w, 0); // checksum
    *vnet = (struct virtio_net_hdr){0};
    uint64_t sum = checksum_pseudo(&from->addr, &to->addr, IPPROTO_UDP, (uint32_t)total);
    if (offload) {
        vnet->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        vnet->hdr_len = (uint16_t)(ip + UDP_HEADER);
        vnet->csum_start = (uint16_t)ip;
        vnet->csum_offset = UDP_CHECKSUM_AT;
        checksum_put(udp + UDP_CHECKSUM_AT, (uint16_t)~checksum_fold(sum));
    } else {
        uint16_t check = checksum_fold(checksum_add(checksum_add(sum, udp, UDP_HEADER), payload, len));
        checksum_put(udp + UDP_CHECKSUM_AT, check == 0 ? 0xffff : check); // RFC 768: zero means none
    }
    return ip + UDP_HEADER;
}

size_t craft_echo_reply(uint8_t head[CRAFT_HEAD_SIZE], const struct address *from, const struct address *to,
                        uint16_t identifier, uint16_t sequence, const uint8_t *payload, size_t len)
{
    bool v4 = from->version == 4;
    size_t total = ICMP_HEADER + len;
    size_t ip = header_put(head, from, to, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, total, digest(payload, len));
    struct writer w = writer_over(head + ip, ICMP_HEADER);
    writer_u8(&w, v4 ? TYPE_ECHO_REPLY_V4 : TYPE_ECHO_REPLY_V6);
    writer_u8(&w, 0);  // code
    writer_u16(&w, 0); // checksum
    writer_u16(&w, identifier);
    writer_u16(&w, sequence);
    seal_icmp(head + ip, ICMP_HEADER, checksum_add(0, payload, len), from, to, total);
    return ip + ICMP_HEADER;
}
