// SPDX-License-Identifier: GPL-2.0-or-later
// A resolv.conf of our own, in a directory of our own: taken over, given back, and what lies there when somebody died or
// wrote it meanwhile. And the process that keeps it.
#include "os/log.h"
#include "os/system_dns/resolv_keeper.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ENOUGH = 11 }; // takings beside who writes

#define OLD "nameserver 192.0.2.53\noptions edns0\n"

static char directory[64], path[128], backup[192], aside[224];
static struct address server;
static struct resolv_file file;
static struct fault fault;

static int enter(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/usher-resolv-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/resolv.conf", directory);
    snprintf(backup, sizeof backup, "%s.usher-tun-branch", path);
    snprintf(aside, sizeof aside, "%s.old", backup);
    address_parse(&server, "198.18.0.1");
    file = (struct resolv_file){path, "branch", &server, 1, "corp.example", -1, NULL};
    fault = (struct fault){""};
    return 0;
}

static int leave(void **state)
{
    (void)state;
    char command[128];
    if (file.lock >= 0)
        resolv_file_forget(&file);
    umount2(path, MNT_DETACH);
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command);
}

static void put(const char *at, const char *text)
{
    FILE *out = fopen(at, "we");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

// As most managers do it.
static void put_anew(const char *at, const char *text)
{
    char other[256];
    snprintf(other, sizeof other, "%s.new", at);
    put(other, text);
    assert_int_equal(rename(other, at), 0);
}

static const char *get(const char *at)
{
    static char text[4096];
    FILE *in = fopen(at, "re");
    if (!in)
        return NULL;
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    return text;
}

static bool is_ours(void)
{
    return resolv_file_is_of(path, "branch");
}

// How many names there are in the directory.
static int entries(void)
{
    int count = 0;
    DIR *dir = opendir(directory);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void take(void)
{
    struct resolv_conf before;
    if (!resolv_file_take(&file, &before, &fault))
        fail_msg("%s", fault.text);
    resolv_conf_fini(&before);
}

// As the kernel does when the owner dies.
static void die(void)
{
    resolv_file_forget(&file);
}

static ino_t inode(const char *at)
{
    struct stat st;
    return lstat(at, &st) == 0 ? st.st_ino : 0;
}

static void test_round_trip(void **state)
{
    (void)state;
    put(path, OLD);
    ino_t before = inode(path);
    umask(077); // as a service manager sets it
    take();
    umask(022);
    assert_string_equal(strchr(get(path), '\n') + 1, "nameserver 198.18.0.1\nsearch corp.example\noptions edns0\n");
    assert_string_equal(get(backup), OLD);
    struct stat st;
    stat(path, &st);
    assert_int_equal(st.st_mode & 0777, 0644);
    assert_true(is_ours());
    assert_true(resolv_file_release(&file, &fault));
    assert_string_equal(get(path), OLD);
    assert_int_equal(inode(path), before);
    assert_int_equal(entries(), 1);
}

static void test_says_what_was_there(void **state)
{
    (void)state;
    struct resolv_conf before;
    put(path, OLD);
    assert_true(resolv_file_take(&file, &before, &fault));
    char text[ADDRESS_TEXT_SIZE];
    assert_int_equal(before.servers.count, 1);
    assert_string_equal(address_text(&before.servers.items[0], text), "192.0.2.53");
    resolv_conf_fini(&before);
}

static void test_link_stays_a_link(void **state)
{
    (void)state;
    char there[128], target[128] = "";
    snprintf(there, sizeof there, "%s/manager", directory);
    put(there, OLD);
    assert_int_equal(symlink("manager", path), 0);
    take();
    assert_string_equal(get(there), OLD); // is not written through
    assert_true(resolv_file_release(&file, &fault));
    assert_true(readlink(path, target, sizeof target - 1) > 0);
    assert_string_equal(target, "manager");
    assert_int_equal(entries(), 2);
}

static void test_link_to_nowhere(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(symlink("/run/nowhere/resolv.conf", path), 0);
    take();
    assert_true(is_ours());
    assert_true(resolv_file_release(&file, &fault));
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}

static void test_none(void **state)
{
    (void)state;
    take();
    assert_true(is_ours());
    assert_int_equal(entries(), 1);
    assert_true(resolv_file_release(&file, &fault));
    assert_int_equal(entries(), 0);
}

static void test_mount_point_is_written_in_place(void **state)
{
    (void)state;
    char there[128];
    snprintf(there, sizeof there, "%s/host", directory);
    put(there, OLD);
    put(path, "");
    if (mount(there, path, NULL, MS_BIND, NULL) < 0)
        skip(); // not root
    take();
    assert_true(is_ours());
    assert_string_equal(get(backup), OLD);
    assert_string_equal(get(there), get(path));
    assert_true(resolv_file_release(&file, &fault));
    assert_string_equal(get(path), OLD);
    assert_int_equal(entries(), 2);

    take();
    die();
    assert_true(resolv_file_give_back(path, "branch", &fault));
    assert_string_equal(get(path), OLD);
    assert_int_equal(entries(), 2);
}

static void test_dead_one_is_put_back(void **state)
{
    (void)state;
    put(path, OLD);
    take();
    die();
    assert_true(resolv_file_give_back(path, "other", &fault)); // is not theirs
    assert_true(is_ours());
    assert_true(resolv_file_give_back(path, "branch", &fault));
    assert_string_equal(get(path), OLD);
    assert_int_equal(entries(), 1);
    assert_true(resolv_file_give_back(path, "branch", &fault)); // nothing to do
    assert_string_equal(get(path), OLD);
}

// The next of the name, and the next of any name: what counts as before is never one of ours.
static void test_dead_one_is_taken_over(void **state)
{
    (void)state;
    put(path, OLD);
    static const char *const names[] = {"branch", "other"};
    for (size_t i = 0; i < COUNT(names); i++) {
        file.name = "branch";
        take();
        die();
        struct resolv_conf before;
        file.name = names[i];
        assert_true(resolv_file_take(&file, &before, &fault));
        assert_int_equal(before.servers.count, 1);
        assert_int_equal(before.servers.items[0].bytes[0], 192);
        resolv_conf_fini(&before);
        assert_true(resolv_file_release(&file, &fault));
        assert_string_equal(get(path), OLD);
        assert_int_equal(entries(), 1);
    }
}

static void test_one_at_a_time(void **state)
{
    (void)state;
    struct resolv_conf before;
    put(path, OLD);
    take();
    struct resolv_file second = {path, "other", &server, 1, "", -1, NULL};
    assert_false(resolv_file_take(&second, &before, &fault));
    assert_non_null(strstr(fault.text, "is that of usher-tun branch, which is running"));
    assert_false(resolv_file_give_back(path, "branch", &fault)); // after some waiting
    assert_non_null(strstr(fault.text, "still holds it"));
    assert_true(is_ours());
    assert_true(resolv_file_release(&file, &fault));
    assert_string_equal(get(path), OLD);
}

// A reader's lock is nobody's word.
static void test_readers_feign_nothing(void **state)
{
    (void)state;
    put(path, OLD);
    take();
    die();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    assert_true(resolv_file_give_back(path, "branch", &fault));
    assert_string_equal(get(path), OLD);
    close(fd);
}

static void test_what_others_wrote_stays(void **state)
{
    (void)state;
    put(path, OLD);
    take();
    put_anew(path, "nameserver 203.0.113.1\n");
    assert_false(is_ours());
    assert_true(resolv_file_release(&file, &fault));
    assert_string_equal(get(path), "nameserver 203.0.113.1\n");
    assert_string_equal(get(backup), OLD); // and nothing is lost

    take(); // what lies there is not what counts
    assert_string_equal(get(backup), "nameserver 203.0.113.1\n");
    assert_true(resolv_file_release(&file, &fault));
    assert_string_equal(get(path), "nameserver 203.0.113.1\n");
    assert_int_equal(entries(), 1);
}

static void test_what_others_removed_comes_back(void **state)
{
    (void)state;
    put(path, OLD);
    take();
    unlink(path);
    assert_true(resolv_file_release(&file, &fault));
    assert_string_equal(get(path), OLD);
    assert_int_equal(entries(), 1);
}

static void test_replaced_link_is_kept(void **state)
{
    (void)state;
    char target[128] = "";
    assert_int_equal(symlink("/run/manager", path), 0);
    take();
    put_anew(path, OLD);
    assert_true(resolv_file_release(&file, &fault));
    take();
    assert_true(readlink(aside, target, sizeof target - 1) > 0);
    assert_string_equal(target, "/run/manager");
    assert_string_equal(get(backup), OLD);
}

// A manager that writes at every moment there is: the last that it wrote is what is there in the end. It writes 400 times, and
// then, with longer and longer pauses, until ours was taken ENOUGH times beside it: on a busy machine one taking, which waits
// for the disk, can be longer than all those pauses.
static void write_beside(const atomic_int *taken, int end)
{
    char text[64];
    time_t over = time(NULL) + 30;
    for (int i = 1; i <= 400 || (*taken < ENOUGH && time(NULL) < over); i++) {
        snprintf(text, sizeof text, "nameserver 10.%d.%d.%d\n", i / 62500, i / 250 % 250, i % 250 + 1);
        put_anew(path, text);
        usleep((useconds_t)(rand() % (i <= 400 ? 500 : 500 + 100 * (i - 400))));
    }
    _exit(write(end, text, strlen(text) + 1) < 0);
}

static void test_what_others_write_is_never_lost(void **state)
{
    (void)state;
    char last[64];
    int ends[2], status;
    atomic_int *taken = mmap(NULL, sizeof *taken, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(taken, MAP_FAILED);
    assert_int_equal(pipe(ends), 0);
    put(path, OLD);
    pid_t writer = fork();
    if (writer == 0)
        write_beside(taken, ends[1]);
    while (waitpid(writer, &status, WNOHANG) == 0) {
        struct resolv_conf before;
        if (!resolv_file_take(&file, &before, &fault))
            continue; // it changed whenever it was looked at
        resolv_conf_fini(&before);
        ++*taken;
        assert_true(resolv_file_release(&file, &fault));
    }
    assert_int_equal(status, 0);
    assert_in_range(*taken, ENOUGH, INT_MAX);
    assert_true(read(ends[0], last, sizeof last) > 0);
    assert_string_equal(get(path), last);
    close(ends[0]);
    close(ends[1]);
    munmap(taken, sizeof *taken);
}

// Killed between the writing of ours and the exchange.
static void test_half_taken(void **state)
{
    (void)state;
    put(path, OLD);
    put(backup, "# Written by usher-tun branch: usher-tun down branch removes it\n");
    take();
    assert_string_equal(get(backup), OLD);
    assert_true(resolv_file_release(&file, &fault));
    assert_string_equal(get(path), OLD);
    assert_int_equal(entries(), 1);
}

static void test_backup_is_gone(void **state)
{
    (void)state;
    put(path, OLD);
    take();
    unlink(backup);
    assert_false(resolv_file_release(&file, &fault));
    assert_non_null(strstr(fault.text, backup));
    assert_non_null(strstr(fault.text, "No such file"));
    assert_true(is_ours());
}

static void test_servers_that_cannot_be_asked(void **state)
{
    (void)state;
    struct resolv_conf before;
    put(path, "nameserver fe80::1%eth0\n");
    assert_false(resolv_file_take(&file, &before, &fault));
    assert_non_null(strstr(fault.text, "none is a plain address"));
    assert_string_equal(get(path), "nameserver fe80::1%eth0\n");
    assert_int_equal(entries(), 1);
}

static void test_read_only(void **state)
{
    (void)state;
    struct resolv_conf before;
    put(path, OLD);
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(directory, directory, NULL, MS_BIND, NULL) < 0)
        skip();
    assert_int_equal(mount(NULL, directory, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
    bool taken = resolv_file_take(&file, &before, &fault);
    bool nothing_to_give = resolv_file_give_back(path, "branch", &fault);
    umount2(directory, MNT_DETACH);
    assert_false(taken);
    assert_non_null(strstr(fault.text, "Read-only file system"));
    assert_true(nothing_to_give);
    assert_string_equal(get(path), OLD);
}

static void start(struct resolv_keeper *keeper)
{
    struct attendant attendant;
    assert_true(resolv_keeper_attendant(&attendant, &fault));
    take();
    if (!resolv_keeper_start(keeper, &attendant, &file, -1, &fault))
        fail_msg("%s", fault.text);
    assert_int_equal(file.lock, -1);
}

static void test_keeper(void **state)
{
    (void)state;
    struct resolv_keeper keeper;
    put(path, OLD);
    start(&keeper);
    assert_false(resolv_file_give_back(path, "branch", &fault)); // it holds it
    kill(keeper.attendant.pid, SIGTERM);                         // to all, as a service manager does
    kill(keeper.attendant.pid, SIGINT);
    kill(keeper.attendant.pid, SIGHUP);
    usleep(50000);
    assert_true(is_ours());
    resolv_keeper_stop(&keeper);
    assert_string_equal(get(path), OLD);
    assert_int_equal(entries(), 1);
    assert_int_equal(waitpid(keeper.attendant.pid, NULL, 0), -1); // reaped already
}

static enum resolv_news await_news(struct resolv_keeper *keeper, struct resolv_conf_servers *servers)
{
    struct pollfd fds = {.fd = keeper->attendant.channel, .events = POLLIN};
    return poll(&fds, 1, 5000) == 1 ? resolv_keeper_read(keeper, servers, &fault) : RESOLV_NOTHING;
}

static void test_keeper_takes_again(void **state)
{
    (void)state;
    struct resolv_keeper keeper;
    struct resolv_conf_servers servers = {0};
    put(path, OLD);
    start(&keeper);
    assert_int_equal(resolv_keeper_read(&keeper, &servers, &fault), RESOLV_NOTHING);
    put_anew(path, "nameserver 203.0.113.1\n");
    assert_int_equal(await_news(&keeper, &servers), RESOLV_TAKEN);
    assert_int_equal(servers.count, 1);
    assert_int_equal(servers.items[0].bytes[0], 203);
    assert_true(is_ours());
    put(path, "nameserver 203.0.113.2\n"); // in place
    assert_int_equal(await_news(&keeper, &servers), RESOLV_TAKEN);
    assert_int_equal(servers.items[0].bytes[3], 2);
    put_anew(path, "nameserver fe80::1%eth0\n");
    assert_int_equal(await_news(&keeper, &servers), RESOLV_TROUBLE);
    assert_non_null(strstr(fault.text, "none is a plain address"));
    put_anew(path, "nameserver 203.0.113.4\n");
    assert_int_equal(await_news(&keeper, &servers), RESOLV_TAKEN);
    resolv_keeper_stop(&keeper);
    assert_string_equal(get(path), "nameserver 203.0.113.4\n");
    assert_int_equal(entries(), 1);
}

// The manager of a link's target goes on as if nothing had happened.
static void test_keeper_follows_the_link(void **state)
{
    (void)state;
    struct resolv_keeper keeper;
    struct resolv_conf_servers servers = {0};
    char there[128];
    snprintf(there, sizeof there, "%s/run", directory);
    assert_int_equal(mkdir(there, 0755), 0);
    snprintf(there, sizeof there, "%s/run/resolv.conf", directory);
    put(there, OLD);
    assert_int_equal(symlink("run/resolv.conf", path), 0);
    start(&keeper);
    put_anew(there, "nameserver 203.0.113.1\noptions rotate\n");
    assert_int_equal(await_news(&keeper, &servers), RESOLV_RENEWED);
    assert_int_equal(servers.items[0].bytes[0], 203);
    assert_true(is_ours());
    assert_non_null(strstr(get(path), "nameserver 198.18.0.1\nsearch corp.example\noptions rotate\n"));
    put(there, ""); // in the middle of something, or without a network
    usleep(400000);
    assert_int_equal(resolv_keeper_read(&keeper, &servers, &fault), RESOLV_NOTHING);
    put(there, "nameserver 203.0.113.2\n");
    assert_int_equal(await_news(&keeper, &servers), RESOLV_RENEWED);
    assert_int_equal(servers.items[0].bytes[3], 2);
    resolv_keeper_stop(&keeper);
    assert_string_equal(get(path), "nameserver 203.0.113.2\n");
    assert_int_equal(readlink(path, there, sizeof there), 15);
    assert_int_equal(entries(), 2);
}

// At boot: the service that the link belongs to comes later, and makes the directory.
static void test_keeper_waits_for_the_target(void **state)
{
    (void)state;
    struct resolv_keeper keeper;
    struct resolv_conf_servers servers = {0};
    char there[128];
    assert_int_equal(symlink("run/resolv.conf", path), 0);
    start(&keeper);
    snprintf(there, sizeof there, "%s/run", directory);
    assert_int_equal(mkdir(there, 0755), 0);
    snprintf(there, sizeof there, "%s/run/resolv.conf", directory);
    put(there, "nameserver 127.0.0.53\n");
    assert_int_equal(await_news(&keeper, &servers), RESOLV_RENEWED);
    assert_int_equal(servers.items[0].bytes[3], 53);
    put_anew(there, "nameserver 203.0.113.1\n"); // and is watched from now on
    assert_int_equal(await_news(&keeper, &servers), RESOLV_RENEWED);
    resolv_keeper_stop(&keeper);
    assert_string_equal(get(path), "nameserver 203.0.113.1\n");
}

static void test_keeper_is_killed(void **state)
{
    (void)state;
    struct resolv_keeper keeper;
    struct resolv_conf_servers servers;
    put(path, OLD);
    start(&keeper);
    kill(keeper.attendant.pid, SIGKILL);
    assert_int_equal(await_news(&keeper, &servers), RESOLV_GONE);
    resolv_keeper_stop(&keeper);
    assert_true(is_ours());
    assert_true(resolv_file_give_back(path, "branch", &fault));
    assert_string_equal(get(path), OLD);
}

int main(void)
{
    log_set_level(LOG_LEVEL_ERROR);
#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, enter, leave)
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(test_round_trip),
        IN_DIRECTORY(test_says_what_was_there),
        IN_DIRECTORY(test_link_stays_a_link),
        IN_DIRECTORY(test_link_to_nowhere),
        IN_DIRECTORY(test_none),
        IN_DIRECTORY(test_dead_one_is_put_back),
        IN_DIRECTORY(test_dead_one_is_taken_over),
        IN_DIRECTORY(test_one_at_a_time),
        IN_DIRECTORY(test_readers_feign_nothing),
        IN_DIRECTORY(test_what_others_wrote_stays),
        IN_DIRECTORY(test_what_others_removed_comes_back),
        IN_DIRECTORY(test_replaced_link_is_kept),
        IN_DIRECTORY(test_what_others_write_is_never_lost),
        IN_DIRECTORY(test_half_taken),
        IN_DIRECTORY(test_backup_is_gone),
        IN_DIRECTORY(test_servers_that_cannot_be_asked),
        IN_DIRECTORY(test_keeper),
        IN_DIRECTORY(test_keeper_takes_again),
        IN_DIRECTORY(test_keeper_follows_the_link),
        IN_DIRECTORY(test_keeper_waits_for_the_target),
        IN_DIRECTORY(test_keeper_is_killed),
        IN_DIRECTORY(test_read_only), // in a mount namespace of its own, and so are those after it
        IN_DIRECTORY(test_mount_point_is_written_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
