// SPDX-License-Identifier: GPL-2.0-or-later
// RFC 792 and RFC 4443 section 3.2. Of the packet that is quoted no more is there for certain than its headers and eight
// bytes, so its lengths mean nothing here.
#include "packet/too_big.h"

#include "base/cursor.h"

#include <netinet/in.h>

enum {
    UNREACHABLE_V4 = 3, // its code 4: needs to be cut, and may not
    NEEDS_CUTTING = 4,
    TOO_BIG_V6 = 2,
    ECHO_REPLY_V4 = 0,
    ECHO_REPLY_V6 = 129,
    OFFSET_MASK_V4 = 0x1fff,
};

// The headers of the quoted packet up to its upper layer's; false for a fragment that has not got that.
static bool skip_v4(struct too_big *out, struct reader *r)
{
    uint8_t version_ihl = reader_u8(r);
    reader_bytes(r, 5); // type of service, length, id
    uint16_t fragment = reader_u16(r);
    reader_u8(r); // TTL
    out->protocol = reader_u8(r);
    reader_u16(r); // checksum
    const uint8_t *src = reader_bytes(r, 4), *dst = reader_bytes(r, 4);
    size_t words = version_ihl & 0x0f;
    if (version_ihl >> 4 != 4 || words < 5 || (fragment & OFFSET_MASK_V4))
        return false;
    reader_bytes(r, (words - 5) * 4); // options
    if (r->failed)
        return false;
    out->outside.addr = address_v4(src);
    out->inside.addr = address_v4(dst);
    return true;
}

// We send no extension headers but that of fragments.
static bool skip_v6(struct too_big *out, struct reader *r)
{
    uint32_t version_class = reader_u32(r);
    reader_u16(r); // payload length
    out->protocol = reader_u8(r);
    reader_u8(r); // hop limit
    const uint8_t *src = reader_bytes(r, 16), *dst = reader_bytes(r, 16);
    uint16_t offset = 0;
    if (out->protocol == IPPROTO_FRAGMENT) {
        out->protocol = reader_u8(r);
        reader_u8(r); // reserved
        offset = reader_u16(r) & 0xfff8;
        reader_u32(r); // id
    }
    if (version_class >> 28 != 6 || r->failed || offset)
        return false;
    out->outside.addr = address_v6(src);
    out->inside.addr = address_v6(dst);
    return true;
}

static bool read_ports(struct too_big *out, struct reader *r)
{
    out->outside.port = reader_u16(r);
    out->inside.port = reader_u16(r);
    out->seq = reader_u32(r);
    return !r->failed;
}

static bool read_echo(struct too_big *out, struct reader *r, uint8_t reply)
{
    uint8_t type = reader_u8(r);
    reader_bytes(r, 3); // code, checksum
    out->inside.port = reader_u16(r);
    return type == reply && !r->failed;
}

static bool read_upper(struct too_big *out, struct reader *r, bool v4)
{
    if (out->protocol == IPPROTO_TCP || out->protocol == IPPROTO_UDP)
        return read_ports(out, r);
    return out->protocol == (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) &&
           read_echo(out, r, v4 ? ECHO_REPLY_V4 : ECHO_REPLY_V6);
}

bool too_big_parse(struct too_big *out, const struct packet_view *view)
{
    bool v4 = view->src.version == 4;
    uint32_t least = v4 ? MTU_LEAST_V4 : MTU_LEAST_V6;
    struct reader r = reader_over(view->upper, view->upper_len);
    *out = (struct too_big){0};
    uint8_t type = reader_u8(&r), code = reader_u8(&r);
    reader_u16(&r); // checksum
    uint32_t mtu = reader_u32(&r);
    if (view->protocol != (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) || r.failed)
        return false;
    if (v4 ? type != UNREACHABLE_V4 || code != NEEDS_CUTTING : type != TOO_BIG_V6)
        return false;
    if (v4)
        mtu &= 0xffff; // the upper half is unused, or was so once
    out->mtu = mtu < least ? least : mtu;
    return (v4 ? skip_v4(out, &r) : skip_v6(out, &r)) && read_upper(out, &r, v4);
}
