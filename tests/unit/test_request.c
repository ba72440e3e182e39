// SPDX-License-Identifier: GPL-2.0-or-later
// Keys, requests for certificates, and statements by the holder of one: what is made is good, and whatever differs from it by
// a byte is not.
#include "unit.h"

#include "certs.h"
#include "link/tls/material.h"
#include "link/tls/request.h"

static struct span span_of(const struct blob *blob)
{
    return (struct span){blob->bytes, blob->len};
}

static void test_request(void **state)
{
    struct blob key, other, request;
    struct span public_key;
    struct fault fault;
    (void)state;
    assert_true(tls_key_make(&key, &fault) && tls_key_make(&other, &fault));
    assert_false(blob_equal(&key, &other));
    assert_true(tls_request_make(&request, &key, &fault));
    struct span in = span_of(&request);
    assert_true(tls_request_check(&in, &public_key, &fault));
    assert_int_equal(public_key.len, 91);
    for (size_t i = 0; i < request.len; i++) {
        request.bytes[i] ^= 0x20;
        assert_false(tls_request_check(&in, &public_key, &fault));
        request.bytes[i] ^= 0x20;
    }
    for (size_t len = 0; len < request.len; len++)
        assert_false(tls_request_check(&(struct span){request.bytes, len}, &public_key, &fault));
    blob_wipe(&key);
    blob_wipe(&other);
    blob_wipe(&request);
}

// What openssl makes of it is tested with usher-pki.
static void test_foreign_request(void **state)
{
    char command[512];
    struct fault fault;
    struct span public_key;
    (void)state;
    snprintf(command, sizeof command,
             "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=gate "
             "-outform DER -out %s/foreign.csr 2>/dev/null",
             certs_dir);
    assert_int_equal(system(command), 0);
    struct blob request = certs_read("foreign.csr");
    struct span in = span_of(&request);
    assert_false(tls_request_check(&in, &public_key, &fault));
    assert_string_equal(fault.text, "the request for a certificate is none that usher-tun makes");
    blob_wipe(&request);
}

static void test_statement(void **state)
{
    static const char words[] = "what is stated";
    const struct span statement = {(const uint8_t *)words, sizeof words};
    struct blob text = certs_read("pki/branch.crt"), key = certs_read("pki/branch.key"), der, signature;
    struct blob other = certs_read("pki/lost.crt"), other_der;
    struct fault fault;
    (void)state;
    assert_true(material_certificates(&der, "it", text.bytes, text.len, &fault));
    assert_true(material_certificates(&other_der, "it", other.bytes, other.len, &fault));
    assert_true(tls_statement_sign(&signature, &key, &statement, &fault));
    struct span certificate = span_of(&der), another = span_of(&other_der), seal = span_of(&signature);
    assert_true(tls_statement_check(&certificate, &statement, &seal, &fault));
    assert_false(tls_statement_check(&another, &statement, &seal, &fault));
    assert_false(tls_statement_check(&certificate, &(struct span){statement.bytes, statement.len - 1}, &seal, &fault));
    assert_string_equal(fault.text, "it is not signed by the key of that certificate");
    for (size_t i = 0; i < signature.len; i++) {
        signature.bytes[i] ^= 1;
        assert_false(tls_statement_check(&certificate, &statement, &seal, &fault));
        signature.bytes[i] ^= 1;
    }
    for (size_t len = 0; len < signature.len; len++)
        assert_false(tls_statement_check(&certificate, &statement, &(struct span){signature.bytes, len}, &fault));
    blob_wipe(&text), blob_wipe(&key), blob_wipe(&der), blob_wipe(&signature), blob_wipe(&other), blob_wipe(&other_der);
}

static void test_other_keys(void **state)
{
    static const char *const kinds[] = {"-algorithm RSA -pkeyopt rsa_keygen_bits:2048", "-algorithm ED25519",
                                        "-algorithm EC -pkeyopt ec_paramgen_curve:P-384"};
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        char command[512];
        struct blob request;
        struct fault fault;
        snprintf(command, sizeof command, "openssl genpkey %s -out %s/kind.key 2>/dev/null", kinds[i], certs_dir);
        assert_int_equal(system(command), 0);
        struct blob key = certs_read("kind.key");
        CASE(kinds[i], !tls_request_make(&request, &key, &fault));
        CASE(kinds[i], !strcmp(fault.text, "Key: is not on P-256, which alone can ask for a certificate"));
        blob_wipe(&key);
    }
}

static void test_holder(void **state)
{
    static const struct {
        const char *file, *name, *why;
    } rows[] = {
        {"pki/branch.crt", "branch", NULL},
        {"pki/lost.crt", NULL, "revoked"},
        {"pki/gate.example.net.crt", NULL, "clientAuth"},
        {"alien/branch.crt", NULL, "CA"},
    };
    struct blob ca = certs_read("pki/ca.crt"), crl = certs_read("pki/crl.pem");
    const struct tls_material judge = {
        .ca = ca.bytes, .ca_len = ca.len, .crl = crl.bytes, .crl_len = crl.len, .role = TLS_GATE};
    enum tls_credential at_fault;
    struct fault fault;
    (void)state;
    assert_true(tls_library_start(&fault));
    struct tls_identity *identity = tls_identity_new(&judge, &at_fault, &fault);
    assert_non_null(identity);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char name[TLS_NAME_SIZE], serial[TLS_SERIAL_SIZE];
        struct blob text = certs_read(rows[i].file), der;
        assert_true(material_certificates(&der, "it", text.bytes, text.len, &fault));
        bool good = tls_certificate_is_trusted(identity, der.bytes, der.len, name, serial, &fault);
        CASE(rows[i].file, good == (rows[i].name != NULL));
        if (good)
            CASE(rows[i].file, !strcmp(name, rows[i].name) && strlen(serial) >= 30);
        else if (!strstr(fault.text, rows[i].why))
            fail_msg("%s: %s", rows[i].file, fault.text);
        blob_wipe(&text), blob_wipe(&der);
    }
    tls_identity_free(identity);
    blob_wipe(&ca), blob_wipe(&crl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),    cmocka_unit_test(test_foreign_request), cmocka_unit_test(test_statement),
        cmocka_unit_test(test_other_keys), cmocka_unit_test(test_holder),
    };
    return cmocka_run_group_tests(tests, certs_make, certs_remove);
}
