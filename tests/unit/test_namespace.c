// SPDX-License-Identifier: GPL-2.0-or-later
// A process that is alone, as root and as somebody makes it; and each way in which a system forbids it.
#include "os/process/mounts.h"
#include "os/process/namespace.h"
#include "os/process/namespace_refused.h"
#include "os/sandbox/sandbox.h"
#include "os/sanitized.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOMEBODY = 54321 };

static char place[] = "/tmp/usher-namespace-XXXXXX";
static struct fault fault;

// Ends the process with the line that does not hold.
#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            _exit(__LINE__ % 250 + 1);                                                                                 \
    } while (0)

static const char *at(const char *file)
{
    static char rooms[4][128];
    static unsigned next;
    char *room = rooms[next++ % COUNT(rooms)];
    snprintf(room, sizeof rooms[0], "%s/%s", place, file);
    return room;
}

static void put(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    fputs(text, out);
    fclose(out);
}

static bool reads(const char *path, const char *text)
{
    char have[256] = "";
    FILE *in = fopen(path, "r");
    if (in)
        have[fread(have, 1, sizeof have - 1, in)] = '\0';
    if (in)
        fclose(in);
    return in && !strcmp(have, text);
}

// In a namespace that somebody (or root) has made: 0, or what MUST says.
static int alone(uid_t uid, void (*body)(uid_t uid))
{
    pid_t maker = fork();
    if (maker == 0) {
        int go[2], status;
        char byte;
        MUST(geteuid() == uid || (setgid(uid) == 0 && setuid(uid) == 0));
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); // as a program has that this user has started
        MUST(pipe2(go, O_CLOEXEC) == 0);
        pid_t pid = namespace_fork(&fault);
        if (pid == 0) {
            MUST(read(go[0], &byte, 1) == 1 && getpid() == 1);
            MUST(namespace_settle(&fault));
            body(uid);
            _exit(0);
        }
        MUST(pid > 0 && namespace_map(pid, &fault) && write(go[1], "", 1) == 1 && waitpid(pid, &status, 0) == pid);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 251);
    }
    int status;
    assert_int_equal(waitpid(maker, &status, 0), maker);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 252;
}

static void be_the_same(uid_t uid)
{
    struct stat st;
    MUST(geteuid() == uid && getegid() == uid);
    MUST(stat(at("file"), &st) == 0 && st.st_uid == SOMEBODY);
    MUST(stat("/etc/passwd", &st) == 0 && st.st_uid == (uid ? 65534 : 0)); // which nobody is, for somebody
    MUST(uid == 0 ? setresuid(7, 7, 7) == 0 : setresuid(7, 7, 7) < 0);
}

static void see_other_files(uid_t uid)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(to.sun_path, sizeof to.sun_path, "%s", at("socket"));
    (void)uid;
    umask(0077);
    MUST(mounts_hide(at("missing"), &fault));
    MUST(access(at("directory/in it"), F_OK) == 0 && mounts_hide(at("directory"), &fault));
    MUST(access(at("directory/in it"), F_OK) < 0);
    MUST(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    close(fd);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    MUST(mounts_hide(at("socket"), &fault));
    MUST(connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno == ECONNREFUSED);

    struct stat st;
    MUST(mounts_write(at("file"), "other\n", &fault) && reads(at("file"), "other\n"));
    MUST(stat(at("file"), &st) == 0 && (st.st_mode & 0777) == 0644);
    MUST(mounts_write(at("file"), "again\n", &fault) && reads(at("file"), "again\n"));
    MUST(access("/proc/self", F_OK) == 0 && access("/proc/text", F_OK) < 0); // the stage is gone
    MUST(mounts_write(at("link"), "behind\n", &fault) && reads(at("directory/stub"), "behind\n"));
    MUST(mounts_write(at("absolute"), "far behind\n", &fault) && reads(at("directory/far"), "far behind\n"));
    MUST(!mounts_write(at("missing"), "", &fault) && strstr(fault.text, "missing: No such file"));

    struct fault why; // in containers
    MUST(!mounts_proc(&why) || reads("/proc/1/comm", "test_namespace\n"));
}

