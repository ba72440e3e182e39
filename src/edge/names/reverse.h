// SPDX-License-Identifier: GPL-2.0-or-later
// Names of addresses: "2.0.18.198.in-addr.arpa" (RFC 1035 section 3.5) and the nibbles below ip6.arpa (RFC 3596).
#ifndef EDGE_NAMES_REVERSE_H
#define EDGE_NAMES_REVERSE_H

#include "base/address.h"

// The address that a name stands for, which is written as packet/dns.h writes names; false when it is not the name of a whole
// address.
bool reverse_parse(struct address *out, const char *name);

#endif
