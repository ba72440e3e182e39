// SPDX-License-Identifier: GPL-2.0-or-later
// Work in a child: what it writes and how it ends comes back, and its death is told.
#include "unit.h"

#include "gate/load/apart.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

struct job {
    const char *text;
    int code, signal;
};

static int work(void *arg, int out)
{
    const struct job *job = arg;
    apart_tell(out, job->text, strlen(job->text));
    if (job->signal) {
        signal(job->signal, SIG_DFL);
        raise(job->signal);
    }
    return job->code;
}

static void test_results(void **state)
{
    (void)state;
    static const struct {
        struct job job;
        const char *comes; // NULL: it fails
    } rows[] = {
        {{"", 0, 0}, ""},
        {{"12345678", 3, 0}, "12345678"},
        {{"123456789", 0, 0}, "12345678"}, // no more than was asked for
        {{"1234", 0, SIGSEGV}, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct job job = rows[i].job;
        struct blob out;
        struct fault fault = {""};
        int code = -1;
        bool good = apart_run(work, &job, 8, &out, &code, &fault);
        assert_int_equal(good, rows[i].comes != NULL);
        if (good) {
            assert_int_equal(code, job.code);
            assert_int_equal(out.len, strlen(rows[i].comes));
            assert_memory_equal(out.bytes, rows[i].comes, out.len);
        } else {
            assert_string_equal(fault.text, "judge the certificates: Segmentation fault");
            assert_null(out.bytes);
        }
        blob_wipe(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_results)};
    signal(SIGPIPE, SIG_IGN); // of a child that has more to say than is heard
    return cmocka_run_group_tests(tests, NULL, NULL);
}
