// SPDX-License-Identifier: GPL-2.0-or-later
// The never-list. One table; a range may lie inside another (a metadata service inside link-local), and then the
// narrower one counts: allowing 169.254.0.0/16 does not open 169.254.169.254.
#include "exchange/policy/special.h"

#include <stddef.h>

#define V4(a, b, c, d, n)                                                                                              \
    {                                                                                                                  \
        .addr = {.version = 4, .bytes = {a, b, c, d}}, .len = n                                                        \
    }
// The first 6 bytes and the last 2 of a version 6 address; zeros between.
#define V6(a, b, c, d, e, f, y, z, n)                                                                                  \
    {                                                                                                                  \
        .addr = {.version = 6, .bytes = {a, b, c, d, e, f, [14] = y, [15] = z}}, .len = n                              \
    }

static const struct prefix ranges[] = {
    V4(0, 0, 0, 0, 8),                           // "this network" (RFC 791); Linux connects 0.0.0.0 to itself
    V4(127, 0, 0, 0, 8),                         // loopback (RFC 1122)
    V4(169, 254, 0, 0, 16),                      // link-local (RFC 3927)
    V4(169, 254, 169, 254, 32),                  // metadata: AWS, Azure, Google, OpenStack and others
    V4(169, 254, 170, 2, 32),                    // metadata: AWS container credentials
    V4(169, 254, 170, 23, 32),                   // metadata: AWS pod identity
    V4(192, 0, 0, 0, 24),                        // IETF protocol assignments (RFC 6890)
    V4(192, 0, 0, 192, 32),                      // metadata: Oracle
    V4(100, 100, 100, 200, 32),                  // metadata: Alibaba
    V4(168, 63, 129, 16, 32),                    // Azure's host services
    V4(224, 0, 0, 0, 4),                         // multicast (RFC 5771)
    V4(240, 0, 0, 0, 4),                         // reserved (RFC 1112), with the broadcast address
    V6(0, 0, 0, 0, 0, 0, 0, 0, 128),             // unspecified (RFC 4291); Linux connects it to itself
    V6(0, 0, 0, 0, 0, 0, 0, 1, 128),             // loopback
    V6(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 10),        // link-local
    V6(0xfe, 0xc0, 0, 0, 0, 0, 0, 0, 10),        // site-local, long deprecated (RFC 3879)
    V6(0xff, 0, 0, 0, 0, 0, 0, 0, 8),            // multicast
    V6(0xfd, 0, 0x0e, 0xc2, 0, 0, 2, 0x54, 128), // metadata: AWS, fd00:ec2::254
    V6(0xfd, 0x20, 0, 0xce, 0, 0, 2, 0x54, 128), // metadata: Google, fd20:ce::254
};

bool prefix_is_inside(const struct prefix *inner, const struct prefix *outer)
{
    return inner->len >= outer->len && prefix_contains(outer, &inner->addr);
}

const struct prefix *special_range(const struct address *addr)
{
    const struct prefix *narrowest = NULL;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (prefix_contains(&ranges[i], addr) && (!narrowest || ranges[i].len > narrowest->len))
            narrowest = &ranges[i];
    return narrowest;
}

bool special_is_loopback(const struct address *addr)
{
    static const struct prefix v4 = V4(127, 0, 0, 0, 8);
    static const struct prefix v6 = V6(0, 0, 0, 0, 0, 0, 0, 1, 128);
    return prefix_contains(&v4, addr) || prefix_contains(&v6, addr);
}
