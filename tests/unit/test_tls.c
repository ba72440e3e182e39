// SPDX-License-Identifier: GPL-2.0-or-later
// Two ends of TLS joined by memory, over a matrix of certificates: who is let in, who is not, and in what words.
#include "unit.h"

#include "tls_pair.h"

#include <time.h>

// What each end must say, NULL when it must be content. The other end is told by an alert.
struct row {
    const char *name;
    struct certs_case gate, portal;
    const char *wanted; // name of the gate
    const char *gate_says, *portal_says;
};

#define GATE                                                                                                           \
    {                                                                                                                  \
        .stem = "pki/gate.example.net"                                                                                 \
    }
#define PORTAL                                                                                                         \
    {                                                                                                                  \
        .stem = "pki/branch"                                                                                           \
    }

static const struct row rows[] = {
    {"good", GATE, PORTAL, NULL, NULL, NULL},
    {"good, case of the name", GATE, PORTAL, "GATE.Example.net", NULL, NULL},
    {"good, IPv4 name", GATE, PORTAL, "10.7.0.1", NULL, NULL},
    {"good, IPv6 name", GATE, PORTAL, "fd00:0::7", NULL, NULL},
    {"good, with CRL",
     {.stem = "pki/gate.example.net", .crl = "pki/crl.pem"},
     {.stem = "pki/branch", .crl = "pki/crl.pem"},
     NULL,
     NULL,
     NULL},
    {"good, RSA", {.stem = "rsa-gate"}, {.stem = "rsa-portal"}, NULL, NULL, NULL},
    {"good, names in CN only", {.stem = "plain-gate"}, {.stem = "plain-portal"}, NULL, NULL, NULL},
    {"good, wildcard", {.stem = "wild-gate"}, PORTAL, "gate.example.net", NULL, NULL},
    {"good, intermediate CA",
     {.stem = "deep-gate", .ca = "root.crt"},
     {.stem = "deep-portal", .ca = "root.crt"},
     NULL,
     NULL,
     NULL},
    {"wildcard is one label",
     {.stem = "wild-gate"},
     PORTAL,
     "a.b.example.net",
     "refused our certificate",
     "is for another name (wanted a.b.example.net, has *.example.net)"},
    {"wildcard is not none",
     {.stem = "wild-gate"},
     PORTAL,
     "example.net",
     "refused our certificate",
     "is for another name"},
    {"gate by another name",
     {.stem = "other-gate"},
     PORTAL,
     NULL,
     "refused our certificate",
     "is for another name (wanted gate.example.net, has other.example.net)"},
    {"gate by another address", GATE, PORTAL, "10.7.0.2", "refused our certificate", "is for another name"},
    {"portal of another CA", GATE, {.stem = "alien/branch"}, NULL, "is issued by an unknown CA", "CA unknown there"},
    {"gate of another CA",
     {.stem = "alien/gate.example.net"},
     PORTAL,
     NULL,
     "CA unknown there",
     "is issued by an unknown CA"},
    {"portal expired",
     GATE,
     {.stem = "expired-portal"},
     NULL,
     "(branch, serial 4000) has expired, it did on 2021-01-01T00:00:00Z: issue it anew (usher-pki issue DIR portal "
     "NAME)",
     "refused our certificate: it has expired, it did on 2021-01-01T00:00:00Z: issue it anew (usher-pki issue)"},
    {"gate expired",
     {.stem = "expired-gate"},
     PORTAL,
     NULL,
     "refused our certificate: it has expired, it did on 2021-01-01T00:00:00Z: issue it anew (usher-pki issue)",
     "has expired, it did on 2021-01-01T00:00:00Z: issue it anew (usher-pki issue DIR gate NAME)"},
    {"portal not yet valid",
     GATE,
     {.stem = "future-portal"},
     NULL,
     "is not yet valid, but from 2038-01-01",
     "not yet valid"},
    {"gate not yet valid", {.stem = "future-gate"}, PORTAL, NULL, "not yet valid", "is not yet valid"},
    {"portal revoked",
     {.stem = "pki/gate.example.net", .crl = "pki/crl.pem"},
     {.stem = "pki/lost"},
     NULL,
     "is revoked",
     "refused our certificate as bad: revoked"},
    {"gate revoked",
     {.stem = "pki/lost-gate.example.net"},
     {.stem = "pki/branch", .crl = "pki/crl.pem"},
     "lost-gate.example.net",
     "revoked",
     "is revoked"},
    {"portal's certificate signed by a leaf",
     GATE,
     {.stem = "grafted-portal"},
     NULL,
     "certificate",
     "refused our certificate"},
    {"gate's certificate signed by a leaf",
     {.stem = "grafted-gate"},
     PORTAL,
     NULL,
     "refused our certificate",
     "certificate"},
    {"portal signed with SHA-1", GATE, {.stem = "sha1-portal"}, NULL, "certificate", "refused our certificate"},
    {"gate signed with SHA-1", {.stem = "sha1-gate"}, PORTAL, NULL, "refused our certificate", "certificate"},
    {"intermediate CA without CRL",
     {.stem = "pki/gate.example.net", .ca = "both.crt", .crl = "pki/crl.pem"},
     {.stem = "deep-portal", .ca = "pki/ca.crt"},
     NULL,
     "no revocation list of its CA is loaded",
     "refused our certificate"},
};

