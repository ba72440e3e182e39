// SPDX-License-Identifier: GPL-2.0-or-later
// EncryptedPrivateKeyInfo (RFC 5958 section 3) by PBES2 (RFC 8018 section 6.2): PBKDF2 makes the key of AES-CBC. A wrong
// passphrase shows in the padding, or in what should be a PrivateKeyInfo and is none.
#include "link/tls/tls.h"

#include "base/memory.h"
#include "link/tls/der.h"
#include "link/tls/material.h"
#include "link/tls/sha1.h"

#include <string.h>

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/pwdbased.h>

enum {
    ROUNDS_MAX = 10 * 1000 * 1000, // of PBKDF2: some seconds, and sixteen times what is advised in 2023
    CIPHER_KEY_MAX = 32,
};

#define OID(name, ...) static const uint8_t name[] = {__VA_ARGS__}
OID(oid_pbes2, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d);
OID(oid_pbkdf2, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c);
OID(oid_hmac_sha1, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x07);
OID(oid_hmac_sha256, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09);
OID(oid_hmac_sha384, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x0a);
OID(oid_hmac_sha512, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x0b);
OID(oid_aes128_cbc, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x02);
OID(oid_aes256_cbc, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a);
#define OID_IS(oid, name) span_is(oid, name, sizeof(name))

struct lock {
    struct span salt, iv, data;
    uint32_t rounds;
    int hash; // of the library; WC_HASH_TYPE_SHA is ours
    size_t key_len;
};

static bool take_number(struct span *in, uint32_t *out)
{
    struct der_element number;
    if (!der_take(in, DER_INTEGER, &number) || !number.content.len || number.content.len > sizeof *out ||
        number.content.bytes[0] & 0x80)
        return false;
    *out = 0;
    for (size_t i = 0; i < number.content.len; i++)
        *out = *out << 8 | number.content.bytes[i];
    return true;
}

// AlgorithmIdentifier ::= SEQUENCE { algorithm OID, parameters }
static bool take_algorithm(struct span *in, struct span *oid, struct span *parameters)
{
    struct der_element sequence, name;
    if (!der_take(in, DER_SEQUENCE, &sequence) || !der_take(&sequence.content, DER_OID, &name))
        return false;
    *oid = name.content;
    *parameters = sequence.content;
    return true;
}

static bool choose_hash(struct lock *lock, const struct span *oid)
{
    if (OID_IS(oid, oid_hmac_sha256))
        lock->hash = WC_HASH_TYPE_SHA256;
    else if (OID_IS(oid, oid_hmac_sha512))
        lock->hash = WC_HASH_TYPE_SHA512;
    else if (OID_IS(oid, oid_hmac_sha384))
        lock->hash = WC_HASH_TYPE_SHA384;
    else
        return OID_IS(oid, oid_hmac_sha1);
    return true;
}

// PBKDF2-params ::= SEQUENCE { salt OCTET STRING, iterationCount, keyLength OPTIONAL, prf DEFAULT hmacWithSHA1 }
static bool parse_derivation(struct lock *lock, struct span in)
{
    struct der_element sequence, salt;
    struct span oid, parameters;
    uint32_t key_len;
    if (!der_take(&in, DER_SEQUENCE, &sequence) || !der_take(&sequence.content, DER_OCTET_STRING, &salt) ||
        !take_number(&sequence.content, &lock->rounds) || !lock->rounds || lock->rounds > ROUNDS_MAX)
        return false;
    lock->salt = salt.content;
    lock->hash = WC_HASH_TYPE_SHA;
    take_number(&sequence.content, &key_len); // the cipher says so as well
    return !sequence.content.len || (take_algorithm(&sequence.content, &oid, &parameters) && choose_hash(lock, &oid));
}

static bool parse_cipher(struct lock *lock, const struct span *oid, struct span in)
{
    struct der_element iv;
    if (OID_IS(oid, oid_aes128_cbc))
        lock->key_len = 16;
    else if (OID_IS(oid, oid_aes256_cbc))
        lock->key_len = 32;
    else
        return false;
    if (!der_take(&in, DER_OCTET_STRING, &iv) || iv.content.len != AES_BLOCK_SIZE)
        return false;
    lock->iv = iv.content;
    return true;
}

static bool parse(struct lock *lock, struct span in)
{
    struct der_element outer, data, sequence;
    struct span oid, parameters;
    if (!der_take(&in, DER_SEQUENCE, &outer) || !take_algorithm(&outer.content, &oid, &parameters) ||
        !der_take(&outer.content, DER_OCTET_STRING, &data) || !OID_IS(&oid, oid_pbes2) ||
        !der_take(&parameters, DER_SEQUENCE, &sequence))
        return false;
    lock->data = data.content;
    struct span rest = sequence.content;
    return data.content.len && data.content.len % AES_BLOCK_SIZE == 0 && take_algorithm(&rest, &oid, &parameters) &&
           OID_IS(&oid, oid_pbkdf2) && parse_derivation(lock, parameters) && take_algorithm(&rest, &oid, &parameters) &&
           parse_cipher(lock, &oid, parameters);
}

