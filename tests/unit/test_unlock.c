// SPDX-License-Identifier: GPL-2.0-or-later
// Encrypted keys as OpenSSL makes them, with the right passphrase, others, and damage; and PBKDF2 with SHA-1 by RFC 6070.
#include "unit.h"

#include "link/tls/sha1.h"

#include "certs.h"

static const char passphrase[] = "open sesame";

static int make(void **state)
{
    (void)state;
    return certs_make_by("make-dresses");
}

static enum tls_unlocked unlock(const char *file, const char *with, struct blob *out, struct fault *fault)
{
    struct blob text = certs_read(file), secret = blob_text(with);
    *fault = (struct fault){""};
    enum tls_unlocked result = tls_key_unlock(out, &text, &secret, fault);
    blob_wipe(&text);
    blob_wipe(&secret);
    return result;
}

static void test_opened(void **state)
{
    (void)state;
    static const char *const files[] = {
        "aes256-sha256.key",  "aes128-sha256.key", "aes256-sha512.key", "aes256-sha384.key",
        "aes256-sha1.key",    "aes128-sha1.key",   "many-rounds.key",   "locked-rsa.key",
        "locked-ed25519.key", "genpkey.key",       "locked-crlf.key",   "locked-der.key",
    };
    for (size_t i = 0; i < COUNT(files); i++) {
        struct blob key, text = certs_read(files[i]);
        struct fault fault;
        CASE(files[i], tls_key_is_locked(text.bytes, text.len));
        blob_wipe(&text);
        if (unlock(files[i], passphrase, &key, &fault) != TLS_UNLOCKED)
            fail_msg("%s: %s", files[i], fault.text);
        CASE(files[i], key.len > 32 && key.bytes[0] == 0x30);
        blob_wipe(&key);
        CASE(files[i], unlock(files[i], "open sesam", &key, &fault) == TLS_WRONG_PASSPHRASE && !key.bytes);
        CASE(files[i], unlock(files[i], "", &key, &fault) != TLS_UNLOCKED && !key.bytes);
    }
}

// What comes out is the very key that went in.
static void test_same_key(void **state)
{
    (void)state;
    static const char *const stems[] = {"aes256-sha256", "aes256-sha1", "locked-ed25519"};
    for (size_t i = 0; i < COUNT(stems); i++) {
        char file[64], crt[64];
        struct blob key;
        struct fault fault;
        enum tls_credential at_fault;
        snprintf(file, sizeof file, "%s.key", stems[i]);
        snprintf(crt, sizeof crt, "%s.crt", stems[i]);
        assert_int_equal(unlock(file, passphrase, &key, &fault), TLS_UNLOCKED);
        struct blob ca = certs_read(i < 2 ? "pki/ca.crt" : "ed25519-ca.crt"), certificate = certs_read(crt);
        const struct tls_material material = {.ca = ca.bytes,
                                              .ca_len = ca.len,
                                              .certificate = certificate.bytes,
                                              .certificate_len = certificate.len,
                                              .key = key.bytes,
                                              .key_len = key.len,
                                              .role = TLS_PORTAL};
        struct tls_identity *identity = tls_identity_new(&material, &at_fault, &fault);
        CASE(stems[i], identity);
        tls_identity_free(identity);
        blob_wipe(&key);
        blob_wipe(&ca);
        blob_wipe(&certificate);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *file, *says;
    } rows[] = {
        {"aes192.key", "Key: is encrypted in a way that is not opened (PBES2 with PBKDF2 and AES-128-CBC"},
        {"des3.key", "Key: is encrypted in a way that is not opened"},
        {"scrypt.key", "Key: is encrypted in a way that is not opened"},
        {"legacy.key", "Key: is encrypted in a way of old that is not opened: openssl pkcs8 -topk8 -in OLD -out NEW"},
        {"locked-short.key", "Key: is encrypted in a way that is not opened"},
        {"garbage.key", "Key: holds no private key"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct blob key;
        struct fault fault;
        enum tls_unlocked result = unlock(rows[i].file, passphrase, &key, &fault);
        if (result != TLS_NOT_UNLOCKED || key.bytes || strncmp(fault.text, rows[i].says, strlen(rows[i].says)))
            fail_msg("%s: %d \"%s\"", rows[i].file, result, fault.text);
    }
    static const char *const clear[] = {"pki/branch.key", "der.key", "der.crt", "crl.der", "empty.key", "garbage.key"};
    for (size_t i = 0; i < COUNT(clear); i++) {
        struct blob text = certs_read(clear[i]);
        CASE(clear[i], !tls_key_is_locked(text.bytes, text.len));
        blob_wipe(&text);
    }
}

// Every byte of it altered, in turn: no crash, and no key that is not the right one.
static void test_altered(void **state)
{
    (void)state;
    struct blob text = certs_read("aes256-sha256.key"), secret = blob_text(passphrase), right, key;
    struct fault fault;
    assert_int_equal(tls_key_unlock(&right, &text, &secret, &fault), TLS_UNLOCKED);
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t before = text.bytes[i];
        text.bytes[i] = before == 'A' ? 'B' : 'A';
        if (tls_key_unlock(&key, &text, &secret, &fault) == TLS_UNLOCKED)
            blob_wipe(&key);
        text.bytes[i] = before;
    }
    blob_wipe(&text);
    blob_wipe(&secret);
    blob_wipe(&right);
}

#define SPAN(text)                                                                                                     \
    {                                                                                                                  \
        (const uint8_t *)(text), sizeof(text) - 1                                                                      \
    }

static void test_sha1(void **state)
{
    (void)state;
    static const struct {
        struct span passphrase, salt;
        uint32_t rounds;
        size_t len;
        const char *key;
    } rows[] = {
        {SPAN("password"), SPAN("salt"), 1, 20,
         "\x0c\x60\xc8\x0f\x96\x1f\x0e\x71\xf3\xa9\xb5\x24\xaf\x60\x12\x06\x2f\xe0\x37\xa6"},
        {SPAN("password"), SPAN("salt"), 2, 20,
         "\xea\x6c\x01\x4d\xc7\x2d\x6f\x8c\xcd\x1e\xd9\x2a\xce\x1d\x41\xf0\xd8\xde\x89\x57"},
        {SPAN("password"), SPAN("salt"), 4096, 20,
         "\x4b\x00\x79\x01\xb7\x65\x48\x9a\xbe\xad\x49\xd9\x26\xf7\x21\xd0\x65\xa4\x29\xc1"},
        {SPAN("passwordPASSWORDpassword"), SPAN("saltSALTsaltSALTsaltSALTsaltSALTsalt"), 4096, 25,
         "\x3d\x2e\xec\x4f\xe4\x1c\x84\x9b\x80\xc8\xd8\x36\x62\xc0\xe4\x4a\x8b\x29\x1a\x96\x4c\xf2\xf0\x70\x38"},
        {SPAN("pass\0word"), SPAN("sa\0lt"), 4096, 16,
         "\x56\xfa\x6a\xa7\x55\x48\x09\x9d\xcc\x37\xd7\xf0\x34\x25\xe0\xc3"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t key[32];
        sha1_pbkdf2(key, rows[i].len, &rows[i].passphrase, &rows[i].salt, rows[i].rounds);
        assert_memory_equal(key, rows[i].key, rows[i].len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opened),  cmocka_unit_test(test_same_key), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_altered), cmocka_unit_test(test_sha1),
    };
    struct fault fault;
    if (!tls_library_start(&fault))
        return 1;
    return cmocka_run_group_tests(tests, make, certs_remove);
}
