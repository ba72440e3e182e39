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
    assert_true(runtime_claim(&a, root, "a", true, &fault));
    assert_int_equal(a.slot, 0);
    assert_int_equal(stat(a.dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(runtime_pid(root, "a"), getpid());
    assert_int_equal(runtime_slots(root, "a"), 1);

    assert_true(runtime_claim(&b, root, "b", true, &fault));
    assert_int_equal(b.slot, 1);
    runtime_release(&a);
    assert_int_equal(stat(a.dir, &st), -1);
    assert_int_equal(runtime_pid(root, "a"), 0);
    assert_true(runtime_claim(&a, root, "c", true, &fault));
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
        if (!runtime_claim(&runtime, root, name, true, &fault))
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
    assert_false(runtime_claim(&runtime, root, "d", true, &fault));
    snprintf(words, sizeof(words), "already running (pid %d)", (int)pid);
    assert_non_null(strstr(fault.text, words));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(runtime_pid(root, "d"), 0);
    assert_int_equal(runtime_slots(root, "d"), 1); // what it left
    runtime_remove(root, "d");
    assert_int_equal(runtime_slots(root, "d"), 0);
}

// What it had just forked holds its lock for a moment longer.
static void test_a_dead_one_with_a_child(void **state)
{
    (void)state;
    struct runtime runtime;
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (!runtime_claim(&runtime, root, "e", true, &fault))
            _exit(1);
        if (fork() == 0) {
            usleep(200 * 1000);
            _exit(0);
        }
        _exit(write(ready[1], "", 1) != 1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    waitpid(pid, NULL, 0);
    assert_int_equal(runtime_pid(root, "e"), pid);
    assert_true(runtime_claim(&runtime, root, "e", true, &fault));
    runtime_release(&runtime);
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
    assert_true(runtime_claim(&runtime, root, "e", true, &fault));
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
        assert_true(runtime_claim(&runtimes[i], root, name, true, &fault));
        assert_int_equal(runtimes[i].slot, i);
    }
    assert_false(runtime_claim(&one_more, root, "one-more", true, &fault));
    assert_int_equal(runtime_pid(root, "one-more"), 0);
    for (unsigned i = 0; i < RUNTIME_SLOTS; i++)
        runtime_release(&runtimes[i]);
}

enum { NOBODY = 65534 };

// One that has given its rights away cannot remove its place, but holds no slot any more, unless routes are left; the
// next claim of whatever name sweeps it up.
static void test_release_without_rights(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    for (int stained = 0; stained < 2; stained++) {
        struct runtime other;
        struct stat st;
        pid_t pid = fork();
        if (pid == 0) {
            struct runtime runtime;
            if (!runtime_claim(&runtime, root, "f", true, &fault) || setuid(NOBODY) < 0)
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
        assert_true(runtime_claim(&other, root, "g", true, &fault));
        assert_int_equal(other.slot, stained);
        char place[64];
        snprintf(place, sizeof(place), "%s/f", root);
        assert_int_equal(stat(place, &st), stained ? 0 : -1);
        runtime_release(&other);
    }
    runtime_remove(root, "f");
}

// Without one it takes none of the few there are, but remembers those that a dead one has left.
static void test_a_place_without_a_slot(void **state)
{
    (void)state;
    struct runtime without, with;
    pid_t pid = live("h");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_true(runtime_claim(&without, root, "h", false, &fault));
    assert_int_equal(without.slot, RUNTIME_SLOTS);
    assert_int_equal(without.left, 1);
    assert_int_equal(runtime_slots(root, "h"), 1);
    assert_true(runtime_settle(&without, &fault));
    assert_int_equal(runtime_slots(root, "h"), 0);
    assert_true(runtime_claim(&with, root, "i", true, &fault));
    assert_int_equal(with.slot, 0);
    assert_int_equal(runtime_pid(root, "h"), getpid()); // not swept, for it lives
    runtime_release(&with);
    runtime_release(&without);
}

// In a child of another user than root: what XDG_RUNTIME_DIR makes of the root, or the words of the fault.
static void see_root(const char *place, char *room, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char seen[RUNTIME_ROOT_SIZE];
        struct fault why = {""};
        if ((geteuid() == 0 && setuid(NOBODY) < 0) ||
            (place ? setenv("XDG_RUNTIME_DIR", place, 1) : unsetenv("XDG_RUNTIME_DIR")) < 0)
            _exit(1);
        dprintf(ends[1], "%s", runtime_root(seen, &why) ? seen : why.text);
        _exit(0);
    }
    close(ends[1]);
    ssize_t len = read(ends[0], room, size - 1);
    room[len > 0 ? len : 0] = '\0';
    close(ends[0]);
    waitpid(pid, NULL, 0);
}

static void test_the_root_of_each_user(void **state)
{
    (void)state;
    static const struct {
        const char *place, *seen;
    } cases[] = {
        {"/run/user/1000", "/run/user/1000/usher"},
        {NULL, "/tmp/usher-65534"}, // there is no /run/user/65534
        {"", "/tmp/usher-65534"},
        {"relative", "/tmp/usher-65534"},
        {"/run/user/1234567890123456789012345678901234", "/run/user/1234567890123456789012345678901234/usher"},
        {"/run/user/12345678901234567890123456789012345", "XDG_RUNTIME_DIR is longer than 44 bytes"},
    };
    char seen[FAULT_TEXT_SIZE];
    for (size_t i = 0; i < COUNT(cases); i++) {
        see_root(cases[i].place, seen, sizeof seen);
        CASE(seen, !strncmp(seen, cases[i].seen, strlen(cases[i].seen)));
    }
    char of_root[RUNTIME_ROOT_SIZE];
    setenv("XDG_RUNTIME_DIR", "/run/user/1000", 1);
    if (geteuid() == 0) {
        assert_true(runtime_root(of_root, &fault));
        assert_string_equal(of_root, "/run/usher");
    }
}

// Anybody may have made something of that name, and would be asked in our place.
static void test_a_common_place_of_somebody_else(void **state)
{
    (void)state;
    char seen[FAULT_TEXT_SIZE];
    if (geteuid() != 0)
        skip();
    rmdir("/tmp/usher-65534");
    assert_int_equal(mkdir("/tmp/usher-65534", 0700), 0);
    see_root(NULL, seen, sizeof seen);
    assert_non_null(strstr(seen, "/tmp/usher-65534 is somebody else's: set XDG_RUNTIME_DIR"));
    assert_int_equal(chown("/tmp/usher-65534", NOBODY, NOBODY), 0);
    see_root(NULL, seen, sizeof seen);
    assert_string_equal(seen, "/tmp/usher-65534");
    assert_int_equal(rmdir("/tmp/usher-65534"), 0);
}

// Dead, and without a slot: nothing of the machine is left, so nobody needs to hear of it.
static void test_the_next_claim_removes_the_dead(void **state)
{
    (void)state;
    struct runtime runtime;
    struct stat st;
    char path[RUNTIME_PATH_SIZE];
    runtime_path(path, root, "dead.run.1", "");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(runtime_claim(&runtime, root, "next", false, &fault));
    assert_int_equal(stat(path, &st), -1);
    assert_int_equal(runtime.slot, RUNTIME_SLOTS);
    runtime_release(&runtime);
}

// The longest name in the longest root still has a socket.
static void test_paths_fit(void **state)
{
    (void)state;
    char longest_root[RUNTIME_ROOT_SIZE], longest_name[INSTANCE_NAME_MAX + 1], path[RUNTIME_PATH_SIZE];
    memset(longest_root, 'r', sizeof longest_root);
    memset(longest_name, 'n', sizeof longest_name);
    longest_root[sizeof longest_root - 1] = longest_name[sizeof longest_name - 1] = '\0';
    runtime_path(path, longest_root, longest_name, "control");
    assert_int_equal(strlen(path), RUNTIME_PATH_SIZE - 1);
    assert_string_equal(path + strlen(path) - 8, "/control");
}

static void test_a_root_that_others_own_or_write(void **state)
{
    (void)state;
    struct runtime runtime;
    char shared[64], link[64];
    snprintf(shared, sizeof shared, "%s/.shared", root);
    snprintf(link, sizeof link, "%s/.link", root);
    assert_int_equal(mkdir(shared, 0700), 0);
    assert_int_equal(symlink(shared, link), 0);
    assert_false(runtime_claim(&runtime, link, "j", false, &fault));
    assert_int_equal(chmod(shared, 0777), 0);
    assert_false(runtime_claim(&runtime, shared, "j", false, &fault));
    assert_non_null(strstr(fault.text, "only its owner"));
    assert_int_equal(chmod(shared, 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(shared, NOBODY, NOBODY), 0);
        assert_false(runtime_claim(&runtime, shared, "j", false, &fault));
    }
    unlink(link);
    rmdir(shared);
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
        cmocka_unit_test(test_claim_and_release),
        cmocka_unit_test(test_a_live_one_is_not_taken_over),
        cmocka_unit_test(test_a_dead_one_with_a_child),
        cmocka_unit_test(test_a_dead_one_is_inherited),
        cmocka_unit_test(test_slots_run_out),
        cmocka_unit_test(test_release_without_rights),
        cmocka_unit_test(test_a_place_without_a_slot),
        cmocka_unit_test(test_the_root_of_each_user),
        cmocka_unit_test(test_a_common_place_of_somebody_else),
        cmocka_unit_test(test_the_next_claim_removes_the_dead),
        cmocka_unit_test(test_paths_fit),
        cmocka_unit_test(test_a_root_that_others_own_or_write),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