static bool says(const char *want, enum tls_result result, const struct tls *tls)
{
    if (!want)
        return result == TLS_OK && !tls_reason(tls)[0] && !tls_is_untrusted(tls);
    return result == TLS_FAILED && strstr(tls_reason(tls), want) && tls_is_untrusted(tls);
}

static void test_matrix(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct pair p = pair_new(row->gate, row->portal, row->wanted);
        shake(&p, SIZE_MAX);
        if (!says(row->gate_says, p.gate_result, p.gate))
            fail_msg("%s: the gate is %d and says \"%s\"", row->name, p.gate_result, tls_reason(p.gate));
        if (!says(row->portal_says, p.portal_result, p.portal))
            fail_msg("%s: the portal is %d and says \"%s\"", row->name, p.portal_result, tls_reason(p.portal));
        pair_free(&p);
    }
}

// What tls_identity_new itself refuses, and what in its sentence says so.
static void test_own_material(void **state)
{
    static const struct {
        const char *name;
        enum tls_role role;
        struct certs_case own;
        const char *says;
        enum tls_credential at_fault;
    } cases[] = {
        {"gate certificate at a portal", TLS_PORTAL, GATE, "lacks the extended key usage clientAuth", TLS_CERTIFICATE},
        {"portal certificate at a gate", TLS_GATE, PORTAL, "lacks the extended key usage serverAuth", TLS_CERTIFICATE},
        {"no EKU",
         TLS_PORTAL,
         {.stem = "purposeless-portal"},
         "lacks the extended key usage clientAuth",
         TLS_CERTIFICATE},
        {"no digitalSignature",
         TLS_GATE,
         {.stem = "keyless-gate"},
         "lacks the key usage digitalSignature",
         TLS_CERTIFICATE},
        {"a CA", TLS_GATE, {.stem = "ca-gate"}, "is a CA's own", TLS_CERTIFICATE},
        {"no name",
         TLS_PORTAL,
         {.stem = "nameless-portal"},
         "no name that a gate could know a portal by",
         TLS_CERTIFICATE},
        {"another key",
         TLS_PORTAL,
         {.stem = "pki/branch", .key = "alien/branch"},
         "does not belong to the certificate",
         TLS_KEY},
        {"a certificate as key", TLS_PORTAL, {.stem = "pki/branch", .key = "none"}, "holds no private key", TLS_KEY},
        {"a key as CA",
         TLS_PORTAL,
         {.stem = "pki/branch", .ca = "pki/ca.key"},
         "CA certificate: holds no certificate",
         TLS_CA},
        {"an expired CA",
         TLS_PORTAL,
         {.stem = "pki/branch", .ca = "old-ca.crt"},
         "CA certificate: (old) has expired, it did on 2021-01-01T00:00:00Z: make a new one and issue",
         TLS_CA},
        {"a leaf as CA", TLS_PORTAL, {.stem = "pki/branch", .ca = "pki/branch.crt"}, "is not a CA's", TLS_CA},
        {"stale CRL",
         TLS_GATE,
         {.stem = "pki/gate.example.net", .crl = "stale.pem"},
         "CRL: is out of date since 2020-02-01T00:00:00Z: make a fresh",
         TLS_CRL},
        {"CRL of another CA", TLS_GATE, {.stem = "pki/gate.example.net", .crl = "alien.pem"}, "CRL: not by", TLS_CRL},
        {"two CRLs", TLS_GATE, {.stem = "pki/gate.example.net", .crl = "double.pem"}, "two lists of the same", TLS_CRL},
        {"no CRL in it", TLS_GATE, {.stem = "pki/gate.example.net", .crl = "pki/ca.crt"}, "CRL: holds no", TLS_CRL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fault fault = {""};
        enum tls_credential at_fault;
        struct tls_identity *identity = certs_try(cases[i].role, &cases[i].own, &at_fault, &fault);
        CASE(cases[i].name, identity == NULL);
        CASE(cases[i].name, at_fault == cases[i].at_fault);
        if (!strstr(fault.text, cases[i].says))
            fail_msg("%s: \"%s\"", cases[i].name, fault.text);
    }
}

// Certificates live for 825 days here, and lists for 180.
static void test_what_runs_out(void **state)
{
    (void)state;
    struct tls_identity *plain = certs_identity(TLS_PORTAL, (struct certs_case){.stem = "pki/branch"});
    struct tls_identity *listed =
        certs_identity(TLS_PORTAL, (struct certs_case){.stem = "pki/branch", .crl = "pki/crl.pem"});
    const usec_t day = 86400 * USEC_PER_SEC, now = (usec_t)time(NULL) * USEC_PER_SEC;
    const usec_t *expires = tls_identity_expires(plain);
    assert_in_range(expires[TLS_CERTIFICATE], now + 824 * day, now + 825 * day);
    assert_in_range(expires[TLS_CA], now + 3600 * day, now + 3660 * day);
    assert_true(expires[TLS_CRL] == USEC_NEVER && expires[TLS_KEY] == USEC_NEVER);
    assert_in_range(tls_identity_expires(listed)[TLS_CRL], now + 179 * day, now + 180 * day);
    tls_identity_free(plain);
    tls_identity_free(listed);
}

// A clock that was never set shows less than the CA's own certificate says. A day is left to authorities whose clock is
// ahead of ours.
static void test_a_clock_that_was_never_set(void **state)
{
    (void)state;
    struct tls_identity *listed =
        certs_identity(TLS_PORTAL, (struct certs_case){.stem = "pki/branch", .crl = "pki/crl.pem"});
    const usec_t day = 86400 * USEC_PER_SEC, now = (usec_t)time(NULL) * USEC_PER_SEC;
    const struct {
        usec_t wall;
        bool may;
    } rows[] = {
        {0, false},  {now - 400 * day, false}, {now - 2 * day, false}, {now - day / 2, true},
        {now, true}, {now + 400 * day, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fault why = {""};
        bool may = tls_identity_may_judge(listed, rows[i].wall, &why);
        if (may != rows[i].may || (!may && !strstr(why.text, "until it is set")))
            fail_msg("row %zu: \"%s\"", i, why.text);
    }
    struct fault why;
    tls_identity_may_judge(listed, 0, &why);
    assert_int_equal(strncmp(why.text, "the clock says 1970-01-01, and it is 20", 39), 0);
    tls_identity_free(listed);
}

// A handshake and data that arrive byte by byte are the same as in one piece; what was agreed is what we allow.
static void test_agreement(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 7, 1460, SIZE_MAX};
    for (size_t i = 0; i < COUNT(steps); i++) {
        struct pair p = pair_new((struct certs_case)GATE, (struct certs_case)PORTAL, NULL);
        shake(&p, steps[i]);
        assert_int_equal(p.gate_result, TLS_OK);
        assert_int_equal(p.portal_result, TLS_OK);
        assert_true(tls_alpn_agreed(p.gate) && tls_alpn_agreed(p.portal));
        assert_string_equal(tls_cipher(p.gate), "TLS_AES_128_GCM_SHA256");
        assert_string_equal(tls_peer_name(p.gate), "branch");
        assert_string_equal(tls_peer_name(p.portal), "gate.example.net");
        assert_true(strlen(tls_peer_serial(p.gate)) == 32);
        // 825 days ahead, by usher-pki.
        usec_t days = (tls_peer_expires(p.gate) / USEC_PER_SEC - (usec_t)time(NULL)) / 86400;
        assert_in_range(days, 823, 825);
        pair_free(&p);
    }
}

static void test_data(void **state)
{
    (void)state;
    struct pair p = pair_new((struct certs_case)GATE, (struct certs_case)PORTAL, NULL);
    shake(&p, SIZE_MAX);
    static uint8_t sent[CHUNK_SIZE], got[CHUNK_SIZE];
    size_t len;
    static const size_t sizes[] = {1, 2, 100, 1400, 16383, 16384};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        memset(sent, (int)i + 1, sizes[i]);
        assert_int_equal(tls_write(p.portal, sent, sizes[i]), TLS_OK);
        move(p.portal, p.gate, SIZE_MAX);
        assert_int_equal(tls_read(p.gate, got, sizeof(got), &len), TLS_OK);
        assert_int_equal(len, sizes[i]);
        assert_memory_equal(got, sent, len);
        assert_int_equal(tls_read(p.gate, got, sizeof(got), &len), TLS_AGAIN);
    }
    tls_close_notify(p.portal);
    move(p.portal, p.gate, SIZE_MAX);
    assert_int_equal(tls_read(p.gate, got, sizeof(got), &len), TLS_CLOSED);
    pair_free(&p);
}

