// SPDX-License-Identifier: GPL-2.0-or-later
// FIPS 180-4 section 6.1, RFC 2104, RFC 8018 section 5.2. HMAC's two states behind the padded key are made once, so a round
// is two blocks.
#include "link/tls/sha1.h"

#include <string.h>

enum { BLOCK = 64, DIGEST = 20 };

struct sha1 {
    uint32_t h[5];
    uint64_t len;
    uint8_t block[BLOCK];
};

static uint32_t rotate(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static void compress(struct sha1 *sha)
{
    uint32_t w[80], a = sha->h[0], b = sha->h[1], c = sha->h[2], d = sha->h[3], e = sha->h[4];
    for (size_t t = 0; t < 16; t++)
        w[t] = (uint32_t)sha->block[4 * t] << 24 | (uint32_t)sha->block[4 * t + 1] << 16 |
               (uint32_t)sha->block[4 * t + 2] << 8 | sha->block[4 * t + 3];
    for (size_t t = 16; t < 80; t++)
        w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
#define ROUNDS(from, f, k)                                                                                             \
    for (size_t t = (from); t < (from) + 20; t++) {                                                                    \
        uint32_t next = rotate(a, 5) + (f) + e + (k) + w[t];                                                           \
        e = d, d = c, c = rotate(b, 30), b = a, a = next;                                                              \
    }
    ROUNDS(0, (b & c) | (~b & d), 0x5a827999)
    ROUNDS(20, b ^ c ^ d, 0x6ed9eba1)
    ROUNDS(40, (b & c) | (b & d) | (c & d), 0x8f1bbcdc)
    ROUNDS(60, b ^ c ^ d, 0xca62c1d6)
#undef ROUNDS
    sha->h[0] += a, sha->h[1] += b, sha->h[2] += c, sha->h[3] += d, sha->h[4] += e;
    explicit_bzero(w, sizeof w);
}

static void start(struct sha1 *sha)
{
    *sha = (struct sha1){.h = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
}

static void add(struct sha1 *sha, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        size_t at = sha->len % BLOCK, part = len < BLOCK - at ? len : BLOCK - at;
        memcpy(sha->block + at, bytes, part);
        bytes += part;
        len -= part;
        sha->len += part;
        if (sha->len % BLOCK == 0)
            compress(sha);
    }
}

static void end(struct sha1 *sha, uint8_t digest[DIGEST])
{
    static const uint8_t mark[BLOCK] = {0x80};
    uint8_t bits[8];
    for (size_t i = 0; i < sizeof bits; i++)
        bits[i] = (uint8_t)(sha->len * 8 >> (56 - 8 * i));
    add(sha, mark, 1 + (2 * BLOCK - 9 - sha->len % BLOCK) % BLOCK);
    add(sha, bits, sizeof bits);
    for (size_t i = 0; i < DIGEST; i++)
        digest[i] = (uint8_t)(sha->h[i / 4] >> (24 - 8 * (i % 4)));
}

struct hmac {
    struct sha1 inner, outer; // behind the padded key
};

static void start_hmac(struct hmac *hmac, const struct span *key)
{
    uint8_t pad[BLOCK] = {0};
    start(&hmac->inner);
    start(&hmac->outer);
    if (key->len > BLOCK) {
        struct sha1 sha;
        start(&sha);
        add(&sha, key->bytes, key->len);
        end(&sha, pad);
        explicit_bzero(&sha, sizeof sha);
    } else if (key->len) {
        memcpy(pad, key->bytes, key->len);
    }
    for (size_t i = 0; i < BLOCK; i++)
        pad[i] ^= 0x36;
    add(&hmac->inner, pad, BLOCK);
    for (size_t i = 0; i < BLOCK; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    add(&hmac->outer, pad, BLOCK);
    explicit_bzero(pad, sizeof pad);
}

// Of one text behind another; `digest` may be the text.
static void make_hmac(const struct hmac *hmac, const struct span *a, const struct span *b, uint8_t digest[DIGEST])
{
    struct sha1 sha = hmac->inner;
    add(&sha, a->bytes, a->len);
    add(&sha, b->bytes, b->len);
    end(&sha, digest);
    sha = hmac->outer;
    add(&sha, digest, DIGEST);
    end(&sha, digest);
    explicit_bzero(&sha, sizeof sha);
}

void sha1_pbkdf2(uint8_t *out, size_t len, const struct span *passphrase, const struct span *salt, uint32_t rounds)
{
    struct hmac hmac;
    uint8_t number[4], u[DIGEST], t[DIGEST];
    const struct span last = {u, DIGEST}, index = {number, sizeof number}, nothing = {NULL, 0};
    start_hmac(&hmac, passphrase);
    for (uint32_t block = 1; len > 0; block++) {
        for (size_t i = 0; i < sizeof number; i++)
            number[i] = (uint8_t)(block >> (24 - 8 * i));
        make_hmac(&hmac, salt, &index, u);
        memcpy(t, u, DIGEST);
        for (uint32_t round = 1; round < rounds; round++) {
            make_hmac(&hmac, &last, &nothing, u);
            for (size_t i = 0; i < DIGEST; i++)
                t[i] ^= u[i];
        }
        size_t part = len < DIGEST ? len : DIGEST;
        memcpy(out, t, part);
        out += part;
        len -= part;
    }
    explicit_bzero(&hmac, sizeof hmac);
    explicit_bzero(u, sizeof u);
    explicit_bzero(t, sizeof t);
}
