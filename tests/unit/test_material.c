// SPDX-License-Identifier: GPL-2.0-or-later
// Certificates and keys in every dress that they come in, of every kind, and what is said of those that are of no use.
#include "unit.h"

#include "link/tls/material.h"

#include "tls_pair.h"

static int make(void **state)
{
    (void)state;
    return certs_make_by("make-dresses");
}

static void test_dresses(void **state)
{
    (void)state;
    static const char *const stems[] = {"pki/branch", "crlf",    "cr",   "bom",  "text",    "comments",
                                        "indented",   "endless", "long", "der",  "trusted", "sec1",
                                        "parameters", "both",    "bag",  "pkcs1"};
    for (size_t i = 0; i < COUNT(stems); i++) {
        struct fault fault = {""};
        enum tls_credential at_fault;
        const struct certs_case c = {.stem = stems[i], .ca = strcmp(stems[i], "pkcs1") ? NULL : "rsa2048-ca.crt"};
        struct tls_identity *identity = certs_try(TLS_PORTAL, &c, &at_fault, &fault);
        if (!identity)
            fail_msg("%s: %s", stems[i], fault.text);
        tls_identity_free(identity);
    }
}

static void test_other_dresses(void **state)
{
    (void)state;
    static const struct certs_case cases[] = {
        {.stem = "pki/branch", .crl = "crl.der"},
        {.stem = "pki/branch", .crl = "crl-crlf.pem"},
        {.stem = "pki/branch", .crl = "crl-text.pem"},
        {.stem = "pki/branch", .ca = "roots.crt"},
        {.stem = "pki/branch", .ca = "roots-crlf.crt"},
        {.stem = "deep", .ca = "line.crt"}, // the middle ones are with the root
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        tls_identity_free(certs_identity(TLS_PORTAL, cases[i]));
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        struct certs_case own;
        const char *says;
        enum tls_credential at_fault;
    } rows[] = {
        {{.stem = "wide"}, "Certificate: is in UTF-16; save it as plain text", TLS_CERTIFICATE},
        {{.stem = "wide-key"}, "Key: is in UTF-16; save it as plain text", TLS_KEY},
        {{.stem = "cut"}, "Key: is damaged: a block between BEGIN and END is cut off or no base64", TLS_KEY},
        {{.stem = "cut-crt"}, "Certificate: is damaged: a block", TLS_CERTIFICATE},
        {{.stem = "mismatch"}, "Key: is damaged: a block", TLS_KEY},
        {{.stem = "short"}, "Key: is damaged, or of a kind that cannot be used; ECDSA on P-256", TLS_KEY},
        {{.stem = "garbage"}, "Key: holds no private key (PEM or DER)", TLS_KEY},
        {{.stem = "empty"}, "Key: holds no private key (PEM or DER)", TLS_KEY},
        {{.stem = "openssh"}, "Key: is a key of OpenSSH's own form: ssh-keygen -p -m PKCS8 -f FILE", TLS_KEY},
        {{.stem = "dsa"}, "Key: is a key of a kind that cannot be used", TLS_KEY},
        {{.stem = "curve"}, "Key: does not belong to the certificate", TLS_KEY},
        {{.stem = "curve-crt"}, "Certificate: is damaged, or has a key of a kind that is not", TLS_CERTIFICATE},
        {{.stem = "small"}, "Key: is damaged, or of a kind that cannot be used; ECDSA on P-256", TLS_KEY},
        {{.stem = "legacy"}, "Key: is encrypted in a way of old that is not opened: openssl pkcs8 -topk8", TLS_KEY},
        {{.stem = "aes256-sha256"}, "Key: is encrypted", TLS_KEY},
        {{.stem = "pki/branch", .key = "pki/gate.example.net"}, "Key: does not belong to the certificate", TLS_KEY},
        {{.stem = "ordered", .key = "pki/branch", .ca = "top.crt"}, "Key: does not belong to the certificate", TLS_KEY},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fault fault = {""};
        enum tls_credential at_fault;
        struct tls_identity *identity = certs_try(TLS_PORTAL, &rows[i].own, &at_fault, &fault);
        if (identity || strncmp(fault.text, rows[i].says, strlen(rows[i].says)) || at_fault != rows[i].at_fault)
            fail_msg("row %zu: %d \"%s\"", i, at_fault, fault.text);
    }
}

