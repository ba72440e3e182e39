// SPDX-License-Identifier: GPL-2.0-or-later
// Records sealed and opened by the device are what wolfSSL's own code makes of them, and what does not open stays shut.
#include "unit.h"

#include "link/tls/context.h"
#include "link/tls/gcm.h"
#include "link/tls/loan.h"
#include "os/random.h"

#include <string.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/cryptocb.h>

enum { LARGEST = 16384 + 1, NONCE = 12, TAG = 16, ADDED = 5 };

static uint8_t plain[LARGEST], sealed[LARGEST], expected[LARGEST], opened[LARGEST];
static uint8_t nonce[16], added[ADDED], tag[TAG], expected_tag[TAG];

static int start(void **state)
{
    struct fault fault;
    (void)state;
    assert_true(tls_library_start(&fault));
    random_fill(plain, sizeof plain);
    random_fill(nonce, sizeof nonce);
    random_fill(added, sizeof added);
    return 0;
}

static void need_device(void)
{
    if (tls_gcm_device() != INVALID_DEVID)
        return;
    print_message("this processor has no VAES in 512 bits, or libIPSec_MB is not installed\n");
    skip();
}

static void key_of(Aes *aes, int device, uint8_t number, word32 len)
{
    uint8_t key[32];
    memset(key, number, sizeof key);
    assert_int_equal(wc_AesInit(aes, NULL, device), 0);
    assert_int_equal(wc_AesGcmSetKey(aes, key, len), 0);
}

static int seal(Aes *aes, uint8_t *out, uint8_t *out_tag, size_t len)
{
    return wc_AesGcmEncrypt(aes, out, plain, (word32)len, nonce, NONCE, out_tag, TAG, added, ADDED);
}

static int open(Aes *aes, size_t len)
{
    return wc_AesGcmDecrypt(aes, opened, sealed, (word32)len, nonce, NONCE, tag, TAG, added, ADDED);
}

static void test_it_is_used(void **state)
{
    Aes aes;
    (void)state;
    need_device();
    for (int role = TLS_PORTAL; role <= TLS_GATE; role++) {
        WOLFSSL_CTX *ctx = tls_context_new((enum tls_role)role, false);
        assert_int_equal(wolfSSL_CTX_GetDevId(ctx, NULL), tls_gcm_device());
        wolfSSL_CTX_free(ctx);
    }
    key_of(&aes, tls_gcm_device(), 7, 16);
    // CRYPTOCB_UNAVAILABLE would send wolfSSL to its own code.
    assert_int_equal(wc_CryptoCb_AesGcmEncrypt(&aes, sealed, plain, 100, nonce, NONCE, tag, TAG, added, ADDED), 0);
    assert_int_equal(wc_CryptoCb_AesGcmDecrypt(&aes, opened, sealed, 100, nonce, NONCE, tag, TAG, added, ADDED), 0);
    wc_AesFree(&aes);
}

// Where it stands, as TLS does it, and from one place to another.
static void test_as_wolfssl_does_it(void **state)
{
    (void)state;
    need_device();
    for (word32 key_len = 16; key_len <= 32; key_len += 16) {
        Aes own, device;
        key_of(&own, INVALID_DEVID, 7, key_len);
        key_of(&device, tls_gcm_device(), 7, key_len);
        for (size_t len = 1; len <= LARGEST; len += len < 1100 ? 1 : 1391) {
            assert_int_equal(seal(&own, expected, expected_tag, len), 0);
            assert_int_equal(seal(&device, sealed, tag, len), 0);
            assert_memory_equal(sealed, expected, len);
            assert_memory_equal(tag, expected_tag, TAG);
            assert_int_equal(open(&device, len), 0);
            assert_memory_equal(opened, plain, len);
            memcpy(opened, plain, len);
            assert_int_equal(
                wc_AesGcmEncrypt(&device, opened, opened, (word32)len, nonce, NONCE, tag, TAG, added, ADDED), 0);
            assert_memory_equal(opened, expected, len);
            assert_memory_equal(tag, expected_tag, TAG);
            assert_int_equal(
                wc_AesGcmDecrypt(&device, opened, opened, (word32)len, nonce, NONCE, tag, TAG, added, ADDED), 0);
            assert_memory_equal(opened, plain, len);
        }
        wc_AesFree(&own);
        wc_AesFree(&device);
    }
}

// Of a record of application data only the type is taken from where wolfSSL has it.
static void test_lent_content(void **state)
{
    (void)state;
    need_device();
    for (word32 key_len = 16; key_len <= 32; key_len += 16) {
        Aes own, device;
        key_of(&own, INVALID_DEVID, 7, key_len);
        key_of(&device, tls_gcm_device(), 7, key_len);
        for (size_t len = 1; len < LARGEST; len += len < 300 ? 1 : 1391) {
            uint8_t next = plain[len];
            plain[len] = 23;
            assert_int_equal(seal(&own, expected, expected_tag, len + 1), 0);
            plain[len] = next;
            memset(sealed, 0xEE, sizeof sealed);
            sealed[len] = 23;
            tls_loan_give(plain, len);
            assert_int_equal(
                wc_AesGcmEncrypt(&device, sealed, sealed, (word32)len + 1, nonce, NONCE, tag, TAG, added, ADDED), 0);
            assert_false(tls_loan_end());
            assert_memory_equal(sealed, expected, len + 1);
            assert_memory_equal(tag, expected_tag, TAG);
            assert_int_equal(sealed[len + 1], 0xEE);
        }
        wc_AesFree(&own);
        wc_AesFree(&device);
    }
}

