// SPDX-License-Identifier: GPL-2.0-or-later
// Text both ways, prefixes, and what IPv6 addresses carry. Bits of a prefix are counted from the first byte's highest.
#include "base/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct address address_v4(const uint8_t bytes[4])
{
    struct address addr = {.version = 4};
    memcpy(addr.bytes, bytes, 4);
    return addr;
}

struct address address_v6(const uint8_t bytes[16])
{
    struct address addr = {.version = 6};
    memcpy(addr.bytes, bytes, 16);
    return addr;
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->version == b->version && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && address_equal(&a->addr, &b->addr);
}

bool address_parse(struct address *out, const char *text)
{
    uint8_t bytes[16];
    if (inet_pton(AF_INET, text, bytes) == 1) {
        *out = address_v4(bytes);
        return true;
    }
    if (inet_pton(AF_INET6, text, bytes) == 1) {
        *out = address_v6(bytes);
        return true;
    }
    return false;
}

// Decimal digits only, no sign, no leading blank: strtoul alone would take both.
static bool parse_number(unsigned *out, const char *text, unsigned max)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return false;
    *out = (unsigned)strtoul(text, NULL, 10);
    return *out <= max;
}

bool address_port_parse(uint16_t *out, const char *text)
{
    unsigned port;
    if (!parse_number(&port, text, UINT16_MAX) || port == 0)
        return false;
    *out = (uint16_t)port;
    return true;
}

// Copies [from, to) into `room`; false when it does not fit.
static bool cut(char *room, size_t size, const char *from, const char *to)
{
    size_t len = (size_t)(to - from);
    if (len >= size)
        return false;
    memcpy(room, from, len);
    room[len] = '\0';
    return true;
}

bool endpoint_parse(struct endpoint *out, const char *text)
{
    char host[ADDRESS_TEXT_SIZE];
    unsigned port;
    bool bracketed = text[0] == '[';
    const char *end = bracketed ? strstr(text, "]:") : strrchr(text, ':');
    if (!end || !cut(host, sizeof host, text + bracketed, end) ||
        !parse_number(&port, end + (bracketed ? 2 : 1), UINT16_MAX) || !address_parse(&out->addr, host))
        return false;
    out->port = (uint16_t)port;
    return out->addr.version == (bracketed ? 6 : 4);
}

static unsigned address_bits(const struct address *addr)
{
    return addr->version == 4 ? 32 : 128;
}

// Whether `a` and `b` agree in their first `len` bits.
static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned len)
{
    unsigned rest = len % 8;
    if (memcmp(a, b, len / 8) != 0)
        return false;
    return rest == 0 || (a[len / 8] ^ b[len / 8]) >> (8 - rest) == 0;
}

static bool host_bits_are_zero(const struct address *addr, unsigned len)
{
    for (unsigned bit = len; bit < address_bits(addr); bit++) {
        if (addr->bytes[bit / 8] & (0x80 >> bit % 8))
            return false;
    }
    return true;
}

bool prefix_parse(struct prefix *out, const char *text)
{
    char host[ADDRESS_TEXT_SIZE];
    const char *slash = strchr(text, '/');
    if (!slash) {
        if (!address_parse(&out->addr, text))
            return false;
        out->len = (uint8_t)address_bits(&out->addr);
        return true;
    }
    unsigned len;
    if (!cut(host, sizeof host, text, slash) || !address_parse(&out->addr, host) ||
        !parse_number(&len, slash + 1, address_bits(&out->addr)))
        return false;
    out->len = (uint8_t)len;
    return host_bits_are_zero(&out->addr, len);
}

bool prefix_contains(const struct prefix *prefix, const struct address *addr)
{
    return prefix->addr.version == addr->version && same_bits(prefix->addr.bytes, addr->bytes, prefix->len);
}

const char *address_text(const struct address *addr, char room[ADDRESS_TEXT_SIZE])
{
    if (addr->version == 0)
        snprintf(room, ADDRESS_TEXT_SIZE, "none");
    else
        inet_ntop(addr->version == 4 ? AF_INET : AF_INET6, addr->bytes, room, ADDRESS_TEXT_SIZE);
    return room;
}

