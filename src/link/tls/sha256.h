// SPDX-License-Identifier: GPL-2.0-or-later
// SHA-256 of a text, for whoever must answer a challenge with one.
#ifndef LINK_TLS_SHA256_H
#define LINK_TLS_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32 };

void tls_sha256(uint8_t digest[SHA256_SIZE], const void *bytes, size_t len);

#endif
