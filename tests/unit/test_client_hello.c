// SPDX-License-Identifier: GPL-2.0-or-later
// The hello of our own TLS, and bytes that pretend to be one.
#include "unit.h"

#include "link/tls/client_hello.h"

#include "tls_pair.h"

static const uint8_t ticket[TLS_TICKET_SIZE] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                                1,    2,    3,    4,    5,    6,    7,    255};

static uint8_t hello[CLIENT_HELLO_MAX];

static size_t make(const uint8_t *shows)
{
    struct certs_case gate = {.stem = "pki/gate.example.net"}, portal = {.stem = "pki/branch"};
    struct pair p = pair_new(gate, portal, NULL);
    size_t len;
    assert_true(!shows || tls_set_ticket(p.portal, shows));
    assert_int_equal(tls_handshake(p.portal), TLS_AGAIN);
    const uint8_t *bytes = tls_output(p.portal, &len);
    assert_true(len < sizeof hello);
    memcpy(hello, bytes, len);
    pair_free(&p);
    return len;
}

// Nothing is known before the last byte, and then the right thing.
static void test_our_own(void **state)
{
    (void)state;
    uint8_t number[TLS_TICKET_SIZE];
    for (int shows = 0; shows < 2; shows++) {
        size_t len = make(shows ? ticket : NULL);
        for (size_t part = 0; part < len; part++)
            assert_int_equal(client_hello_look(hello, part, number), CLIENT_HELLO_PARTIAL);
        assert_int_equal(client_hello_look(hello, len, number), shows ? CLIENT_HELLO_TICKET : CLIENT_HELLO_PLAIN);
        if (shows)
            assert_memory_equal(number, ticket, sizeof number);
    }
}

// In records of one byte each, and with something behind it.
static void test_in_pieces(void **state)
{
    (void)state;
    static uint8_t pieces[CLIENT_HELLO_MAX * 6 + 4];
    uint8_t number[TLS_TICKET_SIZE];
    size_t len = make(ticket), at = 0;
    for (size_t i = 5; i < len; i++) {
        const uint8_t record[] = {22, 3, 1, 0, 1, hello[i]};
        memcpy(pieces + at, record, sizeof record);
        at += sizeof record;
    }
    assert_int_equal(client_hello_look(pieces, at - 1, number), CLIENT_HELLO_PARTIAL);
    assert_int_equal(client_hello_look(pieces, at, number), CLIENT_HELLO_TICKET);
    assert_int_equal(client_hello_look(pieces, at + 4, number), CLIENT_HELLO_TICKET);
    assert_memory_equal(number, ticket, sizeof number);
}

static void test_none(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *bytes;
        size_t len;
        enum client_hello seen;
    } cases[] = {
        {"nothing", "", 0, CLIENT_HELLO_PARTIAL},
        {"half a header", "\x16\x03\x01\x02", 4, CLIENT_HELLO_PARTIAL},
        {"HTTP", "GET / HTTP/1.0\r\n\r\n", 18, CLIENT_HELLO_PLAIN},
        {"one byte that is no handshake", "\x17", 1, CLIENT_HELLO_PLAIN},
        {"an empty record", "\x16\x03\x01\x00\x00", 5, CLIENT_HELLO_PLAIN},
        {"a server's hello", "\x16\x03\x03\x00\x04\x02\x00\x00\x00", 9, CLIENT_HELLO_PLAIN},
        {"an alert in the middle", "\x16\x03\x01\x00\x01\x01\x15\x03\x03\x00\x02\x02\x28", 13, CLIENT_HELLO_PLAIN},
        {"longer than is looked at", "\x16\x03\x01\x40\x00\x01\x00\xff\xff", 9, CLIENT_HELLO_PLAIN},
        {"an empty hello", "\x16\x03\x01\x00\x04\x01\x00\x00\x00", 9, CLIENT_HELLO_PLAIN},
    };
    uint8_t number[TLS_TICKET_SIZE];
    for (size_t i = 0; i < COUNT(cases); i++)
        CASE(cases[i].name, client_hello_look((const uint8_t *)cases[i].bytes, cases[i].len, number) == cases[i].seen);
}

static uint8_t *find(size_t len)
{
    return memmem(hello, len, CLIENT_HELLO_LANE, strlen(CLIENT_HELLO_LANE));
}

// Names that are nearly one, and lengths that are wrong.
static void test_damaged(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int at; // from the name
        uint8_t byte;
    } cases[] = {
        {"another name", 0, 'U'},
        {"capital digits", 11, 'A'},
        {"no digit", 42, 'g'},
        {"another protocol's slash", 10, ':'},
        {"a longer name", -1, 44},
        {"a shorter name", -1, 42},
        {"a name of no length", -1, 0},
        {"a list of another length", -2, 1},
        {"an extension of another length", -4, 1},
    };
    uint8_t number[TLS_TICKET_SIZE];
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len = make(ticket);
        *(find(len) + cases[i].at) = cases[i].byte;
        CASE(cases[i].name, client_hello_look(hello, len, number) == CLIENT_HELLO_PLAIN);
    }
}

// Who is asked agrees if he knows that number and that certificate, and to a new tunnel if he was told of no number.
static void test_agreement(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool offers, knows, same, agrees, goes_on;
    } cases[] = {
        {"both", true, true, true, true, true},
        {"a gate that does not know it", true, false, true, true, false},
        {"a portal that shows none", false, true, true, true, false},
        {"another certificate", true, true, false, false, false},
    };
    struct certs_case gate = {.stem = "pki/gate.example.net"}, portal = {.stem = "pki/branch"},
                      other = {.stem = "rsa-portal"};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pair before = pair_new(gate, cases[i].same ? portal : other, NULL), p = pair_new(gate, portal, NULL);
        shake(&before, SIZE_MAX);
        CASE(cases[i].name, before.gate_result == TLS_OK);
        assert_true(!cases[i].offers || tls_set_ticket(p.portal, ticket));
        assert_true(!cases[i].knows || tls_set_ticket(p.gate, ticket));
        tls_set_peer(p.gate, before.gate);
        tls_retire(before.gate);
        shake(&p, SIZE_MAX);
        CASE(cases[i].name, (p.gate_result == TLS_OK) == cases[i].agrees);
        CASE(cases[i].name, tls_is_going_on(p.gate) == cases[i].goes_on);
        CASE(cases[i].name, !cases[i].agrees || tls_is_going_on(p.portal) == cases[i].goes_on);
        CASE(cases[i].name, !cases[i].agrees || (tls_alpn_agreed(p.gate) && tls_alpn_agreed(p.portal)));
        CASE(cases[i].name,
             cases[i].agrees || strstr(tls_reason(p.gate), "another than the one that the tunnel began with"));
        CASE(cases[i].name, cases[i].agrees || tls_is_untrusted(p.portal));
        pair_free(&before);
        pair_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_our_own), cmocka_unit_test(test_in_pieces), cmocka_unit_test(test_none),
        cmocka_unit_test(test_damaged), cmocka_unit_test(test_agreement),
    };
    struct fault fault;
    if (!tls_library_start(&fault))
        return 1;
    return cmocka_run_group_tests(tests, certs_make, certs_remove);
}