static void have_no_rights(uid_t uid)
{
    MUST(sandbox_confine(&fault));
    MUST(umount2("/", MNT_DETACH) < 0 && errno == EPERM);
    MUST(mount("tmpfs", place, "tmpfs", 0, NULL) < 0 && errno == EPERM);
    MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_DUMPABLE) == SANITIZED);
    MUST(uid == 0 ? setresuid(7, 7, 7) == 0 : setresuid(7, 7, 7) < 0);
}

static void need_root(void)
{
    if (geteuid() != 0)
        skip();
}

static void test_alone(void **state)
{
    (void)state;
    need_root();
    static void (*const bodies[])(uid_t uid) = {be_the_same, see_other_files, have_no_rights};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", at("socket"));
    assert_int_equal(bind(listener, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(listen(listener, 9), 0);
    assert_int_equal(chmod(at("socket"), 0666), 0);
    for (size_t i = 0; i < COUNT(bodies); i++) {
        assert_int_equal(alone(SOMEBODY, bodies[i]), 0);
        assert_int_equal(alone(0, bodies[i]), 0);
    }
    assert_true(reads(at("file"), "own\n")); // outside nothing has changed
    assert_int_equal(access(at("directory/in it"), F_OK), 0);
    assert_int_equal(access(at("directory/stub"), F_OK), -1);
    close(listener);
}

static void test_each_way_to_forbid(void **state)
{
    (void)state;
    static const struct {
        const char *file, *value;
        int error;
        const char *says;
    } rows[] = {
        {"user/max_user_namespaces", "0\n", ENOSPC, "root allows them with sysctl user.max_user_namespaces="},
        {"user/max_net_namespaces", "0\n", ENOSPC, "root allows them with sysctl user.max_net_namespaces="},
        {"kernel/unprivileged_userns_clone", "0\n", EPERM, "with sysctl kernel.unprivileged_userns_clone=1"},
        {"kernel/apparmor_restrict_unprivileged_userns", "1\n", EACCES, "with the AppArmor profile of usher-tun"},
        {"kernel/apparmor_restrict_unprivileged_userns", "0\n", EPERM, "as many containers do"},
        {"user/max_user_namespaces", "9\n", ENOSPC, "as many user namespaces as this system allows"},
        {"user/max_user_namespaces", "9\n", EINVAL, "this kernel has no user namespaces"},
        {"user/max_user_namespaces", "junk\n", EPERM, "as many containers do"},
        {"user/max_user_namespaces", "9\n", ENOMEM, "Cannot allocate memory"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        put(at(rows[i].file), rows[i].value);
        assert_false(namespace_refused(place, rows[i].error, &fault));
        CASE(fault.text, strstr(fault.text, rows[i].says));
        unlink(at(rows[i].file));
    }
}

// As this system would be, in a namespace of our own whose limit is ours to set.
static void test_forbidden(void **state)
{
    (void)state;
    need_root();
    pid_t pid = fork();
    if (pid == 0) {
        MUST(unshare(CLONE_NEWUSER) == 0);
        int fd = open("/proc/sys/user/max_user_namespaces", O_WRONLY);
        MUST(fd >= 0 && write(fd, "0", 1) == 1);
        MUST(namespace_fork(&fault) == -1 && strstr(fault.text, "sysctl user.max_user_namespaces="));
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(place) || chmod(place, 0755) < 0)
        return -1;
    put(at("file"), "own\n");
    mkdir(at("directory"), 0755);
    put(at("directory/in it"), "");
    mkdir(at("user"), 0755);
    mkdir(at("kernel"), 0755);
    return (geteuid() == 0 && chown(at("file"), SOMEBODY, SOMEBODY) < 0) || symlink("directory/stub", at("link")) < 0 ||
           symlink(at("directory/far"), at("absolute")) < 0;
}

static int take_down(void **state)
{
    char line[128];
    (void)state;
    snprintf(line, sizeof line, "rm -rf %s", place);
    return system(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_each_way_to_forbid),
        cmocka_unit_test(test_forbidden),
    };
    return cmocka_run_group_tests(tests, set_up, take_down);
}
