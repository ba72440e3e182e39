// SPDX-License-Identifier: GPL-2.0-or-later
// The head of a certificate revocation list (RFC 5280 section 5.1), read before the TLS library may see it: some
// versions of its parser trust the length of the CRL number.
#ifndef LINK_TLS_REVOCATION_H
#define LINK_TLS_REVOCATION_H

#include "link/tls/der.h"

struct revocation_list {
    struct span issuer;
    usec_t this_update; // Unix time
    usec_t next_update; // USEC_NEVER when the list does not say
    struct span number; // its content, of a DER INTEGER; empty without
};

// False when the list is malformed or its number is longer than the 20 octets of RFC 5280 section 5.2.3.
bool revocation_list_parse(struct revocation_list *out, const uint8_t *der, size_t len);

#endif
