// SPDX-License-Identifier: GPL-2.0-or-later
// SOCKS messages as bytes: what is whole, what is partial, what is broken, and what we answer.
#include "edge/listen/socks/message.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static void test_greeting(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[8];
        size_t len;
        enum socks_parsed parsed;
        size_t used;
        bool none, password;
    } cases[] = {
        {{5}, 0, SOCKS_PARTIAL, 0, false, false},          {{5}, 1, SOCKS_PARTIAL, 0, false, false},
        {{5, 1}, 2, SOCKS_PARTIAL, 0, false, false},       {{5, 1, 0}, 3, SOCKS_WHOLE, 3, true, false},
        {{5, 2, 0, 2}, 4, SOCKS_WHOLE, 4, true, true},     {{5, 2, 2, 0}, 3, SOCKS_PARTIAL, 0, false, false},
        {{5, 1, 2, 5, 1}, 5, SOCKS_WHOLE, 3, false, true}, // what is behind it stays
        {{5, 0}, 2, SOCKS_WHOLE, 2, false, false},         {{'G', 'E', 'T'}, 3, SOCKS_BROKEN, 0, false, false},
        {{4, 1}, 2, SOCKS_BROKEN, 0, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct socks_greeting greeting;
        size_t used = 0;
        assert_int_equal(socks_greeting_parse(&greeting, cases[i].bytes, cases[i].len, &used), cases[i].parsed);
        assert_int_equal(used, cases[i].used);
        if (cases[i].parsed == SOCKS_WHOLE) {
            assert_int_equal(greeting.offers_none, cases[i].none);
            assert_int_equal(greeting.offers_password, cases[i].password);
        }
    }
}

static void test_password(void **state)
{
    (void)state;
    const uint8_t bytes[] = {1, 3, 'b', 'o', 'b', 2, 'p', 'w', 5};
    struct socks_password password;
    size_t used = 0;
    for (size_t len = 0; len < sizeof bytes - 1; len++)
        assert_int_equal(socks_password_parse(&password, bytes, len, &used), SOCKS_PARTIAL);
    assert_int_equal(socks_password_parse(&password, bytes, sizeof bytes, &used), SOCKS_WHOLE);
    assert_int_equal(used, sizeof bytes - 1);
    assert_string_equal(password.user, "bob");
    assert_string_equal(password.password, "pw");
    assert_int_equal(socks_password_parse(&password, BYTES(1, 2, 'a', 0, 1, 'x'), &used), SOCKS_BROKEN);
    assert_int_equal(socks_password_parse(&password, BYTES(5, 1), &used), SOCKS_BROKEN);
}

static void expect_request(const uint8_t *bytes, size_t len, size_t used, const char *far)
{
    struct socks_request request;
    char text[USHER_HOST_MAX + 16];
    char addr[ADDRESS_TEXT_SIZE];
    size_t took = 0;
    for (size_t part = 0; part < used; part++)
        assert_int_equal(socks_request_parse(&request, bytes, part, &took), SOCKS_PARTIAL);
    assert_int_equal(socks_request_parse(&request, bytes, len, &took), SOCKS_WHOLE);
    assert_int_equal(took, used);
    snprintf(text, sizeof text, "%u %u %s %u", request.version, request.command,
             request.target.addr.version ? address_text(&request.target.addr, addr) : request.target.host,
             request.target.port);
    assert_string_equal(text, far);
}

static void test_requests(void **state)
{
    (void)state;
    expect_request(BYTES(4, 1, 0, 80, 10, 73, 0, 2, 0), 9, "4 1 10.73.0.2 80");
    expect_request(BYTES(4, 1, 1, 0, 10, 73, 0, 2, 'm', 'e', 0, 'G'), 11, "4 1 10.73.0.2 256");
    expect_request(BYTES(4, 1, 0, 80, 0, 0, 0, 1, 0, 'd', 'b', '.', 'x', 0, 'G'), 14, "4 1 db.x 80");
    expect_request(BYTES(4, 1, 0, 80, 0, 0, 0, 7, 'u', 0, '1', '0', '.', '1', '.', '1', '.', '1', 0), 19,
                   "4 1 10.1.1.1 80");
    expect_request(BYTES(5, 1, 0, 1, 10, 73, 0, 2, 0, 80, 'G'), 10, "5 1 10.73.0.2 80");
    expect_request(BYTES(5, 1, 0, 3, 4, 'd', 'b', '.', 'x', 0, 22), 11, "5 1 db.x 22");
    expect_request(BYTES(5, 1, 0, 3, 8, '1', '0', '.', '1', '.', '1', '.', '1', 0, 22), 15, "5 1 10.1.1.1 22");
    expect_request(BYTES(5, 3, 0, 4, 0xfd, 0x73, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 187), 22,
                   "5 3 fd73::1 443");
    expect_request(BYTES(5, 9, 0, 1, 10, 73, 0, 2, 0, 80), 10, "5 9 10.73.0.2 80");
}

