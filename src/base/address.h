// SPDX-License-Identifier: GPL-2.0-or-later
// IPv4 and IPv6 addresses, endpoints (address and port) and prefixes, as plain values in network byte order.
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

// `bytes` holds 4 significant bytes for version 4 and 16 for version 6; unused bytes are zero, so that two equal
// addresses are equal in memory. version 0 is "no address".
struct address {
    uint8_t version;
    uint8_t bytes[16];
};

struct endpoint {
    struct address addr;
    uint16_t port; // host byte order
};

struct prefix {
    struct address addr; // host bits are zero
    uint8_t len;         // 0..32 or 0..128
};

// Longest text of each, with its NUL: "ffff:...:255.255.255.255", "[v6]:65535", "v6/128".
#define ADDRESS_TEXT_SIZE  46
#define ENDPOINT_TEXT_SIZE 54
#define PREFIX_TEXT_SIZE   50

struct address address_v4(const uint8_t bytes[4]);
struct address address_v6(const uint8_t bytes[16]);
bool address_equal(const struct address *a, const struct address *b);
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

// Strict forms only (inet_pton): "127.1" and "0x7f000001" are not addresses. False when `text` is none.
bool address_parse(struct address *out, const char *text);
// 1 to 65535, decimal.
bool address_port_parse(uint16_t *out, const char *text);
// "1.2.3.4:80" or "[fd00::1]:80".
bool endpoint_parse(struct endpoint *out, const char *text);
// "10.0.0.0/8"; a bare address is its own /32 or /128. False also when host bits are set.
bool prefix_parse(struct prefix *out, const char *text);
bool prefix_contains(const struct prefix *prefix, const struct address *addr);

// Each writes a NUL-terminated text into `room` (of the size above) and returns it.
const char *address_text(const struct address *addr, char room[ADDRESS_TEXT_SIZE]);
const char *endpoint_text(const struct endpoint *ep, char room[ENDPOINT_TEXT_SIZE]);
const char *prefix_text(const struct prefix *prefix, char room[PREFIX_TEXT_SIZE]);

// Kernel form. endpoint_to_sockaddr returns the length used; endpoint_from_sockaddr is false for other families.
socklen_t endpoint_to_sockaddr(const struct endpoint *ep, struct sockaddr_storage *out);
bool endpoint_from_sockaddr(struct endpoint *out, const struct sockaddr *sa);

// The IPv4 addresses that an IPv6 one may carry (mapped ::ffff:0:0/96, compatible ::/96, NAT64 64:ff9b::/96 and
// 64:ff9b:1::/48, 6to4 2002::/16, Teredo 2001::/32); returns how many. More than one, where the layout cannot be told
// from the address: then it may be each of them.
enum { ADDRESS_UNWRAP_MAX = 4 };
size_t address_unwrap_v4(const struct address *addr, struct address out[ADDRESS_UNWRAP_MAX]);

#endif
