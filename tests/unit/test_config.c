// SPDX-License-Identifier: GPL-2.0-or-later
// The table-driven parser: what it takes, and that each mistake is reported with its line, all of them at once.
#include "config/config.h"
#include "config/secret_file.h"
#include "config/value.h"
#include "config/value_net.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fields {
    char *text;
    uint64_t number, size, duration;
    bool on;
    struct value_prefixes prefixes, allowed;
    char *secret;
    char log[512]; // of named sections and of keys that repeat
};

static void note(void *into, const char *argument)
{
    struct fields *fields = into;
    strcat(strcat(fields->log, argument), ";");
}

static bool take_rule(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    (void)key;
    if (!strcmp(entry->value, "wrong"))
        return fault_set(fault, "the rule is wrong");
    strcat(strcat(strcat(strcat(field, entry->argument), "="), entry->value), ";");
    return true;
}

static bool take_text(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    (void)key;
    (void)fault;
    free(*(char **)field);
    *(char **)field = strdup(entry->value);
    return true;
}

#define FIELD(name) offsetof(struct fields, name)

static const struct config_section SECTIONS[] = {{.name = "Main"}, {.name = "Rules", .named = true, .started = note}};
static const struct config_key KEYS[] = {
    {"Main", "Text", take_text, FIELD(text), .required = true},
    {"Main", "Number", value_number, FIELD(number), .fallback = "7", .min = 1, .max = 100},
    {"Main", "Size", value_size, FIELD(size), .fallback = "64K"},
    {"Main", "Duration", value_duration, FIELD(duration), .fallback = "5s"},
    {"Main", "On", value_switch, FIELD(on), .fallback = "no"},
    {"Main", "Prefixes", value_prefixes, FIELD(prefixes), .list = true},
    {"Main", "Allowed", value_prefixes, FIELD(allowed), .list = true, .fallback = "127.0.0.0/8, ::1/128"},
    {"Main", "Secret", value_path, FIELD(secret), .fallback = NULL},
    {"Rules", "Rule", take_rule, FIELD(log), .repeats = true},
};

static struct fields fields;
static char *report;

// Clears the fields and the report.
static struct config start(void)
{
    static size_t size;
    free(report);
    free(fields.text);
    free(fields.secret);
    value_prefixes_fini(&fields.prefixes);
    value_prefixes_fini(&fields.allowed);
    fields = (struct fields){0};
    return (struct config){
        .path = "f",
        .sections = SECTIONS,
        .section_count = COUNT(SECTIONS),
        .keys = KEYS,
        .key_count = COUNT(KEYS),
        .into = &fields,
        .report = open_memstream(&report, &size),
    };
}

// Reads `text`; what was reported is in `report`.
static bool read_text(const char *text, size_t len)
{
    struct config config = start();
    bool ok = config_read(&config, &(struct blob){(uint8_t *)text, len});
    fclose(config.report);
    config_fini(&config);
    return ok;
}

static bool read_string(const char *text)
{
    return read_text(text, strlen(text));
}

static void test_defaults(void **state)
{
    (void)state;
    assert_true(read_string("[Main]\nText = x\n"));
    assert_string_equal(report, "");
    assert_string_equal(fields.text, "x");
    assert_int_equal(fields.number, 7);
    assert_int_equal(fields.size, 65536);
    assert_int_equal(fields.duration, 5000);
    assert_false(fields.on);
    assert_int_equal(fields.prefixes.count, 0);
    assert_int_equal(fields.allowed.count, 2);
    assert_true(read_string("[Main]\nText = x\nAllowed = 10.0.0.0/8\n"));
    assert_int_equal(fields.allowed.count, 1); // instead of the default, not beside it
}

static void test_dialect(void **state)
{
    (void)state;
    assert_true(read_string("\xef\xbb\xbf; a comment\n"
                            "# another\n"
                            "\n"
                            "[main] ; sections and keys in any case\n"
                            "    text = a;b    ; a comment needs white space in front\n"
                            "\tNUMBER=3\r\n"
                            "Size: 2M\n"
                            "On = YES\n"
                            "Prefixes = 10.0.0.0/8, fd00::/8\n"
                            "Prefixes = 192.0.2.0/24,\n"
                            "[Rules one]\n"
                            "Rule = a, b\n"
                            "[Rules two]\n"
                            "[Rules *]\n"
                            "Rule = c\n"
                            "Rule = d"));
    assert_string_equal(report, "");
    assert_string_equal(fields.text, "a;b");
    assert_int_equal(fields.number, 3);
    assert_int_equal(fields.size, 2 << 20);
    assert_true(fields.on);
    assert_int_equal(fields.prefixes.count, 3);
    assert_string_equal(fields.log, "one;one=a, b;two;*;*=c;*=d;");
}

