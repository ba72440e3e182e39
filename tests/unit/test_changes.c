// SPDX-License-Identifier: GPL-2.0-or-later
// Another value is a change, and another dress is none.
#include "config/changes.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

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

static const struct {
    const char *name, *began, *before, *now, *told;
} tales[] = {
    {"nothing", "Device = a\n", "Device = a\n", "Device = a\n", ""},
    {"one", "Device = a\n", "Device = a\n", "Device = b\n", "Device takes effect later\n"},
    {"two", "", "", "MTU = 1400\nDevice = b\n", "Device takes effect later\nMTU takes effect never\n"},
    {"as it began", "Device = a\n", "Device = b\n", "Device = a\n", ""},
    {"whatever it began with", NULL, "Device = b\n", "Device = a\n", "Device takes effect later\n"},
    {"told before", "Device = a\n", "Device = b\n", "Device = b\n", ""},
};

static struct blob portal_text(const char *text)
{
    char room[256];
    snprintf(room, sizeof room, "[Portal]\n%s", text ? text : "");
    return blob_text(room);
}

static void test_tales(void **state)
{
    static const struct change_delay table[] = {{"Portal", "Device", "later"}, {"Portal", "MTU", "never"}};
    (void)state;
    for (size_t i = 0; i < COUNT(tales); i++) {
        struct blob began = portal_text(tales[i].began), before = portal_text(tales[i].before),
                    now = portal_text(tales[i].now);
        const struct change_texts texts = {tales[i].began ? &began : NULL, &before, &now};
        char *told = NULL;
        size_t size;
        FILE *report = open_memstream(&told, &size);
        changes_tell(&texts, table, COUNT(table), report);
        fclose(report);
        CASE(tales[i].name, !strcmp(told, tales[i].told));
        free(told);
        blob_wipe(&began);
        blob_wipe(&before);
        blob_wipe(&now);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_tales)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
