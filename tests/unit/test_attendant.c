// SPDX-License-Identifier: GPL-2.0-or-later
// Messages and descriptors arrive whole at an attendant, which has nothing else of its program, and its end is told.
#include "os/process/attendant.h"
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct told {
    size_t len;
    unsigned descriptors; // that were sent along
    char first;           // byte behind the first of them
    unsigned open;        // of all that it has
};

static unsigned count_open(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        count += *entry->d_name != '.' && atoi(entry->d_name) != dirfd(directory);
    if (directory)
        closedir(directory);
    return count;
}

// Says of each message what it has got.
static int echo(void)
{
    char room[256];
    int fds[ATTENDANT_FDS_MAX];
    ssize_t got;
    while ((got = attendant_receive(ATTENDANT_CHANNEL_FD, room, sizeof room, fds, false)) > 0) {
        struct told told = {.len = (size_t)got};
        for (size_t i = 0; i < ATTENDANT_FDS_MAX; i++)
            told.descriptors += fds[i] >= 0;
        if (fds[0] >= 0 && pread(fds[0], &told.first, 1, 0) != 1)
            told.first = '?';
        told.open = count_open();
        attendant_send(ATTENDANT_CHANNEL_FD, &told, sizeof told, NULL, 0);
        for (size_t i = 0; i < ATTENDANT_FDS_MAX; i++)
            if (fds[i] >= 0)
                close(fds[i]);
    }
    return got == 0 ? 0 : 1;
}

static struct told ask(const struct attendant *attendant, size_t len, const int *fds, size_t count)
{
    char text[256] = "";
    struct told told;
    int none[ATTENDANT_FDS_MAX];
    assert_true(attendant_send(attendant->channel, text, len, fds, count));
    assert_true(attendant_await(attendant));
    assert_int_equal(attendant_receive(attendant->channel, &told, sizeof told, none, true), sizeof told);
    return told;
}

static void test_messages(void **state)
{
    struct attendant attendant;
    struct fault fault;
    char name[] = "/tmp/usher-attendant-XXXXXX";
    int file = mkstemp(name), fds[] = {file, file, file, file};
    (void)state;
    assert_int_equal(write(file, "x", 1), 1);
    assert_true(attendant_start(&attendant, "usher-echo", echo, &fault));
    for (size_t count = 0; count <= ATTENDANT_FDS_MAX; count++) {
        struct told told = ask(&attendant, 10 + count, fds, count);
        assert_int_equal(told.len, 10 + count);
        assert_int_equal(told.descriptors, count);
        assert_int_equal(told.first, count ? 'x' : 0);
        assert_int_equal(told.open, 4 + count); // the standard ones, and the channel
    }
    int none[ATTENDANT_FDS_MAX];
    char room[1];
    assert_int_equal(attendant_receive(attendant.channel, room, sizeof room, none, true), -1); // nothing more
    attendant_stop(&attendant);
    assert_int_equal(waitpid(attendant.pid, NULL, 0), -1);
    close(file);
    unlink(name);
}

static int end_at_once(void)
{
    return 7;
}

static void test_its_end(void **state)
{
    struct attendant attendant;
    struct fault fault;
    int none[ATTENDANT_FDS_MAX], status;
    char room[1];
    (void)state;
    assert_true(attendant_start(&attendant, "usher-end", end_at_once, &fault));
    assert_true(attendant_await(&attendant));
    assert_int_equal(attendant_receive(attendant.channel, room, sizeof room, none, true), 0);
    assert_int_equal(waitpid(attendant.pid, &status, 0), attendant.pid);
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_false(attendant_send(attendant.channel, room, 1, NULL, 0));
    attendant_stop(&attendant);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_messages), cmocka_unit_test(test_its_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
