// SPDX-License-Identifier: GPL-2.0-or-later
// Reading and writing of echo messages. Raw sockets hand over whatever arrives, so lengths and the version 4 checksum are
// checked here (the kernel checks those of version 6); only errors that quote an echo request count.
#include "edge/dial/echo.h"

#include "base/checksum.h"
#include "base/cursor.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>

void echo_request_write(uint8_t header[ECHO_HEADER], uint8_t version, uint16_t id, uint16_t sequence,
                        const uint8_t *payload, size_t len)
{
    struct writer w = writer_over(header, ECHO_HEADER);
    writer_u8(&w, version == 6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO);
    writer_u8(&w, 0);
    writer_u16(&w, 0);
    writer_u16(&w, id);
    writer_u16(&w, sequence);
    if (version == 6)
        return;
    uint64_t sum = checksum_add(checksum_add(0, header, ECHO_HEADER), payload, len);
    checksum_put(header + 2, checksum_fold(sum));
}

struct message {
    uint8_t type;
    uint8_t code;
    uint16_t id;
    uint16_t sequence;
};

static struct message message_read(struct reader *r)
{
    struct message m;
    m.type = reader_u8(r);
    m.code = reader_u8(r);
    reader_u16(r); // checksum
    m.id = reader_u16(r);
    m.sequence = reader_u16(r);
    return m;
}

// Reads past an IPv4 header with its options; false when it is none.
static bool ip4_skip(struct reader *r, struct address *from, struct address *to)
{
    uint8_t first = reader_u8(r);
    size_t header = (first & 0x0fu) * 4;
    reader_bytes(r, 8); // up to the time to live
    uint8_t protocol = reader_u8(r);
    reader_u16(r); // checksum
    const uint8_t *ends = reader_bytes(r, 8);
    if (!ends || first >> 4 != 4 || header < sizeof(struct iphdr) || protocol != IPPROTO_ICMP)
        return false;
    *from = address_v4(ends);
    *to = address_v4(ends + 4);
    return reader_bytes(r, header - sizeof(struct iphdr));
}

// RFC 792 and RFC 1812 section 5.2.7.1; 0 for what says nothing certain.
static int unreachable4(uint8_t code)
{
    switch (code) {
    case ICMP_NET_UNREACH:
    case ICMP_NET_UNKNOWN:
        return ENETUNREACH;
    case ICMP_NET_ANO:
    case ICMP_HOST_ANO:
    case ICMP_PKT_FILTERED:
        return EACCES;
    case ICMP_FRAG_NEEDED:
        return 0;
    default:
        return EHOSTUNREACH;
    }
}

static int unreachable6(uint8_t code)
{
    switch (code) {
    case ICMP6_DST_UNREACH_NOROUTE:
        return ENETUNREACH;
    case ICMP6_DST_UNREACH_ADMIN:
        return EACCES;
    default:
        return EHOSTUNREACH;
    }
}

static void reply(struct echo_news *out, const struct address *from, const struct message *m, struct reader *r)
{
    *out = (struct echo_news){.from = *from, .id = m->id, .sequence = m->sequence, .len = reader_left(r)};
    out->bytes = reader_bytes(r, out->len);
}

bool echo4_read(struct echo_news *out, const uint8_t *packet, size_t len)
{
    struct reader r = reader_over(packet, len);
    struct address from, to;
    if (!ip4_skip(&r, &from, &to) || checksum_fold(checksum_add(0, r.at, reader_left(&r))))
        return false;
    struct message m = message_read(&r);
    if (m.type == ICMP_ECHOREPLY) {
        reply(out, &from, &m, &r);
        return !r.failed;
    }
    if (m.type != ICMP_DEST_UNREACH || !ip4_skip(&r, &from, &to))
        return false;
    struct message quoted = message_read(&r);
    *out = (struct echo_news){.error = unreachable4(m.code), .from = to, .id = quoted.id, .sequence = quoted.sequence};
    return !r.failed && quoted.type == ICMP_ECHO && out->error != 0;
}

// Extension headers before the quoted request are not followed: what we send has none.
static bool ip6_skip(struct reader *r, struct address *to)
{
    uint8_t first = reader_u8(r);
    reader_bytes(r, 5);
    uint8_t next = reader_u8(r);
    reader_bytes(r, 1 + 16); // hop limit, source
    const uint8_t *end = reader_bytes(r, 16);
    if (!end || first >> 4 != 6 || next != IPPROTO_ICMPV6)
        return false;
    *to = address_v6(end);
    return true;
}

bool echo6_read(struct echo_news *out, const struct address *from, const uint8_t *message, size_t len)
{
    struct reader r = reader_over(message, len);
    struct message m = message_read(&r);
    struct address to;
    if (m.type == ICMP6_ECHO_REPLY) {
        reply(out, from, &m, &r);
        return !r.failed;
    }
    if (m.type != ICMP6_DST_UNREACH || !ip6_skip(&r, &to))
        return false;
    struct message quoted = message_read(&r);
    *out = (struct echo_news){.error = unreachable6(m.code), .from = to, .id = quoted.id, .sequence = quoted.sequence};
    return !r.failed && quoted.type == ICMP6_ECHO_REQUEST;
}
