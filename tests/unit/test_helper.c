// SPDX-License-Identifier: GPL-2.0-or-later
// Programs that are run to their end: what they print comes back whole, and whatever they do has an end.
#include "unit.h"

#include "os/clock.h"
#include "os/process/helper.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum helper_end sh(const char *script, size_t max, unsigned seconds, struct blob *out, struct fault *fault)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    const struct helper helper = {.name = "It", .argv = argv, .max = max, .seconds = seconds};
    *fault = (struct fault){""};
    return helper_run(&helper, out, fault);
}

static void test_ends(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        enum helper_end end;
        const char *says; // or what it printed
    } rows[] = {
        {"printf abc", HELPER_DONE, "abc"},
        {"printf a; sleep 0.1; printf b", HELPER_DONE, "ab"},
        {":", HELPER_DONE, ""},
        {"printf 12345678", HELPER_DONE, "12345678"},
        {"printf 123456789", HELPER_FAILED, "It printed more than 8 bytes"},
        {"cat /dev/zero", HELPER_FAILED, "It printed more than 8 bytes"},
        {"printf abc; exit 3", HELPER_FAILED, "It ended with status 3"},
        {"kill -9 $$", HELPER_FAILED, "It was ended by signal 9"},
        {"exec >&-; exit 0", HELPER_DONE, ""},
        {"sleep 60", HELPER_FAILED, "It did not end within 1 s"},
        {"exec >&-; sleep 60", HELPER_FAILED, "It did not end within 1 s"},
        {"trap '' TERM; printf a; sleep 60", HELPER_FAILED, "It did not end within 1 s"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct blob out;
        struct fault fault;
        const usec_t begin = clock_now();
        if (sh(rows[i].script, 8, 1, &out, &fault) != rows[i].end)
            fail_msg("%s: \"%s\"", rows[i].script, fault.text);
        CASE(rows[i].script, clock_now() - begin < 10 * USEC_PER_SEC);
        if (rows[i].end == HELPER_DONE)
            CASE(rows[i].script, out.len == strlen(rows[i].says) && !memcmp(out.bytes, rows[i].says, out.len));
        else
            CASE(rows[i].script, !out.bytes && !strcmp(fault.text, rows[i].says));
        blob_wipe(&out);
    }
}

static void test_missing(void **state)
{
    (void)state;
    static const char *const argv[] = {"no-such-program-of-ours", NULL};
    const struct helper helper = {.name = "It", .argv = argv, .max = 8, .seconds = 1};
    struct blob out;
    struct fault fault;
    assert_int_equal(helper_run(&helper, &out, &fault), HELPER_MISSING);
    assert_null(out.bytes);
}

// Descriptors of ours are nobody else's business.
static void test_what_it_inherits(void **state)
{
    (void)state;
    struct blob out;
    struct fault fault;
    assert_int_equal(sh("ls /proc/self/fd | tr '\\n' ' '", 256, 5, &out, &fault), HELPER_DONE);
    assert_string_equal((const char *)out.bytes, "0 1 2 3 "); // 3 is the directory that ls reads
    blob_wipe(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_what_it_inherits),
    };
    signal(SIGCHLD, SIG_IGN);
    setsid(); // whoever runs this may have a terminal, and descriptors of their own
    close_range(STDERR_FILENO + 1, ~0U, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