// Writes of any size, cut anywhere on the way, with a change of keys now and then: records are built and opened in buffers that
// move under them, and what comes out is what went in.
static void test_cut_anywhere(void **state)
{
    (void)state;
    static uint8_t sent[TLS_BATCH_MAX], got[CHUNK_SIZE];
    struct pair p = pair_new((struct certs_case)GATE, (struct certs_case)PORTAL, NULL);
    shake(&p, SIZE_MAX);
    uint8_t in = 0, out = 0;
    size_t under_way = 0, len;
    srandom(11);
    for (int i = 0; i < 20000; i++) {
        size_t room = tls_output_room(p.gate, TLS_BATCH_MAX);
        len = (size_t)random() % (random() % 8 ? 3000 : 60000);
        len = len < room ? len : room;
        for (size_t b = 0; b < len; b++)
            sent[b] = in++;
        if (len > 0)
            assert_int_equal(tls_write(p.gate, sent, len), TLS_OK);
        under_way += len;
        if (random() % 500 == 0)
            tls_confirm(p.gate);
        move(p.gate, p.portal, (size_t)random() % (random() % 8 ? 5000 : 100000));
        for (int reads = (int)(random() % 4); reads > 0 && tls_read(p.portal, got, sizeof got, &len) == TLS_OK;
             reads--) {
            for (size_t b = 0; b < len; b++)
                assert_int_equal(got[b], out++);
            under_way -= len;
        }
        if (random() % 100 == 0)
            tls_trim(p.portal);
        move(p.portal, p.gate, SIZE_MAX);
        assert_int_equal(tls_read(p.gate, got, sizeof got, &len), TLS_AGAIN);
    }
    while (move(p.gate, p.portal, SIZE_MAX) > 0 || tls_input_is_waiting(p.portal))
        while (tls_read(p.portal, got, sizeof got, &len) == TLS_OK)
            under_way -= len;
    assert_int_equal(under_way, 0);
    pair_free(&p);
}

