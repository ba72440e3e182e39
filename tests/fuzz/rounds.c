// SPDX-License-Identifier: GPL-2.0-or-later
// In the fast fuzzers a passphrase's key is derived in two rounds, however many a file asks for: the others do the same once more,
// and whoever finds that a file may ask for a million fuzzes nothing else from then on (linked with --wrap: Makefile).
#include "link/tls/sha1.h"

void __real_sha1_pbkdf2(uint8_t *out, size_t len, const struct span *passphrase, const struct span *salt,
                        uint32_t rounds);
void __wrap_sha1_pbkdf2(uint8_t *out, size_t len, const struct span *passphrase, const struct span *salt,
                        uint32_t rounds);

void __wrap_sha1_pbkdf2(uint8_t *out, size_t len, const struct span *passphrase, const struct span *salt,
                        uint32_t rounds)
{
    __real_sha1_pbkdf2(out, len, passphrase, salt, rounds < 2 ? rounds : 2);
}
