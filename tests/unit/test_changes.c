// SPDX-License-Identifier: GPL-2.0-or-later
// Another value is a change, and another dress is none.
#include "config/changes.h"
#include "unit.h"

static const struct {
    const char *name, *before, *now, *section, *key;
    bool changed;
} cases[] = {
    {"the same", "[Gate]\nListen = a\n", "[Gate]\nListen = a\n", "Gate", "Listen", false},
    {"another key", "[Gate]\nListen = a\nDNS = b\n", "[Gate]\nListen = a\nDNS = c\n", "Gate", "Listen", false},
    {"another value", "[Gate]\nListen = a\n", "[Gate]\nListen = b\n", "Gate", "Listen", true},
    {"another line, a comment", "[Gate]\nListen = a\n", "\n[Gate]\n\nListen=a ; new\n", "Gate", "Listen", false},
    {"gone", "[Gate]\nListen = a\n", "[Gate]\n", "Gate", "Listen", true},
    {"of another portal", "[Access a]\nMap = x\n", "[Access b]\nMap = x\n", "Access", "Map", true},
    {"more of them", "[Access a]\nMap = x\n", "[Access a]\nMap = x\nMap = y\n", "Access", "Map", true},
    {"other sections", "[Access a]\nMap = x\n[Gate]\nMap = z\n", "[Access a]\nMap = x\n", "Access", "Map", false},
    {"nothing at all", "", "", "Gate", "Listen", false},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct blob before = blob_text(cases[i].before), now = blob_text(cases[i].now);
        CASE(cases[i].name, config_key_changed(&before, &now, cases[i].section, cases[i].key) == cases[i].changed);
        blob_wipe(&before);
        blob_wipe(&now);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
