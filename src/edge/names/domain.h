// SPDX-License-Identifier: GPL-2.0-or-later
// A domain whose names are found behind the tunnel.
#ifndef EDGE_NAMES_DOMAIN_H
#define EDGE_NAMES_DOMAIN_H

#include <stdbool.h>

enum { NAMES_DOMAIN_SIZE = 254 }; // with its NUL: 253 bytes of text are 255 on the wire (RFC 1035 section 2.3.4)

struct names_domain {
    char name[NAMES_DOMAIN_SIZE]; // lower case, no dot at the end; "": every name
    bool search;                  // also completes short names; else it only says where questions go
};

// Whether `name` is the domain or lies in it; as packet/dns.h writes names.
bool names_domain_holds(const struct names_domain *domain, const char *name);

#endif