// The certificate's own key on a curve that is not supported: seen where there is no key to see it by.
static void test_unsupported_certificate(void **state)
{
    (void)state;
    struct blob ca = certs_read("pki/ca.crt"), certificate = certs_read("curve-crt.crt");
    const struct tls_material material = {
        .ca = ca.bytes, .ca_len = ca.len, .certificate = certificate.bytes, .certificate_len = certificate.len};
    struct fault fault;
    enum tls_credential at_fault;
    assert_null(tls_identity_new(&material, &at_fault, &fault));
    assert_int_equal(at_fault, TLS_CERTIFICATE);
    if (!strstr(fault.text, "P-256, P-384 or P-521") || strstr(fault.text, "unknown"))
        fail_msg("%s", fault.text);
    blob_wipe(&ca);
    blob_wipe(&certificate);
}

static bool shakes(struct certs_case gate, struct certs_case portal, const char *name)
{
    struct pair p = pair_new(gate, portal, NULL);
    shake(&p, SIZE_MAX);
    bool good = p.gate_result == TLS_OK && p.portal_result == TLS_OK;
    if (!good)
        print_message("%s: gate \"%s\", portal \"%s\"\n", name, tls_reason(p.gate), tls_reason(p.portal));
    pair_free(&p);
    return good;
}

// A gate that knows the root alone is shown all between, in whatever order they stand in the file.
static void test_chains(void **state)
{
    (void)state;
    static const char *const stems[] = {"ordered", "reversed", "rooted", "strangers"};
    const struct certs_case gate = {.stem = "pki/gate.example.net", .ca = "roots.crt"};
    for (size_t i = 0; i < COUNT(stems); i++)
        CASE(stems[i], shakes(gate, (struct certs_case){.stem = stems[i], .ca = "roots.crt"}, stems[i]));
    CASE("line", shakes(gate, (struct certs_case){.stem = "alone", .ca = "line-and-more.crt"}, "line"));
}

static void test_kinds(void **state)
{
    (void)state;
    static const char *const kinds[] = {"p256", "p384", "p521", "rsa2048", "rsa3072", "rsa4096", "ed25519", "ed448"};
    for (size_t g = 0; g < COUNT(kinds); g++)
        for (size_t p = 0; p < COUNT(kinds); p++) {
            char gate[32], portal[32], name[96];
            snprintf(gate, sizeof gate, "%s-gate", kinds[g]);
            snprintf(portal, sizeof portal, "%s-portal", kinds[p]);
            snprintf(name, sizeof name, "%s with %s", gate, portal);
            CASE(name, shakes((struct certs_case){.stem = gate, .ca = "kinds.crt"},
                              (struct certs_case){.stem = portal, .ca = "kinds.crt"}, name));
        }
}

// Without a key all else is judged.
static void test_without_key(void **state)
{
    (void)state;
    struct blob ca = certs_read("pki/ca.crt"), good = certs_read("pki/branch.crt"), bad = certs_read("pki/ca.crt");
    struct tls_material material = {
        .ca = ca.bytes, .ca_len = ca.len, .certificate = good.bytes, .certificate_len = good.len, .role = TLS_PORTAL};
    struct fault fault;
    enum tls_credential at_fault;
    struct tls_identity *identity = tls_identity_new(&material, &at_fault, &fault);
    assert_non_null(identity);
    tls_identity_free(identity);
    material.certificate = bad.bytes;
    material.certificate_len = bad.len;
    assert_null(tls_identity_new(&material, &at_fault, &fault));
    assert_int_equal(at_fault, TLS_CERTIFICATE);
    blob_wipe(&ca);
    blob_wipe(&good);
    blob_wipe(&bad);
}

// Two authorities that issued each other lead nowhere, and no further than `max`.
static void test_chain_bound(void **state)
{
    (void)state;
    struct blob text = certs_read("ordered.crt"), all, chain;
    struct fault fault;
    struct der_element own;
    assert_true(material_certificates(&all, "it", text.bytes, text.len, &fault));
    struct span in = {all.bytes, all.len}, none = {NULL, 0};
    assert_true(der_take(&in, DER_SEQUENCE, &own));
    assert_true(material_chain(&chain, own.whole, (struct span){all.bytes, all.len}, none, 4));
    assert_int_equal(chain.len, all.len);
    blob_wipe(&chain);
    assert_false(material_chain(&chain, own.whole, (struct span){all.bytes, all.len}, none, 2));
    assert_true(material_chain(&chain, own.whole, none, (struct span){all.bytes, all.len}, 4));
    assert_int_equal(chain.len, all.len);
    blob_wipe(&chain);
    blob_wipe(&all);
    blob_wipe(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dresses),     cmocka_unit_test(test_other_dresses),
        cmocka_unit_test(test_refusals),    cmocka_unit_test(test_unsupported_certificate),
        cmocka_unit_test(test_chains),      cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_without_key), cmocka_unit_test(test_chain_bound),
    };
    struct fault fault;
    if (!tls_library_start(&fault))
        return 1;
    return cmocka_run_group_tests(tests, make, certs_remove);
}
