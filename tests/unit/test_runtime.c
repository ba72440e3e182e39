// SPDX-License-Identifier: GPL-2.0-or-later
// Names, claims, slots; what a killed instance leaves and how it is told from one that lives.
#include "cli/runtime.h"
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[] = "/tmp/usher-runtime-XXXXXX";
static struct fault fault;

static void test_claim_and_release(void **state)
{
    (void)state;
    struct runtime a, b;
    struct stat st;
    assert_true(runtime_claim(&a, root, "a", &fault));
    assert_int_equal(a.slot, 0);
    assert_int_equal(stat(a.dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(runtime_pid(root, "a"), getpid());
    assert_int_equal(runtime_slots(root, "a"), 1);

    assert_true(runtime_claim(&b, root, "b", &fault));
    assert_int_equal(b.slot, 1);
    runtime_release(&a);
    assert_int_equal(stat(a.dir, &st), -1);
    assert_int_equal(runtime_pid(root, "a"), 0);
    assert_true(runtime_claim(&a, root, "c", &fault));
    assert_int_equal(a.slot, 0);
    runtime_release(&a);
    runtime_release(&b);
}

// Runs `name` in a child that lives until it is killed.
static pid_t live(const char *name)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct runtime runtime;
        if (!runtime_claim(&runtime, root, name, &fault))
            _exit(1);
        if (write(ready[1], "", 1) == 1)
            pause();
        _exit(1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void test_a_live_one_is_not_taken_over(void **state)
{
    (void)state;
    struct runtime runtime;
    char words[64];
    pid_t pid = live("d");
    assert_int_equal(runtime_pid(root, "d"), pid);
    assert_false(runtime_claim(&runtime, root, "d", &fault));
    snprintf(words, sizeof(words), "already running (pid %d)", (int)pid);
    assert_non_null(strstr(fault.text, words));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(runtime_pid(root, "d"), 0);
    assert_int_equal(runtime_slots(root, "d"), 1); // what it left
    runtime_remove(root, "d");
    assert_int_equal(runtime_slots(root, "d"), 0);
}

// The heir of a killed one gets another slot, and remembers the old one until its routes are gone.
static void test_a_dead_one_is_inherited(void **state)
{
    (void)state;
    struct runtime runtime;
    for (int deaths = 0; deaths < 2; deaths++) {
        pid_t pid = live("e");
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    assert_int_equal(runtime_slots(root, "e"), 3); // neither of the two has settled
    assert_true(runtime_claim(&runtime, root, "e", &fault));
    assert_int_equal(runtime.slot, 2);
    assert_int_equal(runtime.left, 3);
    assert_int_equal(runtime_slots(root, "e"), 7);
    assert_true(runtime_settle(&runtime, &fault));
    assert_int_equal(runtime_slots(root, "e"), 4);
    runtime_release(&runtime);
}

static void test_slots_run_out(void **state)
{
    (void)state;
    struct runtime runtimes[RUNTIME_SLOTS], one_more;
    char name[16];
    for (unsigned i = 0; i < RUNTIME_SLOTS; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        assert_true(runtime_claim(&runtimes[i], root, name, &fault));
        assert_int_equal(runtimes[i].slot, i);
    }
    assert_false(runtime_claim(&one_more, root, "one-more", &fault));
    assert_int_equal(runtime_pid(root, "one-more"), 0);
    for (unsigned i = 0; i < RUNTIME_SLOTS; i++)
        runtime_release(&runtimes[i]);
}

// One that has given its rights away cannot remove its place, but holds no slot any more, unless routes are left; the
// next claim of whatever name sweeps it up.
static void test_release_without_rights(void **state)
{
    (void)state;
    enum { NOBODY = 65534 };
    if (geteuid() != 0)
        skip();
    for (int stained = 0; stained < 2; stained++) {
        struct runtime other;
        struct stat st;
        pid_t pid = fork();
        if (pid == 0) {
            struct runtime runtime;
            if (!runtime_claim(&runtime, root, "f", &fault) || setuid(NOBODY) < 0)
                _exit(1);
            runtime.stained = stained;
            runtime_release(&runtime);
            _exit(0);
        }
        int status;
        waitpid(pid, &status, 0);
        assert_int_equal(status, 0);
        assert_int_equal(runtime_pid(root, "f"), 0);
        assert_int_equal(runtime_slots(root, "f"), stained ? 1 : 0);
        assert_true(runtime_claim(&other, root, "g", &fault));
        assert_int_equal(other.slot, stained);
        char place[64];
        snprintf(place, sizeof(place), "%s/f", root);
        assert_int_equal(stat(place, &st), stained ? 0 : -1);
        runtime_release(&other);
    }
    runtime_remove(root, "f");
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(root) && chmod(root, 0755) == 0 ? 0 : -1; // as /run/usher
}

static int tear_down(void **state)
{
    char lock[sizeof(root) + 8];
    (void)state;
    snprintf(lock, sizeof(lock), "%s/.lock", root);
    unlink(lock);
    return rmdir(root); // nothing else is left
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claim_and_release),       cmocka_unit_test(test_a_live_one_is_not_taken_over),
        cmocka_unit_test(test_a_dead_one_is_inherited), cmocka_unit_test(test_slots_run_out),
        cmocka_unit_test(test_release_without_rights),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
