// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "base/base64.h"

#include <stdio.h>
#include <string.h>

static void test_encode(void **state)
{
    static const struct {
        const char *bytes, *text;
    } rows[] = {{"", ""},
                {"f", "Zg=="},
                {"fo", "Zm8="},
                {"foo", "Zm9v"},
                {"foob", "Zm9vYg=="},
                {"fooba", "Zm9vYmE="},
                {"foobar", "Zm9vYmFy"},
                {"\xfb\xef\xff", "++//"}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char room[BASE64_SIZE(6)];
        base64_encode(room, (const uint8_t *)rows[i].bytes, strlen(rows[i].bytes));
        assert_string_equal(room, rows[i].text);
    }
}

static void test_decode(void **state)
{
    static const struct {
        const char *text, *bytes; // NULL: refused
    } rows[] = {
        {"", ""},       {"Zg", "f"},    {"Zm8", "fo"},   {"Zm9v", "foo"}, {"Zm9vYg", "foob"}, {"--__", "\xfb\xef\xff"},
        {"Zg==", NULL}, {"Z", NULL},    {"Zm9vY", NULL}, {"Zh", NULL},    {"Zm9", NULL},      {"Zm 8", NULL},
        {"Zm8+", NULL}, {"Zm8/", NULL}, {"Zm8\n", NULL}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t room[8];
        size_t len;
        bool good = base64url_decode(room, &len, rows[i].text, strlen(rows[i].text));
        CASE(rows[i].text, good == (rows[i].bytes != NULL));
        if (good)
            CASE(rows[i].text, len == strlen(rows[i].bytes) && !memcmp(room, rows[i].bytes, len));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_encode), cmocka_unit_test(test_decode)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
