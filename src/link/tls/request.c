// SPDX-License-Identifier: GPL-2.0-or-later
// Our own requests have one form, so they are read as that form and nothing else: what a request could ask for beside its key
// (names, extensions) is not there to be heeded by mistake.
#include "link/tls/request.h"

#include "base/memory.h"
#include "link/tls/certificate.h"
#include "link/tls/material.h"
#include "link/tls/sha256.h"

#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>

enum {
    SCALAR = 32, // bytes of a coordinate
    POINT = 1 + 2 * SCALAR,
    KEY_ROOM = 256, // bytes: a key takes 121
    SIGNATURE_MAX = 72,
};

// SubjectPublicKeyInfo of a point on P-256, up to the point itself (RFC 5480).
static const uint8_t key_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
                                   0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
// CertificationRequestInfo around it: version 1, no subject, no attributes.
static const uint8_t body_head[] = {0x30, 0x62, 0x02, 0x01, 0x00, 0x30, 0x00};
static const uint8_t body_tail[] = {0xa0, 0x00};
static const uint8_t ecdsa_sha256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};

enum { BODY = sizeof body_head + sizeof key_head + POINT + sizeof body_tail };
_Static_assert(BODY == 0x62 + 2 && sizeof key_head + POINT == 0x59 + 2, "lengths as they are written");

// A key, and the randomness that goes with it.
struct signer {
    ecc_key key;
    WC_RNG rng;
};

static bool begin(struct signer *signer, struct fault *fault)
{
    if (wc_InitRng(&signer->rng) != 0)
        return fault_set(fault, "there is no randomness for a key");
    if (wc_ecc_init(&signer->key) == 0 && wc_ecc_set_rng(&signer->key, &signer->rng) == 0)
        return true;
    wc_FreeRng(&signer->rng);
    return fault_set(fault, "out of memory for a key");
}

static void end(struct signer *signer)
{
    wc_ecc_free(&signer->key);
    wc_FreeRng(&signer->rng);
}

bool tls_key_make(struct blob *key, struct fault *fault)
{
    struct signer signer;
    *key = (struct blob){0};
    if (!begin(&signer, fault))
        return false;
    key->bytes = memory_new(KEY_ROOM);
    int len = wc_ecc_make_key_ex(&signer.rng, SCALAR, &signer.key, ECC_SECP256R1) == 0
                  ? wc_EccKeyToDer(&signer.key, key->bytes, KEY_ROOM)
                  : 0;
    end(&signer);
    key->len = len > 0 ? (size_t)len : 0;
    return key->len || fault_set(fault, "no key could be made");
}

// `signer` has begun.
static bool load(struct signer *signer, const struct blob *key, struct fault *fault)
{
    struct blob der;
    word32 at = 0;
    if (!material_key(&der, "Key", key->bytes, key->len, fault))
        return false;
    bool good = wc_EccPrivateKeyDecode(der.bytes, &at, &signer->key, (word32)der.len) == 0 &&
                wc_ecc_get_curve_id(signer->key.idx) == ECC_SECP256R1 &&
                (signer->key.type != ECC_PRIVATEKEY_ONLY || wc_ecc_make_pub(&signer->key, NULL) == 0);
    blob_wipe(&der);
    return good || fault_set(fault, "Key: is not on P-256, which alone can ask for a certificate");
}

static size_t sign(struct signer *signer, uint8_t room[SIGNATURE_MAX], const struct span *statement)
{
    uint8_t digest[SHA256_SIZE];
    word32 len = SIGNATURE_MAX;
    tls_sha256(digest, statement->bytes, statement->len);
    return wc_ecc_sign_hash(digest, sizeof digest, room, &len, &signer->rng, &signer->key) == 0 ? len : 0;
}

static void put(struct blob *out, const void *bytes, size_t len)
{
    memcpy(out->bytes + out->len, bytes, len);
    out->len += len;
}