const char *endpoint_text(const struct endpoint *ep, char room[ENDPOINT_TEXT_SIZE])
{
    char host[ADDRESS_TEXT_SIZE];
    snprintf(room, ENDPOINT_TEXT_SIZE, ep->addr.version == 6 ? "[%s]:%u" : "%s:%u", address_text(&ep->addr, host),
             ep->port);
    return room;
}

const char *prefix_text(const struct prefix *prefix, char room[PREFIX_TEXT_SIZE])
{
    char host[ADDRESS_TEXT_SIZE];
    snprintf(room, PREFIX_TEXT_SIZE, "%s/%u", address_text(&prefix->addr, host), prefix->len);
    return room;
}

socklen_t endpoint_to_sockaddr(const struct endpoint *ep, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (ep->addr.version == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)out;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(ep->port);
        memcpy(&v4->sin_addr, ep->addr.bytes, 4);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(ep->port);
    memcpy(&v6->sin6_addr, ep->addr.bytes, 16);
    return sizeof *v6;
}

bool endpoint_from_sockaddr(struct endpoint *out, const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;
        *out = (struct endpoint){address_v4((const uint8_t *)&v4->sin_addr), ntohs(v4->sin_port)};
        return true;
    }
    if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;
        *out = (struct endpoint){address_v6((const uint8_t *)&v6->sin6_addr), ntohs(v6->sin6_port)};
        return true;
    }
    return false;
}

// Where each transition mechanism keeps the IPv4 address. The translator's own prefix of RFC 8215 leaves its length to
// the operator, so each layout of RFC 6052 section 2.2 is tried there; what must be zero in one tells most of them apart.
static const struct embedding {
    uint8_t prefix[16];
    uint8_t len;
    uint8_t at[4];  // its bytes
    uint8_t suffix; // from this byte on all is zero; 16: nothing is behind
    bool inverted;  // all bits are flipped
    bool guessed;   // one of several layouts: 0.0.0.0/8, which no translator sends to, means that it is not this one
} EMBEDDINGS[] = {
    {{[10] = 0xff, [11] = 0xff}, 96, {12, 13, 14, 15}, 16, false, false},          // ::ffff:0:0/96 mapped (RFC 4291)
    {{0}, 96, {12, 13, 14, 15}, 16, false, false},                                 // ::/96 compatible (RFC 4291)
    {{0x00, 0x64, 0xff, 0x9b}, 96, {12, 13, 14, 15}, 16, false, false},            // 64:ff9b::/96 NAT64 (RFC 6052)
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, {12, 13, 14, 15}, 16, false, true}, // 64:ff9b:1::/48 (RFC 8215), by /96
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, {9, 10, 11, 12}, 13, false, true},  // by /64
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, {7, 9, 10, 11}, 12, false, true},   // by /56
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, {6, 7, 9, 10}, 11, false, true},    // by /48
    {{0x20, 0x02}, 16, {2, 3, 4, 5}, 16, false, false},                            // 2002::/16 6to4 (RFC 3056)
    {{0x20, 0x01, 0x00, 0x00}, 32, {12, 13, 14, 15}, 16, true, false}, // 2001::/32 Teredo (RFC 4380 section 4)
};

static bool unwrap(const struct embedding *e, const uint8_t v6[16], uint8_t v4[4])
{
    static const uint8_t zeros[16];
    if (!same_bits(v6, e->prefix, e->len) || memcmp(v6 + e->suffix, zeros, 16u - e->suffix) != 0)
        return false;
    for (int i = 0; i < 4; i++)
        v4[i] = v6[e->at[i]] ^ (e->inverted ? 0xff : 0);
    return !e->guessed || v4[0] != 0;
}

size_t address_unwrap_v4(const struct address *addr, struct address out[ADDRESS_UNWRAP_MAX])
{
    size_t count = 0;
    uint8_t v4[4];
    if (addr->version != 6)
        return 0;
    for (size_t i = 0; i < sizeof EMBEDDINGS / sizeof *EMBEDDINGS; i++)
        if (unwrap(&EMBEDDINGS[i], addr->bytes, v4))
            out[count++] = address_v4(v4);
    return count;
}
