// SPDX-License-Identifier: GPL-2.0-or-later
// Numbers and words: what they are, and what they are not.
#include "config/value.h"
#include "os/memory_limit.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool parse(config_parse *kind, void *field, const char *value, struct config_key key)
{
    struct config_entry entry = {.argument = "", .value = value};
    struct fault fault = {""};
    bool ok = kind(field, &entry, &key, &fault);
    CASE(value, ok || *fault.text); // a refusal has its reason
    return ok;
}

static void test_scaled(void **state)
{
    (void)state;
    static const struct {
        config_parse *kind;
        const char *text;
        uint64_t value;
    } cases[] = {
        {value_number, "0", 0},         {value_number, "18446744073709551609", 18446744073709551609u},
        {value_size, "1", 1},           {value_size, "64K", 65536},
        {value_size, "16M", 16777216},  {value_size, "3G", 3221225472},
        {value_duration, "200ms", 200}, {value_duration, "30s", 30000},
        {value_duration, "5m", 300000}, {value_duration, "2h", 7200000},
        {value_duration, "0", 0},       {value_duration, "0s", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t value = 1;
        CASE(cases[i].text, parse(cases[i].kind, &value, cases[i].text, (struct config_key){0}));
        CASE(cases[i].text, value == cases[i].value);
    }
    static const struct {
        config_parse *kind;
        const char *text;
    } wrong[] = {
        {value_number, "x"},
        {value_number, "1x"},
        {value_number, "0x10"},
        {value_number, "+1"},
        {value_number, " 1"},
        {value_size, "K"},
        {value_size, "1k"},
        {value_size, "1KiB"},
        {value_size, "1.5M"},
        {value_duration, "s"},
        {value_duration, "1 s"},
        {value_duration, "1min"},
        {value_duration, "1"},
        {value_number, "184467440737095516160"},
        {value_size, "18446744073709551G"},
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        uint64_t value = 1;
        CASE(wrong[i].text, !parse(wrong[i].kind, &value, wrong[i].text, (struct config_key){0}));
        CASE(wrong[i].text, value == 1);
    }
}

static void test_budget(void **state)
{
    (void)state;
    uint64_t value = 0, memory = memory_limit("");
    assert_true(parse(value_budget, &value, "auto", (struct config_key){.min = 1 << 20}));
    assert_int_equal(value, memory < 1u << 30 ? memory / 4 : 256 << 20);
    assert_true(parse(value_budget, &value, "3G", (struct config_key){0}));
    assert_int_equal(value, 3ull << 30);
    assert_false(parse(value_budget, &value, "automatic", (struct config_key){0}));
}

static void test_words(void **state)
{
    (void)state;
    char *text = NULL;
    static const char *const good[] = {"usher0", "a", "0123456789abcde", "a.b-c_d"};
    static const char *const bad[] = {"0123456789abcdef", "a/b", "a b", ".", "..", "a:b"};
    for (size_t i = 0; i < COUNT(good); i++) {
        CASE(good[i], parse(value_word, &text, good[i], (struct config_key){.max = 15}));
        assert_string_equal(text, good[i]);
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        CASE(bad[i], !parse(value_word, &text, bad[i], (struct config_key){.max = 15}));
    assert_true(parse(value_path, &text, "/a b/c", (struct config_key){0}));
    assert_false(parse(value_path, &text, "a/b", (struct config_key){0}));
    assert_string_equal(text, "/a b/c");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scaled),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