static bool derive(uint8_t key[CIPHER_KEY_MAX], const struct lock *lock, const struct blob *passphrase)
{
    if (lock->hash == WC_HASH_TYPE_SHA) {
        const struct span secret = {passphrase->bytes, passphrase->len};
        sha1_pbkdf2(key, lock->key_len, &secret, &lock->salt, lock->rounds);
        return true;
    }
    return wc_PBKDF2(key, passphrase->bytes, (int)passphrase->len, lock->salt.bytes, (int)lock->salt.len,
                     (int)lock->rounds, (int)lock->key_len, lock->hash) == 0;
}

static bool decrypt(uint8_t *room, const struct lock *lock, const uint8_t *key)
{
    Aes aes;
    const uint8_t *before = lock->iv.bytes;
    bool good = wc_AesInit(&aes, NULL, INVALID_DEVID) == 0 &&
                wc_AesSetKey(&aes, key, (word32)lock->key_len, lock->iv.bytes, AES_DECRYPTION) == 0;
    for (size_t at = 0; good && at < lock->data.len; at += AES_BLOCK_SIZE) {
        const uint8_t *block = lock->data.bytes + at;
        good = wc_AesDecryptDirect(&aes, room + at, block) == 0;
        for (size_t i = 0; i < AES_BLOCK_SIZE; i++)
            room[at + i] ^= before[i];
        before = block;
    }
    wc_AesFree(&aes);
    explicit_bzero(&aes, sizeof aes);
    return good;
}

// Padding of 1 to 16 bytes that each tell how many (RFC 8018 section 6.1.1), around a PrivateKeyInfo of version 0 or 1.
static bool is_key(const uint8_t *bytes, size_t len, size_t *without_padding)
{
    size_t padding = bytes[len - 1];
    if (!padding || padding > AES_BLOCK_SIZE)
        return false;
    for (size_t i = 1; i <= padding; i++)
        if (bytes[len - i] != padding)
            return false;
    *without_padding = len - padding;
    struct span in = {bytes, len - padding}, oid, parameters;
    struct der_element outer, key;
    uint32_t version;
    return der_take(&in, DER_SEQUENCE, &outer) && !in.len && take_number(&outer.content, &version) && version <= 1 &&
           take_algorithm(&outer.content, &oid, &parameters) && der_take(&outer.content, DER_OCTET_STRING, &key);
}

static enum tls_unlocked unlock(struct blob *out, const struct lock *lock, const struct blob *passphrase,
                                struct fault *fault)
{
    uint8_t key[CIPHER_KEY_MAX];
    size_t len;
    enum tls_unlocked result = TLS_WRONG_PASSPHRASE;
    *out = (struct blob){.bytes = memory_new(lock->data.len + 1), .len = lock->data.len};
    if (!derive(key, lock, passphrase) || !decrypt(out->bytes, lock, key)) {
        fault_set(fault, "Key: the TLS library does not decrypt it");
        result = TLS_NOT_UNLOCKED;
    } else if (is_key(out->bytes, out->len, &len)) {
        explicit_bzero(out->bytes + len, out->len - len);
        out->len = len;
        result = TLS_UNLOCKED;
    }
    explicit_bzero(key, sizeof key);
    if (result != TLS_UNLOCKED)
        blob_wipe(out);
    return result;
}

enum tls_unlocked tls_key_unlock(struct blob *out, const struct blob *text, const struct blob *passphrase,
                                 struct fault *fault)
{
    struct blob der;
    struct lock lock;
    *out = (struct blob){0};
    if (!material_locked_key(&der, "Key", text->bytes, text->len, fault))
        return TLS_NOT_UNLOCKED;
    enum tls_unlocked result = TLS_NOT_UNLOCKED;
    if (parse(&lock, (struct span){der.bytes, der.len}))
        result = unlock(out, &lock, passphrase, fault);
    else
        fault_set(fault,
                  "Key: is encrypted in a way that is not opened (PBES2 with PBKDF2 and AES-128-CBC or AES-256-CBC "
                  "is): openssl pkcs8 -topk8 -in OLD -out NEW makes one that is");
    blob_wipe(&der);
    return result;
}

bool tls_key_is_locked(const uint8_t *text, size_t len)
{
    static const char begin[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    struct span in = {text, len};
    struct der_element outer, algorithm, data;
    if (der_take(&in, DER_SEQUENCE, &outer))
        return der_take(&outer.content, DER_SEQUENCE, &algorithm) && der_take(&outer.content, DER_OCTET_STRING, &data);
    return len && memmem(text, len, begin, sizeof begin - 1);
}
