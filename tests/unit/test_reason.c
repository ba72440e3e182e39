// SPDX-License-Identifier: GPL-2.0-or-later
#include "usher/reason.h"

#include "unit.h"

#include <string.h>

static void parses_every_reason(void **state)
{
    static const struct {
        const char *reason;
        enum usher_word word;
        const char *text;
    } cases[] = {
        {"refused: connection refused", USHER_REFUSED, "connection refused"},
        {"unreachable: no route", USHER_UNREACHABLE, "no route"},
        {"timeout: 10 s", USHER_TIMEOUT, "10 s"},
        {"denied: by rule", USHER_DENIED, "by rule"},
        {"resolve: no such name", USHER_RESOLVE, "no such name"},
        {"limit: sessions", USHER_LIMIT, "sessions"},
        {"unsupported: SCTP", USHER_UNSUPPORTED, "SCTP"},
        {"failed: x", USHER_FAILED, "x"},
        {"refused", USHER_REFUSED, ""},
        {"refused:", USHER_REFUSED, ""},
        {"refused:now", USHER_REFUSED, "now"},
        {"", USHER_FAILED, ""},
        {"refusedly: x", USHER_FAILED, "refusedly: x"},
        {"ref: x", USHER_FAILED, "ref: x"},
        {"Refused: x", USHER_FAILED, "Refused: x"},
        {"Connection refused", USHER_FAILED, "Connection refused"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text;
        assert_int_equal(usher_reason_parse(cases[i].reason, &text), cases[i].word);
        assert_string_equal(text, cases[i].text);
    }
}

static void writes_what_it_parses(void **state)
{
    char room[64];
    const char *text;
    (void)state;
    for (int word = 0; word < USHER_WORDS; word++) {
        assert_ptr_equal(usher_reason_write(room, sizeof room, word, "why"), room);
        assert_int_equal(usher_reason_parse(room, &text), word);
        assert_string_equal(text, "why");
    }
}

static void cuts_to_fit(void **state)
{
    char room[12];
    (void)state;
    assert_string_equal(usher_reason_write(room, sizeof room, USHER_TIMEOUT, "long text"), "timeout: lo");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_every_reason),
        cmocka_unit_test(writes_what_it_parses),
        cmocka_unit_test(cuts_to_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