static void test_broken_requests(void **state)
{
    (void)state;
    struct socks_request request;
    size_t used;
    assert_int_equal(socks_request_parse(&request, BYTES('G', 'E', 'T', ' '), &used), SOCKS_BROKEN);
    assert_int_equal(socks_request_parse(&request, BYTES(5, 1, 0, 2, 1), &used), SOCKS_BROKEN);
    assert_int_equal(socks_request_parse(&request, BYTES(5, 1, 0, 3, 0, 0, 80), &used), SOCKS_BROKEN);
    assert_int_equal(socks_request_parse(&request, BYTES(5, 1, 0, 3, 3, 'a', 0, 'b', 0, 80), &used), SOCKS_BROKEN);
    assert_int_equal(socks_request_parse(&request, BYTES(4, 1, 0, 80, 0, 0, 0, 1, 0, 0), &used), SOCKS_BROKEN);
    // A user, or a host, that never ends.
    uint8_t endless[SOCKS_MESSAGE_MAX];
    memset(endless, 'a', sizeof endless);
    memcpy(endless, (const uint8_t[]){4, 1, 0, 80, 0, 0, 0, 1}, 8);
    assert_int_equal(socks_request_parse(&request, endless, sizeof endless - 1, &used), SOCKS_PARTIAL);
    assert_int_equal(socks_request_parse(&request, endless, sizeof endless, &used), SOCKS_BROKEN);
    endless[8] = '\0';
    endless[8 + 1 + 256] = '\0';
    assert_int_equal(socks_request_parse(&request, endless, sizeof endless, &used), SOCKS_BROKEN);
}

static void test_replies(void **state)
{
    (void)state;
    static const struct {
        enum usher_word word;
        const char *text;
        uint8_t code;
    } cases[] = {
        {USHER_REFUSED, "", 5},
        {USHER_UNREACHABLE, "net 10.73.0.1:80: Network is unreachable", 3},
        {USHER_UNREACHABLE, "host 10.73.0.1:80: No route to host", 4},
        {USHER_RESOLVE, "no such name", 4},
        {USHER_TIMEOUT, "", 6},
        {USHER_DENIED, "not permitted", 2},
        {USHER_LIMIT, "too many flows", 1},
        {USHER_UNSUPPORTED, "", 1},
        {USHER_FAILED, "", 1},
    };
    uint8_t room[SOCKS_REPLY_MAX];
    const struct endpoint any = {.addr = address_v4((const uint8_t[4]){0})};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum socks_outcome outcome = socks_outcome_of(cases[i].word, cases[i].text);
        const uint8_t reply[10] = {5, cases[i].code, 0, 1};
        assert_int_equal(socks_reply_write(room, 5, outcome, &any), sizeof reply);
        assert_memory_equal(room, reply, sizeof reply);
        assert_int_equal(socks_reply_write(room, 4, outcome, &any), 8);
        assert_int_equal(room[1], 0x5b);
    }
    struct endpoint bound;
    assert_true(endpoint_parse(&bound, "[fd73::1]:5000"));
    assert_int_equal(socks_reply_write(room, 5, SOCKS_GRANTED, &bound), 22);
    assert_memory_equal(room, ((const uint8_t[]){5, 0, 0, 4, 0xfd, 0x73}), 6);
    assert_memory_equal(room + 20, ((const uint8_t[]){0x13, 0x88}), 2);
    assert_int_equal(socks_reply_write(room, 4, SOCKS_GRANTED, &bound), 8);
    assert_memory_equal(room, ((const uint8_t[]){0, 0x5a, 0, 0, 0, 0, 0, 0}), 8);
}

static void test_datagrams(void **state)
{
    (void)state;
    static const char *const ends[] = {"10.73.0.2", "fd73::2", "db.corp.example"};
    for (size_t i = 0; i < 3; i++) {
        struct socks_target from = {.port = 53}, back;
        uint8_t room[SOCKS_UDP_HEADER_MAX];
        size_t used = 0;
        if (!address_parse(&from.addr, ends[i]))
            strcpy(from.host, ends[i]);
        size_t len = socks_datagram_write(room, &from);
        assert_true(socks_datagram_parse(&back, room, len, &used));
        assert_int_equal(used, len);
        assert_int_equal(back.port, 53);
        assert_true(address_equal(&back.addr, &from.addr));
        assert_string_equal(back.host, from.host);
        for (size_t part = 0; part < len; part++)
            assert_false(socks_datagram_parse(&back, room, part, &used));
        room[2] = 1; // a fragment
        assert_false(socks_datagram_parse(&back, room, len, &used));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greeting),        cmocka_unit_test(test_password), cmocka_unit_test(test_requests),
        cmocka_unit_test(test_broken_requests), cmocka_unit_test(test_replies),  cmocka_unit_test(test_datagrams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