// The portal learns from the gate alone that it was accepted, and neither end takes harm from it.
static void test_confirmation(void **state)
{
    (void)state;
    struct pair p = pair_new((struct certs_case)GATE, (struct certs_case)PORTAL, NULL);
    uint8_t room[CHUNK_SIZE];
    size_t len;
    shake(&p, SIZE_MAX);
    assert_int_equal(tls_read(p.portal, room, sizeof(room), &len), TLS_AGAIN);
    assert_false(tls_is_confirmed(p.portal));
    tls_confirm(p.gate);
    move(p.gate, p.portal, SIZE_MAX);
    assert_int_equal(tls_read(p.portal, room, sizeof(room), &len), TLS_AGAIN);
    assert_true(tls_is_confirmed(p.portal));
    move(p.portal, p.gate, SIZE_MAX);
    assert_int_equal(tls_read(p.gate, room, sizeof(room), &len), TLS_AGAIN);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tls_write(p.gate, (const uint8_t *)"down", 4), TLS_OK);
        assert_int_equal(tls_write(p.portal, (const uint8_t *)"up", 2), TLS_OK);
        move(p.gate, p.portal, SIZE_MAX);
        move(p.portal, p.gate, SIZE_MAX);
        assert_int_equal(tls_read(p.portal, room, sizeof(room), &len), TLS_OK);
        assert_memory_equal(room, "down", 4);
        assert_int_equal(tls_read(p.gate, room, sizeof(room), &len), TLS_OK);
        assert_memory_equal(room, "up", 2);
    }
    pair_free(&p);
}

