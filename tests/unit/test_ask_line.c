// SPDX-License-Identifier: GPL-2.0-or-later
// Lines as telnet, netcat and a person type them: what belongs to them, what does not, what telnet says in between.
#include "edge/listen/ask/line.h"

#include "unit.h"

#include <string.h>

#define LINE(bytes, used, text)                                                                                        \
    {                                                                                                                  \
        bytes, sizeof(bytes) - 1, used, text                                                                           \
    }

static void lines(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len, used;
        const char *text;
    } cases[] = {
        LINE("a 1\n", 4, "a 1"),
        LINE("a 1\r\n", 5, "a 1"),
        LINE("a 1\r\0", 5, "a 1"),
        LINE("a 1\r\nearly", 5, "a 1"),
        LINE("a 1\n\nearly", 4, "a 1"),
        LINE("a 1\rearly", 4, "a 1"), // a CR alone, and what is behind it is the far end's
        LINE("a 1\r\xff\xfb\x18", 4, "a 1"),
        LINE("a 1\r", 0, NULL), // the rest of the end may still come
        LINE("a 1", 0, NULL),
        LINE("", 0, NULL),
        LINE("\n", 1, ""),
        LINE("a\t1\n", 4, "a 1"),
        LINE("a\0 1\n", 5, "a 1"), // NUL is nothing (RFC 854)
        LINE("a\x01 1\n", 5, "a? 1"),
        LINE("\xc3\xa4 1\n", 5, "?? 1"),
        LINE("\xff\xfb\x18\xff\xfd\x03"
             "a 1\r\n",
             11, "a 1"),
        LINE("a\xff\xfb\x18 1\n", 7, "a 1"),
        LINE("\xff\xf1"
             "a 1\n",
             6, "a 1"),                   // NOP
        LINE("a\xff\xff 1\n", 6, "a? 1"), // a byte of data
        LINE("\xff\xfa\x18\0xterm\n\xff\xff\xff\xf0"
             "a 1\n",
             18, "a 1"), // in a subnegotiation neither LF nor IAC IAC end anything
        LINE("\xff\xfa\x18\0xterm\xff\xf1\xff\xf0\n", 14, ""),
        LINE("\xff\xfa\x18\n\n\n", 0, NULL),
        LINE("\xff", 0, NULL),
        LINE("\xff\xfb", 0, NULL),
        LINE("\xff\xfb\n\n", 4, ""), // an option called LF
        LINE("\xff\xf0\n", 3, ""),   // an end without a beginning
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[LINE_TEXT_SIZE];
        const uint8_t *bytes = (const uint8_t *)cases[i].bytes;
        assert_int_equal(line_take(text, bytes, cases[i].len), cases[i].used);
        if (!cases[i].used)
            continue;
        assert_string_equal(text, cases[i].text);
        for (size_t part = 0; part < cases[i].used; part++) {
            size_t used = line_take(text, bytes, part);
            assert_true(used == 0);
        }
    }
}

static void what_does_not_fit_is_left_out(void **state)
{
    (void)state;
    uint8_t bytes[LINE_BYTES_MAX];
    char text[LINE_TEXT_SIZE];
    memset(bytes, 'a', sizeof bytes);
    assert_int_equal(line_take(text, bytes, sizeof bytes), 0);
    bytes[sizeof bytes - 1] = '\n';
    assert_int_equal(line_take(text, bytes, sizeof bytes), sizeof bytes);
    assert_int_equal(strlen(text), LINE_TEXT_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(what_does_not_fit_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
