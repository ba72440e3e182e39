// SPDX-License-Identifier: GPL-2.0-or-later
// PBKDF2 with HMAC-SHA-1 (RFC 8018), for keys that were encrypted when this was the default. The TLS library is built
// without SHA-1 so that nobody's signature can be made with it; here a collision would gain nobody anything.
#ifndef LINK_TLS_SHA1_H
#define LINK_TLS_SHA1_H

#include "link/tls/der.h"

void sha1_pbkdf2(uint8_t *out, size_t len, const struct span *passphrase, const struct span *salt, uint32_t rounds);

#endif