// As much as tls_output_room promises fits, for the smallest and the largest batch, written by the record or as one.
static void test_output_room(void **state)
{
    (void)state;
    struct pair p = pair_new((struct certs_case)GATE, (struct certs_case)PORTAL, NULL);
    shake(&p, SIZE_MAX);
    static const size_t limits[] = {64 * 1024, 256 * 1024};
    static uint8_t all[256 * 1024], room[CHUNK_SIZE];
    for (size_t i = 0; i < 2 * COUNT(limits); i++) {
        size_t limit = limits[i / 2], promised = tls_output_room(p.gate, limit), written = 0, len, total = 0;
        assert_int_equal(promised, limit / (CHUNK_SIZE + 256) * CHUNK_SIZE);
        for (size_t left; (left = tls_output_room(p.gate, limit)) > 0; written += len) {
            len = i % 2 ? left : CHUNK_SIZE;
            assert_int_equal(tls_write(p.gate, all, len), TLS_OK);
        }
        tls_output(p.gate, &len);
        assert_true(len <= limit && written == promised);
        move(p.gate, p.portal, SIZE_MAX);
        while (tls_read(p.portal, room, sizeof(room), &len) == TLS_OK)
            total += len;
        assert_int_equal(total, promised);
        tls_trim(p.gate);
        tls_trim(p.portal);
    }
    pair_free(&p);
}

// A byte changed on the way ends it, and says so at both ends.
static void test_altered(void **state)
{
    (void)state;
    struct pair p = pair_new((struct certs_case)GATE, (struct certs_case)PORTAL, NULL);
    shake(&p, SIZE_MAX);
    uint8_t room[CHUNK_SIZE];
    size_t len, size;
    assert_int_equal(tls_write(p.portal, (const uint8_t *)"hello", 5), TLS_OK);
    uint8_t *at = tls_input_room(p.gate, &size);
    move(p.portal, p.gate, SIZE_MAX);
    at[8] ^= 1;
    assert_int_equal(tls_read(p.gate, room, sizeof(room), &len), TLS_FAILED);
    assert_non_null(strstr(tls_reason(p.gate), "altered on the way"));
    move(p.gate, p.portal, SIZE_MAX);
    assert_int_equal(tls_read(p.portal, room, sizeof(room), &len), TLS_FAILED);
    assert_non_null(strstr(tls_reason(p.portal), "altered on the way"));
    assert_false(tls_is_untrusted(p.gate) || tls_is_untrusted(p.portal));
    pair_free(&p);
}

