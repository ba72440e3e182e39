// SPDX-License-Identifier: GPL-2.0-or-later
// Our own reading of certificates and revocation lists: DER, dates, names, purposes.
#include "unit.h"

#include "link/tls/certificate.h"
#include "link/tls/revocation.h"

#include "certs.h"

#include <time.h>

static struct span span_of(const char *text, size_t len)
{
    return (struct span){(const uint8_t *)text, len};
}
#define SPAN(literal) span_of(literal, sizeof(literal) - 1)

static void test_der_elements(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct {
            const char *bytes;
            size_t len;
        } in;
        bool good;
        size_t content, rest;
    } cases[] = {
#define IN(literal) {literal, sizeof(literal) - 1}
        {"short form", IN("\x04\x02hi!"), true, 2, 1},
        {"empty", IN("\x05\x00"), true, 0, 0},
        {"nothing", IN(""), false, 0, 0},
        {"tag alone", IN("\x04"), false, 0, 0},
        {"longer than there is", IN("\x04\x03hi"), false, 0, 0},
        {"indefinite length", IN("\x30\x80\x00\x00"), false, 0, 0},
        {"long form that should be short", IN("\x04\x81\x02hi"), false, 0, 0},
        {"long form with a leading zero", IN("\x04\x82\x00\x80"), false, 0, 0},
        {"length of five bytes", IN("\x04\x85\x01\x01\x01\x01\x01"), false, 0, 0},
        {"length cut off", IN("\x04\x82\x01"), false, 0, 0},
        {"huge", IN("\x04\x84\xff\xff\xff\xff"), false, 0, 0},
        {"tag of several bytes", IN("\x1f\x81\x01\x00"), false, 0, 0},
#undef IN
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct span in = span_of(cases[i].in.bytes, cases[i].in.len), before = in;
        struct der_element element;
        CASE(cases[i].name, der_next(&in, &element) == cases[i].good);
        if (cases[i].good)
            CASE(cases[i].name, element.content.len == cases[i].content && in.len == cases[i].rest);
        else
            CASE(cases[i].name, in.bytes == before.bytes && in.len == before.len);
    }
    char large[0x80 + 3] = "\x04\x81\x80";
    struct span in = span_of(large, sizeof(large));
    struct der_element element;
    assert_true(der_next(&in, &element) && element.content.len == 0x80 && in.len == 0);
    assert_int_equal(element.whole.len, sizeof(large));
}

