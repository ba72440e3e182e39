// SPDX-License-Identifier: GPL-2.0-or-later
// SOCKS proxies that lead on, refuse, lie, and speak something else.
#include "unit.h"

#include "talk.h"

static const struct proxy PLAIN = {.kind = PROXY_SOCKS5}, OLD = {.kind = PROXY_SOCKS4A},
                          OLD_USER = {.kind = PROXY_SOCKS4A, .user = "bob"},
                          USER = {.kind = PROXY_SOCKS5, .user = "bob", .password = "secret"};

#define BYTES(text) text, sizeof(text) - 1

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const struct proxy *proxy;
        const char *says;
        size_t len;
        enum proxy_verdict verdict;
        const char *why;
    } rows[] = {
        {&PLAIN, BYTES("\5\0\5\0\0\1\1\2\3\4\0\1"), PROXY_LEADS, ""},
        {&PLAIN, BYTES("\5\0\5\0\0\4aaaaaaaaaaaaaaaa\0\1"), PROXY_LEADS, ""},
        {&PLAIN, BYTES("\5\0\5\0\0\3\3abc\0\1"), PROXY_LEADS, ""},
        {&PLAIN, BYTES("\5\0\5\0\0\3\0\0\1"), PROXY_LEADS, ""},
        {&USER, BYTES("\5\0\5\0\0\1\1\2\3\4\0\1"), PROXY_LEADS, ""},
        {&USER, BYTES("\5\2\1\0\5\0\0\1\1\2\3\4\0\1"), PROXY_LEADS, ""},
        {&OLD, BYTES("\0\x5a\0\1\1\2\3\4"), PROXY_LEADS, ""},
        {&PLAIN, BYTES("\5\0\5\0\0\1\1\2\3\4\0"), PROXY_TALKS, ""},
        {&PLAIN, BYTES("\5\xff"), PROXY_REFUSED, "asks for a password"},
        {&PLAIN, BYTES("\5\2"), PROXY_FAILED, "a way to log in that was not offered (2)"},
        {&USER, BYTES("\5\xff"), PROXY_REFUSED, "a method we do not have"},
        {&USER, BYTES("\5\1"), PROXY_FAILED, "not offered (1)"},
        {&USER, BYTES("\5\2\1\1"), PROXY_REFUSED, "refused the user and the password"},
        {&USER, BYTES("\5\2\5\0"), PROXY_FAILED, "another version of logging in (5)"},
        {&PLAIN, BYTES("\4\0"), PROXY_FAILED, "speaks SOCKS 4, not SOCKS 5"},
        {&PLAIN, BYTES("\0\x5b"), PROXY_FAILED, "speaks SOCKS 4, not SOCKS 5"},
        {&PLAIN, BYTES("HT"), PROXY_FAILED, "answers as an HTTP server does"},
        {&PLAIN, BYTES("\x16\x03"), PROXY_FAILED, "does not speak SOCKS 5: it said \"\\x16"},
        {&PLAIN, BYTES("\5\0\4\0"), PROXY_FAILED, "speaks SOCKS 4"},
        {&PLAIN, BYTES("\5\0\5\1"), PROXY_FAILED, "general failure"},
        {&PLAIN, BYTES("\5\0\5\2"), PROXY_FAILED, "does not allow"},
        {&PLAIN, BYTES("\5\0\5\3"), PROXY_FAILED, "no way to the gate's network"},
        {&PLAIN, BYTES("\5\0\5\4"), PROXY_FAILED, "cannot reach the gate's host"},
        {&PLAIN, BYTES("\5\0\5\5"), PROXY_FAILED, "nothing listens there"},
        {&PLAIN, BYTES("\5\0\5\6"), PROXY_FAILED, "no answer from the gate"},
        {&PLAIN, BYTES("\5\0\5\7"), PROXY_FAILED, "does not make connections"},
        {&PLAIN, BYTES("\5\0\5\x8"), PROXY_FAILED, "this kind of address"},
        {&PLAIN, BYTES("\5\0\5\x63"), PROXY_FAILED, "unknown code 99"},
        {&PLAIN, BYTES("\5\0\5\0\0\2\0"), PROXY_FAILED, "unknown kind of address (2)"},
        {&OLD, BYTES("\0\x5b"), PROXY_FAILED, "refused to connect to the gate"},
        {&OLD_USER, BYTES("\0\x5c"), PROXY_REFUSED, "wants an identd"},
        {&OLD_USER, BYTES("\0\x5d"), PROXY_REFUSED, "refused the user"},
        {&OLD, BYTES("\0\1"), PROXY_FAILED, "unknown code 1"},
        {&OLD, BYTES("\5\xff"), PROXY_FAILED, "speaks SOCKS 5, not SOCKS 4"},
        {&OLD, BYTES("HTTP/1.0"), PROXY_FAILED, "answers as an HTTP server does"},
        {&OLD, BYTES("SSH-2.0\""), PROXY_FAILED, "does not speak SOCKS 4: it said \"S"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t step = 1; step < 20; step += 18) {
            // What follows the answer is left.
            char text[64];
            memcpy(text, rows[i].says, rows[i].len);
            memcpy(text + rows[i].len, "TLS", 3);
            struct proxy_talk *talk = talk_new(rows[i].proxy, "gate.example.net");
            bool done = rows[i].verdict != PROXY_TALKS;
            size_t used = talk_hear(talk, text, rows[i].len + (done ? 3 : 0), step);
            CASE(rows[i].why, talk->verdict == rows[i].verdict);
            CASE(rows[i].why, rows[i].verdict != PROXY_LEADS || used == rows[i].len);
            CASE(talk->why.text, strstr(talk->why.text, rows[i].why));
            free(talk);
        }
}

static void test_requests(void **state)
{
    (void)state;
    static const struct {
        const struct proxy *proxy;
        const char *host, *says;
        size_t says_len;
        const char *out;
        size_t out_len;
    } rows[] = {
        {&PLAIN, "g", BYTES(""), BYTES("\5\1\0")},
        {&USER, "g", BYTES(""), BYTES("\5\2\0\2")},
        {&USER, "g", BYTES("\5\2"), BYTES("\1\3bob\6secret")},
        {&PLAIN, "g", BYTES("\5\0"), BYTES("\5\1\0\3\1g\x11\x51")},
        {&PLAIN, "10.3.0.2", BYTES("\5\0"), BYTES("\5\1\0\1\n\3\0\2\x11\x51")},
        {&PLAIN, "fd03::2", BYTES("\5\0"), BYTES("\5\1\0\4\xfd\3\0\0\0\0\0\0\0\0\0\0\0\0\0\2\x11\x51")},
        {&OLD, "g", BYTES(""), BYTES("\4\1\x11\x51\0\0\0\1\0g\0")},
        {&OLD_USER, "10.3.0.2", BYTES(""), BYTES("\4\1\x11\x51\n\3\0\2bob\0")},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct proxy_talk *talk = talk_new(rows[i].proxy, rows[i].host);
        talk_hear(talk, rows[i].says, rows[i].says_len, 1);
        CASE(rows[i].host, talk->out_len == rows[i].out_len && !memcmp(talk->out, rows[i].out, rows[i].out_len));
        free(talk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
