// SPDX-License-Identifier: GPL-2.0-or-later
// A PROXY header that names nobody is refused rather than taken for the balancer's own: all limits go by who it names.
#include "gate/channel/forwarded.h"

#include "base/cursor.h"

#include <string.h>

enum {
    VERSION_2 = 0x20,
    LOCAL = 0,
    PROXY = 1,
    TCP_OVER_V4 = 0x11,
    TCP_OVER_V6 = 0x21,
    ADDRESSES_V4 = 2 * (4 + 2), // source, destination; ports behind both
    ADDRESSES_V6 = 2 * (16 + 2),
};

static const uint8_t SIGNATURE[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
static const uint8_t OLD[6] = {'P', 'R', 'O', 'X', 'Y', ' '};

static bool starts(const uint8_t *bytes, size_t len, const uint8_t *with, size_t size)
{
    return !memcmp(bytes, with, len < size ? len : size);
}

bool forwarded_begins(const uint8_t *bytes, size_t len)
{
    return (len >= sizeof SIGNATURE && starts(bytes, len, SIGNATURE, sizeof SIGNATURE)) ||
           (len >= sizeof OLD && starts(bytes, len, OLD, sizeof OLD));
}

// A balancer that listens for both versions on one socket writes IPv4 addresses as IPv6 ones.
static struct address plain(const struct address *addr)
{
    static const uint8_t mapped[12] = {[10] = 0xff, 0xff};
    return addr->version == 6 && !memcmp(addr->bytes, mapped, sizeof mapped) ? address_v4(addr->bytes + 12) : *addr;
}

static bool is_somebody(const struct endpoint *peer)
{
    static const uint8_t nobody[16];
    return peer->port && memcmp(peer->addr.bytes, nobody, sizeof nobody);
}

static enum forwarded read_peer(uint8_t family, const uint8_t *bytes, size_t len, struct endpoint *out)
{
    bool v4 = family == TCP_OVER_V4;
    struct reader r = reader_over(bytes, len);
    if (!v4 && family != TCP_OVER_V6)
        return FORWARDED_NO_ADDRESS;
    if (len < (v4 ? ADDRESSES_V4 : ADDRESSES_V6))
        return FORWARDED_SHORT;
    const uint8_t *source = reader_bytes(&r, v4 ? 4 : 16);
    reader_bytes(&r, v4 ? 4 : 16);
    struct address addr = v4 ? address_v4(source) : address_v6(source);
    *out = (struct endpoint){.addr = plain(&addr), .port = reader_u16(&r)};
    return is_somebody(out) ? FORWARDED_PEER : FORWARDED_NO_ADDRESS;
}

enum forwarded forwarded_read(const uint8_t *bytes, size_t len, struct forwarded_header *out)
{
    out->size = FORWARDED_FIRST;
    bool is_old = starts(bytes, len, OLD, sizeof OLD);
    if (is_old && len >= sizeof OLD)
        return FORWARDED_OLD;
    if (!is_old && !starts(bytes, len, SIGNATURE, sizeof SIGNATURE))
        return FORWARDED_MISSING;
    if (len < FORWARDED_FIRST)
        return FORWARDED_PARTIAL;
    struct reader r = reader_over(bytes + sizeof SIGNATURE, len - sizeof SIGNATURE);
    uint8_t what = reader_u8(&r), family = reader_u8(&r);
    size_t rest = reader_u16(&r);
    out->size = FORWARDED_FIRST + rest;
    if (what != (VERSION_2 | LOCAL) && what != (VERSION_2 | PROXY))
        return FORWARDED_UNKNOWN;
    if (out->size > FORWARDED_MAX)
        return FORWARDED_LONG;
    if (len < out->size)
        return FORWARDED_PARTIAL;
    return what == (VERSION_2 | LOCAL) ? FORWARDED_OWN : read_peer(family, r.at, rest, &out->peer);
}

const char *forwarded_why(enum forwarded found)
{
    static const char *const why[FORWARDED_COUNT] = {
        [FORWARDED_MISSING] = "Balancers lists it, and it does not begin with a PROXY header",
        [FORWARDED_OLD] = "its PROXY header is of version 1: the balancer is to send version 2 (send-proxy-v2)",
        [FORWARDED_UNKNOWN] = "its PROXY header is of no version or command that is known",
        [FORWARDED_NO_ADDRESS] =
            "its PROXY header does not say by an IP address and a port of TCP whose connection it is",
        [FORWARDED_SHORT] = "its PROXY header is too short for its addresses",
        [FORWARDED_LONG] = "its PROXY header is longer than 2048 bytes",
        [FORWARDED_ENDED] = "it ended within its PROXY header",
        [FORWARDED_SLOW] = "its PROXY header did not come in time",
    };
    return why[found];
}