// Everything behind the outermost length is shorter than 256 bytes, and longer than 127.
static bool write_request(struct blob *out, struct signer *signer, struct fault *fault)
{
    uint8_t point[POINT], signature[SIGNATURE_MAX];
    word32 point_len = sizeof point;
    enum { HEAD = 3 };
    out->len = HEAD;
    put(out, body_head, sizeof body_head);
    put(out, key_head, sizeof key_head);
    if (wc_ecc_export_x963(&signer->key, point, &point_len) != 0 || point_len != POINT)
        return fault_set(fault, "Key: has no public half");
    put(out, point, sizeof point);
    put(out, body_tail, sizeof body_tail);
    size_t len = sign(signer, signature, &(struct span){out->bytes + HEAD, BODY});
    if (!len)
        return fault_set(fault, "Key: cannot sign");
    put(out, ecdsa_sha256, sizeof ecdsa_sha256);
    put(out, (uint8_t[]){DER_BIT_STRING, (uint8_t)(len + 1), 0}, 3);
    put(out, signature, len);
    memcpy(out->bytes, (uint8_t[]){DER_SEQUENCE, 0x81, (uint8_t)(out->len - HEAD)}, HEAD);
    return true;
}

bool tls_request_make(struct blob *request, const struct blob *key, struct fault *fault)
{
    struct signer signer;
    *request = (struct blob){0};
    if (!begin(&signer, fault))
        return false;
    request->bytes = memory_new(REQUEST_MAX);
    bool good = load(&signer, key, fault) && write_request(request, &signer, fault);
    end(&signer);
    if (!good)
        blob_wipe(request);
    return good;
}

bool tls_statement_sign(struct blob *signature, const struct blob *key, const struct span *statement,
                        struct fault *fault)
{
    struct signer signer;
    *signature = (struct blob){0};
    if (!begin(&signer, fault))
        return false;
    signature->bytes = memory_new(SIGNATURE_MAX + 1);
    if (load(&signer, key, fault)) {
        signature->len = sign(&signer, signature->bytes, statement);
        if (!signature->len)
            fault_set(fault, "Key: cannot sign");
    }
    end(&signer);
    if (signature->len)
        return true;
    blob_wipe(signature);
    return false;
}

// `key` is a SubjectPublicKeyInfo.
static bool is_signed(const struct span *key, const struct span *statement, const struct span *signature)
{
    uint8_t digest[SHA256_SIZE];
    struct ecc_key public;
    int verified = 0;
    if (key->len != sizeof key_head + POINT || memcmp(key->bytes, key_head, sizeof key_head) ||
        wc_ecc_init(&public) != 0)
        return false;
    tls_sha256(digest, statement->bytes, statement->len);
    bool good =
        signature->len <= SIGNATURE_MAX &&
        wc_ecc_import_x963_ex(key->bytes + sizeof key_head, POINT, &public, ECC_SECP256R1) == 0 &&
        wc_ecc_check_key(&public) == 0 &&
        wc_ecc_verify_hash(signature->bytes, (word32)signature->len, digest, sizeof digest, &verified, &public) == 0 &&
        verified == 1;
    wc_ecc_free(&public);
    return good;
}

bool tls_statement_check(const struct span *certificate, const struct span *statement, const struct span *signature,
                         struct fault *fault)
{
    struct certificate parsed;
    return (certificate_parse(&parsed, certificate->bytes, certificate->len) &&
            is_signed(&parsed.key, statement, signature)) ||
           fault_set(fault, "it is not signed by the key of that certificate");
}

bool tls_request_check(const struct span *request, struct span *public_key, struct fault *fault)
{
    struct span in = *request;
    struct der_element outer, body, algorithm, bits;
    bool good = der_take(&in, DER_SEQUENCE, &outer) && in.len == 0 && der_take(&outer.content, DER_SEQUENCE, &body) &&
                der_take(&outer.content, DER_SEQUENCE, &algorithm) && der_take(&outer.content, DER_BIT_STRING, &bits) &&
                outer.content.len == 0 && body.whole.len == BODY &&
                !memcmp(body.whole.bytes, body_head, sizeof body_head) &&
                !memcmp(body.whole.bytes + BODY - sizeof body_tail, body_tail, sizeof body_tail) &&
                span_is(&algorithm.whole, ecdsa_sha256, sizeof ecdsa_sha256) && bits.content.len > 1 &&
                bits.content.bytes[0] == 0;
    if (!good)
        return fault_set(fault, "the request for a certificate is none that usher-tun makes");
    struct span signature = {bits.content.bytes + 1, bits.content.len - 1};
    *public_key = (struct span){body.whole.bytes + sizeof body_head, sizeof key_head + POINT};
    return is_signed(public_key, &body.whole, &signature) ||
           fault_set(fault, "the request for a certificate is not signed by its own key");
}