#define REST "[Main]\nText=x\n"

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *report;
    } cases[] = {
        {"", "f: Text is missing in [Main]\n"},
        {"[Main]\n", "f:1: Text is missing in [Main]\n"},
        {"Text = x\n" REST, "f:1: \"Text\" stands before the first [section]\n"},
        {REST "Texd = x\n", "f:3: unknown key \"Texd\" in [Main]\n"},
        {REST "Text = y\n", "f:3: Text was given before, in line 2\n"},
        {REST "Number =\n", "f:3: Number has no value\n"},
        {REST "Number = 0\n", "f:3: Number: \"0\" is out of bounds: 1 to 100\n"},
        {REST "Number = 101\n", "f:3: Number: \"101\" is out of bounds: 1 to 100\n"},
        {REST "Number = 99999999999999999999\n", "f:3: Number: \"99999999999999999999\" is too large\n"},
        {REST "Number = -1\n", "f:3: Number: \"-1\" is not a number\n"},
        {REST "Number = 1K\n", "f:3: Number: \"1K\" is not a number\n"},
        {REST "Size = 64KB\n", "f:3: Size: \"64KB\" is not a size such as 64K, 16M or 1G\n"},
        {REST "Size = 99999999999G\n", "f:3: Size: \"99999999999G\" is too large\n"},
        {REST "Duration = 5\n", "f:3: Duration: \"5\" is not a duration such as 200ms, 30s, 5m or 1h\n"},
        {REST "On = maybe\n", "f:3: On: \"maybe\" is neither yes nor no\n"},
        {REST "Prefixes = 10.0.0.0/8,,10.0.0.0/9\n", "f:3: Prefixes: an item of the list is empty\n"},
        {REST "Prefixes = 10.0.0.0/8, 10.0.0.0/8\n", "f:3: Prefixes: \"10.0.0.0/8\" is in the list already\n"},
        {REST "nonsense\n", "f:3: neither a [section] nor \"key = value\"\n"},
        {REST "[Other]\nText = y\n", "f:3: unknown section [Other]\n"},
        {REST "[Other\n", "f:3: the section's name is not closed by ]\n"},
        {REST "[Rules]\n", "f:3: [Rules NAME] needs a name\n"},
        {REST "[Rules a b]\n", "f:3: \"a b\" is not a name\n"},
        {REST "[Rules a] b\n", "f:3: nothing may stand behind a section's name\n"},
        {"[Main me]\n" REST, "f:1: [Main] takes no name, but has \"me\"\n"},
        {REST "[Rules a]\nRule = wrong\n", "f:4: Rule: the rule is wrong\n"},
        {REST "Te\x01xt = y\n", "f:3: unknown key \"Te\\x01xt\" in [Main]\n"},
        {REST "A = 1\nB = 2\n[C]\nD = 3\n[Rules a]\nE = 4\n",
         "f:3: unknown key \"A\" in [Main]\nf:4: unknown key \"B\" in [Main]\nf:5: unknown section [C]\n"
         "f:8: unknown key \"E\" in [Rules]\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CASE(cases[i].text, !read_string(cases[i].text));
        if (strcmp(report, cases[i].report))
            fail_msg("\"%s\" gives\n%sinstead of\n%s", cases[i].text, report, cases[i].report);
    }
}

// inih's buffer must neither cut a value nor a section's name without a word.
static void test_long_lines(void **state)
{
    (void)state;
    char text[2000], name[256];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';

    snprintf(text, sizeof(text), "[Main]\nText = %.180s\n", name);
    assert_true(read_string(text));
    assert_int_equal(strlen(fields.text), 180);

    snprintf(text, sizeof(text), "[Main]\nText = %s\nNumber = x\n", name);
    assert_false(read_string(text));
    assert_non_null(strstr(report, "f:2: longer than 198 bytes; give the key again for the rest\n"));
    assert_non_null(strstr(report, "f:3: Number: \"x\" is not a number\n")); // lines are still counted right

    snprintf(text, sizeof(text), REST "[Rules %.150s]\nRule = r\n", name);
    assert_true(read_string(text));
    assert_int_equal(strlen(fields.log), 150 + 1 + 150 + 3);
}

static void test_nul_bytes(void **state)
{
    (void)state;
    static const char text[] = "[Main]\nText = x\nNum\0ber = 3\n";
    assert_false(read_text(text, sizeof(text) - 1));
    assert_non_null(strstr(report, "f:3: "));
}

// What a path leads to is read after the text, and complained about at the path's line.
static void test_secret_files(void **state)
{
    (void)state;
    static char text[] = "[Main]\nText = x\nSecret = /dev/null\n";
    struct config config = start();
    struct blob secret;
    assert_true(config_read(&config, &(struct blob){(uint8_t *)text, strlen(text)}));
    assert_false(secret_file_read(&secret, &config, "Main", "Secret", fields.secret));
    assert_int_equal(config.mistakes, 1);
    fclose(config.report);
    config_fini(&config);
    assert_non_null(strstr(report, "f:3: Secret: /dev/null: "));
}

// The same text for everybody who reads it, or a mistake of the file as a whole.
static void test_loading(void **state)
{
    (void)state;
    struct blob text;
    struct config config = start();
    config.path = "/proc/self/cmdline"; // a file that does not tell its size
    assert_true(config_load(&config, &text));
    assert_non_null(strstr((char *)text.bytes, "test_config"));
    blob_wipe(&text);
    config.path = "/";
    assert_false(config_load(&config, &text));
    blob_wipe(&text);
    config.path = "/dev/zero";
    assert_false(config_load(&config, &text));
    blob_wipe(&text);
    config.path = "/nowhere";
    assert_false(config_load(&config, &text));
    fclose(config.report);
    config_fini(&config);
    assert_string_equal(report, "/: Is a directory\n/dev/zero: File too large\n/nowhere: No such file or directory\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),   cmocka_unit_test(test_dialect),   cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_long_lines), cmocka_unit_test(test_nul_bytes), cmocka_unit_test(test_secret_files),
        cmocka_unit_test(test_loading),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(report);
    free(fields.text);
    free(fields.secret);
    value_prefixes_fini(&fields.prefixes);
    value_prefixes_fini(&fields.allowed);
    return failed;
}
