// SPDX-License-Identifier: GPL-2.0-or-later
// Who may open a file with a list, by processes of other users: root alone can try it.
#include "os/file/access_list.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OWNER = 64611, FRIEND = 64612, LET_IN = 64613, OTHER = 64614 };

static char directory[] = "/tmp/usher-list-XXXXXX", path[64];

// What a process of that user and group meets: 0, or errno.
static int try_as(uid_t uid, gid_t gid, gid_t more, int (*attempt)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(setgroups(1, &more) || setgid(gid) || setuid(uid) ? 255 : attempt());
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int open_it(void)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    return fd < 0 ? errno : close(fd);
}

static int list_it(void)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? errno : close(fd);
}

static int let_in(void)
{
    return access_list_let_in(directory, 7, LET_IN, 1) && access_list_let_in(path, 6, LET_IN, 6) ? 0 : errno;
}

static int let_himself_in(void)
{
    return access_list_let_in(path, 6, OTHER, 6) ? 0 : errno;
}

static const struct {
    uid_t uid;
    gid_t gid, more;
    int opens, lists;
} rows[] =
    {
        {OWNER, OWNER, OWNER, 0, 0},           {FRIEND, FRIEND, LET_IN, 0, EACCES},
        {FRIEND, LET_IN, FRIEND, 0, EACCES},   {OTHER, OTHER, OTHER, EACCES, EACCES},
        {OTHER, OWNER, OTHER, EACCES, EACCES}, // the owner's own group is nobody more
};

static void test_a_group_is_let_in(void **state)
{
    (void)state;
    if (geteuid())
        skip();
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/file", directory);
    close(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    assert_true(chown(directory, OWNER, OWNER) == 0 && chown(path, OWNER, OWNER) == 0);
    assert_int_equal(try_as(FRIEND, FRIEND, LET_IN, open_it), EACCES);
    int outcome = try_as(OWNER, OWNER, OWNER, let_in); // who is of no other group, and has no right
    if (outcome == EOPNOTSUPP)
        skip(); // of the file system
    assert_int_equal(outcome, 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(try_as(rows[i].uid, rows[i].gid, rows[i].more, open_it), rows[i].opens);
        assert_int_equal(try_as(rows[i].uid, rows[i].gid, rows[i].more, list_it), rows[i].lists);
    }
    assert_int_equal(try_as(FRIEND, FRIEND, LET_IN, let_himself_in), EPERM);
    assert_int_equal(try_as(OWNER, OWNER, OWNER, let_in), 0); // again
    struct stat st;
    assert_true(stat(path, &st) == 0 && (st.st_mode & 0777) == 0660 && st.st_gid == OWNER);
    unlink(path);
    rmdir(directory);
}

static void test_no_file(void **state)
{
    (void)state;
    assert_false(access_list_let_in("/nonexistent/file", 6, LET_IN, 6));
    assert_int_equal(errno, ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_group_is_let_in), cmocka_unit_test(test_no_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
