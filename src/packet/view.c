// SPDX-License-Identifier: GPL-2.0-or-later
// Reading IPv4 and IPv6 headers. Invariant: after packet_parse said yes, header_len + upper_len bytes from `ip` on lie
// inside the packet. The IPv4 header's own checksum is not looked at: the kernel that routed the packet to us did.
#include "packet/view.h"

#include "base/cursor.h"
#include "packet/packet.h"

#include <string.h>

enum {
    IPV4_HEADER = 20, // without options
    IPV6_HEADER = 40,
    IPV4_MORE_FRAGMENTS = 0x2000,
    IPV4_OFFSET_MASK = 0x1fff,

    // IPv6 extension headers (RFC 8200 section 4, RFC 4302, RFC 6275)
    HOP_BY_HOP = 0,
    ROUTING = 43,
    FRAGMENT = 44,
    AUTHENTICATION = 51,
    DESTINATION = 60,
    MOBILITY = 135,
    EXTENSIONS_MAX = 8, // RFC 8200 names seven that a packet may carry; more is an attack on parsers
};

static bool source_is_host(const struct address *src)
{
    static const struct address none4 = {.version = 4};
    static const struct address none6 = {.version = 6};
    static const struct address loopback6 = {.version = 6, .bytes = {[15] = 1}};
    if (src->version == 4) {
        static const uint8_t broadcast[4] = {255, 255, 255, 255};
        bool multicast = (src->bytes[0] & 0xf0) == 0xe0;
        return !multicast && src->bytes[0] != 127 && !address_equal(src, &none4) &&
               memcmp(src->bytes, broadcast, sizeof broadcast) != 0;
    }
    return src->bytes[0] != 0xff && !address_equal(src, &none6) && !address_equal(src, &loopback6);
}

static bool parse_v4(struct packet_view *out, const uint8_t *bytes, size_t len)
{
    struct reader r = reader_over(bytes, len);
    uint8_t version_ihl = reader_u8(&r);
    reader_u8(&r); // type of service
    uint16_t total = reader_u16(&r);
    uint16_t id = reader_u16(&r);
    uint16_t fragment = reader_u16(&r);
    out->ttl = reader_u8(&r);
    out->protocol = reader_u8(&r);
    reader_u16(&r); // header checksum
    const uint8_t *src = reader_bytes(&r, 4);
    const uint8_t *dst = reader_bytes(&r, 4);
    out->header_len = (uint16_t)((version_ihl & 0x0f) * 4);
    if (r.failed || out->header_len < IPV4_HEADER || total < out->header_len || total > len)
        return false;
    out->src = address_v4(src);
    out->dst = address_v4(dst);
    out->upper_len = (uint32_t)total - out->header_len;
    out->more_fragments = fragment & IPV4_MORE_FRAGMENTS;
    out->fragment_offset = (uint32_t)(fragment & IPV4_OFFSET_MASK) * 8;
    out->fragment_id = id;
    out->fragment = out->more_fragments || out->fragment_offset != 0;
    return true;
}

// A fragment header. An atomic fragment (RFC 6946) is a whole packet.
static void note_fragment(struct packet_view *out, struct reader *r)
{
    reader_u8(r); // reserved
    uint16_t offset = reader_u16(r);
    out->fragment_id = reader_u32(r);
    out->fragment_offset = offset & 0xfff8;
    out->more_fragments = offset & 1;
    out->fragment = out->more_fragments || out->fragment_offset != 0;
}

// Walks the extension headers; `r` ends up at the upper-layer header. False when they run past the end.
static bool skip_extensions(struct packet_view *out, struct reader *r)
{
    for (int seen = 0; seen < EXTENSIONS_MAX && !out->fragment; seen++) {
        uint8_t kind = out->protocol;
        if (kind != HOP_BY_HOP && kind != ROUTING && kind != FRAGMENT && kind != AUTHENTICATION &&
            kind != DESTINATION && kind != MOBILITY)
            return !r->failed;
        out->protocol = reader_u8(r);
        if (kind == FRAGMENT) {
            note_fragment(out, r);
            continue;
        }
        size_t units = reader_u8(r);
        size_t size = kind == AUTHENTICATION ? (units + 2) * 4 : (units + 1) * 8;
        if (!reader_bytes(r, size - 2))
            return false;
    }
    return out->fragment && !r->failed;
}

static bool parse_v6(struct packet_view *out, const uint8_t *bytes, size_t len)
{
    struct reader r = reader_over(bytes, len);
    reader_u32(&r); // version, traffic class, flow label
    size_t total = IPV6_HEADER + (size_t)reader_u16(&r);
    out->protocol = reader_u8(&r);
    out->ttl = reader_u8(&r);
    const uint8_t *src = reader_bytes(&r, 16);
    const uint8_t *dst = reader_bytes(&r, 16);
    if (r.failed || total > len)
        return false;
    out->src = address_v6(src);
    out->dst = address_v6(dst);
    r.end = bytes + total;
    if (!skip_extensions(out, &r))
        return false;
    out->header_len = (uint16_t)(r.at - bytes);
    out->upper_len = (uint32_t)(total - out->header_len);
    return true;
}

bool packet_parse(struct packet_view *out, const uint8_t *bytes, size_t len)
{
    memset(out, 0, sizeof *out);
    if (len == 0 || len > PACKET_SIZE)
        return false;
    out->ip = bytes;
    uint8_t version = bytes[0] >> 4;
    if (version != 4 && version != 6)
        return false;
    if (!(version == 4 ? parse_v4 : parse_v6)(out, bytes, len))
        return false;
    out->upper = (uint8_t *)bytes + out->header_len;
    return out->ttl != 0 && source_is_host(&out->src);
}