// Record headers that no honest peer sends, before and after the handshake. The third is the one that makes the
// library read outside its buffer (CVE-2024-0901).
static void test_record_headers(void **state)
{
    static const struct {
        const char *name;
        uint8_t bytes[5 + 16];
        size_t len;
        const char *says;
    } cases[] = {
        {"plain text", "GET / HTTP/1.1", 14, "does not speak TLS"},
        {"no body", {22, 3, 3, 0, 0}, 5, "record of 0 bytes"},
        {"tag only", {23, 3, 3, 0, 16}, 21, "record of 16 bytes"},
        {"too long", {23, 3, 3, 0x41, 0x01}, 5, "record of 16641 bytes"},
        {"SSL 2", {0x80, 0x2e, 1, 0, 2}, 5, "does not speak TLS"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases) * 2; i++) {
        bool after = i >= COUNT(cases);
        size_t c = i % COUNT(cases), len, size;
        uint8_t room[CHUNK_SIZE];
        struct pair p = pair_new((struct certs_case)GATE, (struct certs_case)PORTAL, NULL);
        if (after)
            shake(&p, SIZE_MAX);
        memcpy(tls_input_room(p.gate, &size), cases[c].bytes, cases[c].len);
        tls_input_added(p.gate, cases[c].len);
        enum tls_result result = after ? tls_read(p.gate, room, sizeof(room), &len) : tls_handshake(p.gate);
        CASE(cases[c].name, result == TLS_FAILED && strstr(tls_reason(p.gate), cases[c].says));
        pair_free(&p);
    }
}

// Who was let in is judged by what is believed later.
static void test_trusted_later(void **state)
{
    static const struct {
        const char *name;
        struct certs_case gate, portal; // at the handshake
        struct certs_case judge;        // the gate later
        const char *why;                // NULL: still trusted
    } cases[] = {
        {"nothing is new", GATE, PORTAL, GATE, NULL},
        {"a list that it is not on", GATE, PORTAL, {.stem = "pki/gate.example.net", .crl = "pki/crl.pem"}, NULL},
        {"another certificate of ours", GATE, PORTAL, {.stem = "rsa-gate"}, NULL},
        {"a bundle with its CA", GATE, PORTAL, {.stem = "pki/gate.example.net", .ca = "both.crt"}, NULL},
        {"a list that it is on",
         GATE,
         {.stem = "pki/lost"},
         {.stem = "pki/gate.example.net", .crl = "pki/crl.pem"},
         "(lost, serial"},
        {"another CA", GATE, PORTAL, {.stem = "alien/gate.example.net", .ca = "alien/ca.crt"}, "unknown CA"},
        {"by way of an intermediate CA",
         {.stem = "deep-gate", .ca = "root.crt"},
         {.stem = "deep-portal", .ca = "root.crt"},
         {.stem = "deep-gate", .ca = "root.crt"},
         NULL},
        {"which is not believed any more",
         {.stem = "deep-gate", .ca = "root.crt"},
         {.stem = "deep-portal", .ca = "root.crt"},
         GATE,
         "unknown CA"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fault why = {""};
        struct pair p = pair_new(cases[i].gate, cases[i].portal, NULL);
        shake(&p, SIZE_MAX);
        CASE(cases[i].name, p.gate_result == TLS_OK);
        struct tls_identity *later = certs_identity(TLS_GATE, cases[i].judge);
        CASE(cases[i].name, tls_peer_is_trusted(p.gate, later, &why) == !cases[i].why);
        CASE(cases[i].name, !cases[i].why || strstr(why.text, cases[i].why));
        CASE(cases[i].name, !tls_reason(p.gate)[0]); // it goes on
        tls_identity_free(later);
        pair_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matrix),         cmocka_unit_test(test_own_material),
        cmocka_unit_test(test_what_runs_out),  cmocka_unit_test(test_a_clock_that_was_never_set),
        cmocka_unit_test(test_agreement),      cmocka_unit_test(test_data),
        cmocka_unit_test(test_output_room),    cmocka_unit_test(test_altered),
        cmocka_unit_test(test_record_headers), cmocka_unit_test(test_confirmation),
        cmocka_unit_test(test_trusted_later),  cmocka_unit_test(test_cut_anywhere),
    };
    struct fault fault;
    if (!tls_library_start(&fault))
        return 1;
    return cmocka_run_group_tests(tests, certs_make, certs_remove);
}
