// SPDX-License-Identifier: GPL-2.0-or-later
// What is told of a reading: to who asked, and in the status.
#include "cli/facts_json.h"
#include "cli/rereading.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static struct rereading *rereading;

static void describe_last(const void *part, struct facts *facts)
{
    rereading_describe_last(part, facts);
}

static void describe(const void *part, struct facts *facts)
{
    rereading_describe(part, facts);
}

static bool tells(facts_describe *what, const char *words)
{
    char *json = facts_json(what, rereading);
    bool found = strstr(json, words);
    free(json);
    return found;
}

static void read_again(const char *sentences, bool flawless, bool renewed)
{
    FILE *report = rereading_begin(rereading);
    assert_non_null(report);
    fputs(sentences, report);
    rereading_end(rereading, report, flawless, renewed);
}

static void test_life(void **state)
{
    (void)state;
    rereading = rereading_new();
    assert_false(tells(describe, "renewed"));
    read_again("", true, false);
    assert_true(tells(describe_last, "true") && tells(describe_last, "nothing has changed since it was last read"));
    read_again("new and in force: configuration\nDevice takes effect later\n", true, true);
    assert_true(tells(describe_last, "new and in force: configuration") && tells(describe_last, "Device takes effect"));
    assert_true(tells(describe, "renewed") && !tells(describe, "in force"));
    read_again("a.conf:1: no\n", false, false);
    assert_true(tells(describe_last, "false") && tells(describe_last, "a.conf:1: no"));
    assert_true(tells(describe, "a.conf:1: no"));
    read_again("a.conf:1: no\n", false, false); // again the same
    assert_true(tells(describe, "a.conf:1: no"));
    read_again("", true, false); // mended
    assert_true(tells(describe_last, "nothing has changed") && !tells(describe_last, "a.conf") &&
                !tells(describe, "a.conf"));
    rereading_free(rereading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_life)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