// What wolfSSL says of its own accord in between is sealed from where it is; and whatever cannot be sealed from what was
// lent is not sealed at all, for wolfSSL would seal what it was given instead.
static void test_lent_content_waits_for_its_record(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        word32 len, nonce, tag;
    } cases[] = {
        {"a record of another length", 101, NONCE, TAG},
        {"a nonce of 16 bytes", 100, 16, TAG},
        {"a tag of 12 bytes", 100, NONCE, 12},
    };
    Aes aes;
    need_device();
    key_of(&aes, tls_gcm_device(), 7, 16);
    static uint8_t content[99];
    for (size_t i = 0; i < COUNT(cases); i++) {
        tls_loan_give(content, sizeof content);
        plain[4] = 22; // handshake
        assert_int_equal(seal(&aes, expected, expected_tag, 5), 0);
        assert_int_equal(wc_AesGcmDecrypt(&aes, opened, expected, 5, nonce, NONCE, expected_tag, TAG, added, ADDED), 0);
        assert_memory_equal(opened, plain, 5);
        plain[cases[i].len - 1] = 23;
        assert_int_not_equal(
            wc_AesGcmEncrypt(&aes, sealed, plain, cases[i].len, nonce, cases[i].nonce, tag, cases[i].tag, added, ADDED),
            0);
        assert_true(tls_loan_end());
        assert_false(tls_loan_end());
        plain[cases[i].len - 1] = 22;
    }
    wc_AesFree(&aes);
}

static void test_what_was_touched_does_not_open(void **state)
{
    (void)state;
    static const size_t len = 1000;
    uint8_t *const touched[] = {sealed, sealed + len - 1, tag, tag + TAG - 1, nonce, added};
    Aes aes;
    need_device();
    key_of(&aes, tls_gcm_device(), 7, 16);
    assert_int_equal(seal(&aes, sealed, tag, len), 0);
    for (size_t i = 0; i < COUNT(touched); i++) {
        *touched[i] ^= 0x10;
        assert_int_equal(open(&aes, len), AES_GCM_AUTH_E);
        for (size_t k = 0; k < len; k++)
            assert_int_equal(opened[k], 0);
        *touched[i] ^= 0x10;
    }
    assert_int_equal(open(&aes, len), 0);
    wc_AesFree(&aes);
}

// More connections than keys are kept ready for, by turns, and all keys wiped in between.
static void test_many_keys(void **state)
{
    enum { KEYS = 7 };
    Aes own[KEYS], device[KEYS];
    (void)state;
    need_device();
    for (uint8_t i = 0; i < KEYS; i++) {
        key_of(&own[i], INVALID_DEVID, i, i % 2 ? 16 : 32);
        key_of(&device[i], tls_gcm_device(), i, i % 2 ? 16 : 32);
    }
    for (int i = 0; i < 20 * KEYS; i++) {
        int k = i * 3 % KEYS;
        assert_int_equal(seal(&own[k], expected, expected_tag, 100), 0);
        assert_int_equal(seal(&device[k], sealed, tag, 100), 0);
        assert_memory_equal(sealed, expected, 100);
        assert_memory_equal(tag, expected_tag, TAG);
        if (i % 11 == 0)
            tls_gcm_forget();
    }
    // A key update gives the same object another key.
    uint8_t key[16] = {1, 2, 3};
    assert_int_equal(wc_AesGcmSetKey(&own[0], key, 16), 0);
    assert_int_equal(wc_AesGcmSetKey(&device[0], key, 16), 0);
    assert_int_equal(seal(&own[0], expected, expected_tag, 100), 0);
    assert_int_equal(seal(&device[0], sealed, tag, 100), 0);
    assert_memory_equal(tag, expected_tag, TAG);
    for (int i = 0; i < KEYS; i++) {
        wc_AesFree(&own[i]);
        wc_AesFree(&device[i]);
    }
}

static void test_other_shapes_are_left_to_wolfssl(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        word32 len, nonce, tag;
    } cases[] = {{"a long nonce", 100, 16, 16}, {"a short tag", 100, 12, 12}, {"nothing", 0, 12, 16}};
    Aes own, device;
    need_device();
    key_of(&own, INVALID_DEVID, 7, 16);
    key_of(&device, tls_gcm_device(), 7, 16);
    for (size_t i = 0; i < COUNT(cases); i++) {
        CASE(cases[i].name, wc_AesGcmEncrypt(&own, expected, plain, cases[i].len, nonce, cases[i].nonce, expected_tag,
                                             cases[i].tag, added, ADDED) == 0);
        CASE(cases[i].name, wc_AesGcmEncrypt(&device, sealed, plain, cases[i].len, nonce, cases[i].nonce, tag,
                                             cases[i].tag, added, ADDED) == 0);
        CASE(cases[i].name, memcmp(tag, expected_tag, cases[i].tag) == 0);
        CASE(cases[i].name, wc_AesGcmDecrypt(&device, opened, sealed, cases[i].len, nonce, cases[i].nonce, tag,
                                             cases[i].tag, added, ADDED) == 0);
        CASE(cases[i].name, memcmp(opened, plain, cases[i].len) == 0);
    }
    wc_AesFree(&own);
    wc_AesFree(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_used),
        cmocka_unit_test(test_as_wolfssl_does_it),
        cmocka_unit_test(test_lent_content),
        cmocka_unit_test(test_lent_content_waits_for_its_record),
        cmocka_unit_test(test_what_was_touched_does_not_open),
        cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_other_shapes_are_left_to_wolfssl),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
