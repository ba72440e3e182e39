// SPDX-License-Identifier: GPL-2.0-or-later
// Values of many lines: where they begin and end, and how many lines they take.
#include "unit.h"

#include "config/block.h"

#include <stdlib.h>
#include <string.h>

static void test_opens(void **state)
{
    static const struct {
        const char *line, *name; // NULL: opens nothing
    } rows[] = {{"<CA>", "CA"},
                {"<Certificate>", "Certificate"},
                {"<>", NULL},
                {"<CA", NULL},
                {"CA>", NULL},
                {"</CA>", NULL},
                {"<C A>", NULL},
                {"<CA>x", NULL},
                {"<CA> ;", NULL},
                {"", NULL},
                {"<a2345678901234567890123456789>", "a2345678901234567890123456789"},
                {"<a23456789012345678901234567890>", NULL}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char name[BLOCK_NAME_SIZE];
        bool opens = block_opens(rows[i].line, name);
        CASE(rows[i].line, opens == (rows[i].name != NULL) && (!opens || !strcmp(name, rows[i].name)));
    }
}

static void test_take(void **state)
{
    static char text[2000], held[2000];
    static const struct {
        const char *text, *holds; // NULL: it is not closed
        unsigned lines;
    } rows[] = {
        {"</CA>\n", "", 1},
        {"</CA>", "", 1},
        {"a\nb\n</CA>\nrest\n", "a\nb\n", 3},
        {"a\r\n  </ca>  \r\n", "a\r\n", 2},
        {"a </CA>\n</CA>\n", "a </CA>\n", 2},
        {"</CA>x\n</CA>\n", "</CA>x\n", 2},
        {"</Key>\n[Portal]\n</CA>\n", "</Key>\n[Portal]\n", 3},
        {"", NULL, 0},
        {"a\nb", NULL, 2},
        {"</CA\n", NULL, 1},
        {text, held, 2}, // a line longer than is read at once, with what would close it in its middle
    };
    (void)state;
    memset(text, 'x', 255);
    strcpy(text + 255, "</CA>\n</CA>\n");
    memcpy(held, text, 255);
    strcpy(held + 255, "</CA>\n");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct blob block;
        unsigned lines;
        FILE *in = *rows[i].text ? fmemopen((char *)rows[i].text, strlen(rows[i].text), "r") : fopen("/dev/null", "r");
        assert_non_null(in);
        CASE(rows[i].text, block_take(&block, in, "CA", &lines) == (rows[i].holds != NULL));
        CASE(rows[i].text, lines == rows[i].lines);
        if (rows[i].holds)
            CASE(rows[i].text, block.len == strlen(rows[i].holds) && !strcmp((char *)block.bytes, rows[i].holds));
        blob_wipe(&block);
        fclose(in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_opens), cmocka_unit_test(test_take)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