static void test_der_times(void **state)
{
    (void)state;
    static const struct {
        uint8_t tag;
        const char *text;
        bool good;
        usec_t seconds;
    } cases[] = {
        {DER_UTC_TIME, "700101000000Z", true, 0},
        {DER_UTC_TIME, "261124070000Z", true, 1795503600},
        {DER_UTC_TIME, "491231235959Z", true, 2524607999},
        {DER_UTC_TIME, "500101000000Z", true, 0}, // 1950
        {DER_GENERALIZED_TIME, "20500101000000Z", true, 2524608000},
        {DER_GENERALIZED_TIME, "99991231235959Z", true, 253402300799},
        {DER_UTC_TIME, "2611240700Z", false, 0},
        {DER_UTC_TIME, "261124070000+0100", false, 0},
        {DER_UTC_TIME, "261324070000Z", false, 0},
        {DER_UTC_TIME, "261100070000Z", false, 0},
        {DER_UTC_TIME, "261124240000Z", false, 0},
        {DER_UTC_TIME, "26112407000-Z", false, 0},
        {DER_GENERALIZED_TIME, "20500101000000", false, 0},
        {DER_GENERALIZED_TIME, "20500101000000.5Z", false, 0},
        {DER_IA5_STRING, "261124070000Z", false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char bytes[32];
        size_t len = strlen(cases[i].text);
        bytes[0] = (char)cases[i].tag;
        bytes[1] = (char)len;
        memcpy(bytes + 2, cases[i].text, len);
        struct span in = span_of(bytes, len + 2);
        usec_t at = 1;
        CASE(cases[i].text, der_take_time(&in, &at) == cases[i].good);
        CASE(cases[i].text, !cases[i].good || at == cases[i].seconds * USEC_PER_SEC);
    }
}

// A certificate that holds nothing but names, given as GeneralNames and common name.
static struct certificate named(struct span alternative_names, const char *common_name)
{
    return (struct certificate){.alternative_names = alternative_names,
                                .common_name = span_of(common_name, strlen(common_name))};
}

static void test_names(void **state)
{
    (void)state;
    const struct certificate gate =
        named(SPAN("\x82\x0fgw1.example.net\x82\x0d*.example.org\x87\x04\x0a\x00\x00\x01"), "cn.example.net");
    const struct certificate v6 = named(SPAN("\x87\x10\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"), "cn.example.net");
    const struct certificate plain = named(SPAN(""), "cn.example.net");
    const struct certificate nul = named(SPAN("\x82\x10gw1\0.example.net"), "");
    const struct certificate star = named(SPAN("\x82\x01*\x82\x02*.\x82\x03*.*\x82\x06g*.net\x82\x07*.*.net"), "");
    const struct certificate mail = named(SPAN("\x81\x03"
                                               "a@b"),
                                          "cn.example.net");
    const struct certificate dotted = named(SPAN("\x82\x08"
                                                 "10.0.0.1"),
                                            "10.0.0.1");
    const struct {
        const char *name;
        const struct certificate *certificate;
        const char *want;
        bool matches;
    } cases[] = {
        {"first", &gate, "gw1.example.net", true},
        {"any case", &gate, "GW1.example.NET", true},
        {"wildcard", &gate, "x.example.org", true},
        {"wildcard, two labels", &gate, "x.y.example.org", false},
        {"wildcard, no label", &gate, "example.org", false},
        {"wildcard, empty label", &gate, ".example.org", false},
        {"the wildcard itself", &gate, "*.example.org", true},
        {"prefix", &gate, "gw1.example.ne", false},
        {"suffix", &gate, "w1.example.net", false},
        {"longer", &gate, "gw1.example.net.", false},
        {"common name beside DNS names", &gate, "cn.example.net", false},
        {"address", &gate, "10.0.0.1", true},
        {"other address", &gate, "10.0.0.2", false},
        {"IPv6 address", &v6, "fd00::1", true},
        {"IPv6 address, long", &v6, "fd00:0:0:0:0:0:0:1", true},
        {"other IPv6 address", &v6, "fd00::2", false},
        {"common name beside addresses", &v6, "cn.example.net", true},
        {"common name alone", &plain, "cn.example.net", true},
        {"common name beside mail", &mail, "cn.example.net", true},
        {"address in a DNS name", &dotted, "10.0.0.1", false},
        {"NUL inside", &nul, "gw1", false},
        {"bare star", &star, "x", false},
        {"star dot", &star, "x.", false},
        {"star dot star", &star, "x.y", false},
        {"partial star", &star, "gate.net", false},
        {"two stars", &star, "a.b.net", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        CASE(cases[i].name, certificate_matches(cases[i].certificate, cases[i].want) == cases[i].matches);

    char room[CERTIFICATE_NAME_SIZE];
    assert_true(certificate_name(&gate, room));
    assert_string_equal(room, "gw1.example.net");
    assert_true(certificate_name(&plain, room) && certificate_name(&v6, room));
    assert_string_equal(room, "cn.example.net");
    assert_false(certificate_name(&nul, room) || certificate_name(&star, room));
    char list[CERTIFICATE_NAMES_SIZE];
    assert_string_equal(certificate_names_text(&gate, list), "gw1.example.net, *.example.org, 10.0.0.1");
    assert_string_equal(certificate_names_text(&nul, list), "gw1\\x01.example.net");
}

static struct certificate parsed(const char *file, struct blob *blob)
{
    struct certificate certificate;
    *blob = certs_read(file);
    assert_true(certificate_parse(&certificate, blob->bytes, blob->len));
    return certificate;
}

static void test_real_ones(void **state)
{
    (void)state;
    struct blob blob;
    struct certificate ca = parsed("ca.der", &blob);
    assert_true(ca.is_ca && ca.signs_certificates && !ca.signs && ca.strong && !ca.has_purposes);
    assert_true(span_equal(&ca.issuer, &ca.subject) && ca.key_id.len > 20);
    assert_in_range(ca.not_after / USEC_PER_SEC, time(NULL) + 3649L * 86400, time(NULL) + 3651L * 86400);
    blob_wipe(&blob);
    struct certificate own = parsed("own.der", &blob);
    assert_true(!own.is_ca && own.signs && !own.signs_certificates && own.has_purposes);
    assert_true(own.authenticates_gates && own.authenticates_portals);
    assert_true(certificate_matches(&own, "gate.example.net"));

    // Cut anywhere, or with a byte behind it, it is none.
    struct certificate ignored;
    for (size_t len = 0; len < blob.len; len++) {
        uint8_t *part = malloc(len + 1);
        memcpy(part, blob.bytes, len);
        assert_false(certificate_parse(&ignored, part, len));
        free(part);
    }
    uint8_t *longer = calloc(1, blob.len + 1);
    memcpy(longer, blob.bytes, blob.len);
    assert_false(certificate_parse(&ignored, longer, blob.len + 1));
    free(longer);
    blob_wipe(&blob);
}

static void test_revocation_lists(void **state)
{
    (void)state;
    struct blob ca_der, der = certs_read("crl.der");
    struct certificate ca = parsed("ca.der", &ca_der);
    struct revocation_list list;
    assert_true(revocation_list_parse(&list, der.bytes, der.len));
    assert_true(span_equal(&list.issuer, &ca.subject));
    assert_in_range(list.next_update / USEC_PER_SEC, time(NULL) + 179L * 86400, time(NULL) + 181L * 86400);
    assert_true(list.this_update <= (usec_t)(time(NULL) + 1) * USEC_PER_SEC);
    blob_wipe(&der);

    // A number of 21 octets is what some parsers do not survive.
    der = certs_read("long-number.der");
    assert_false(revocation_list_parse(&list, der.bytes, der.len));
    blob_wipe(&der);
    blob_wipe(&ca_der);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_der_elements), cmocka_unit_test(test_der_times),        cmocka_unit_test(test_names),
        cmocka_unit_test(test_real_ones),    cmocka_unit_test(test_revocation_lists),
    };
    return cmocka_run_group_tests(tests, certs_make, certs_remove);
}
