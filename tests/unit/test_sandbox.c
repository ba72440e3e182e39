// SPDX-License-Identifier: GPL-2.0-or-later
// Every case is a child process that gives something up and then tries; how it ends is the verdict.
#include "nameserver.h"
#include "os/log.h"
#include "os/netlink/netlink.h"
#include "os/random.h"
#include "os/resolver/resolver.h"
#include "os/sandbox/sandbox.h"
#include "os/sanitized.h"
#include "os/socket/socket.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

// Runs `body` in a child: its exit code, or minus the signal that killed it.
static int in_child(int (*body)(const void *arg), const void *arg)
{
    pid_t child = fork();
    if (child == 0)
        _exit(body(arg));
    int status;
    if (waitpid(child, &status, 0) != child)
        return 1000;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static bool am_root(void)
{
    return geteuid() == 0;
}

static void need_root(void)
{
    if (am_root())
        return;
    print_message("only root has privileges to drop\n");
    skip();
}

// ---- the seal

static void *page;

static long try_execve(void)
{
    return execve("/bin/true", (char *[]){"true", NULL}, NULL);
}
static long try_execveat(void)
{
    return syscall(SYS_execveat, AT_FDCWD, "/bin/true", NULL, NULL, 0);
}
static long try_ptrace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}
static long try_packet(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0);
}
static long try_executable_map(void)
{
    return (long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static long try_executable_turn(void)
{
    return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}
static long try_fork(void)
{
    return fork();
}
static long try_peek(void)
{
    struct iovec iov = {page, 1};
    return process_vm_readv(getppid(), &iov, 1, &iov, 1, 0);
}
static long try_unshare(void)
{
    return unshare(CLONE_NEWUSER);
}
static long try_mount(void)
{
    return mount("none", "/tmp", "tmpfs", 0, NULL);
}
static long try_bpf(void)
{
    return syscall(SYS_bpf, 0, NULL, 0);
}
#ifdef __x86_64__
static long try_x32(void)
{
    return syscall(0x40000000 | SYS_getpid);
}
#endif
static long try_open(void)
{
    return open("/etc/passwd", O_RDONLY);
}
static long try_create(void)
{
    return open("/tmp/usher-no-such-file", O_WRONLY | O_CREAT, 0600);
}
static long try_unlink(void)
{
    return unlink("/tmp/usher-no-such-file");
}
static long try_netlink(void)
{
    return socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
}
static long try_unix(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}
static long try_raw(void)
{
    return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}
static long try_listen(void)
{
    return listen(3, 1);
}
static long try_kill(void)
{
    return kill(0, 0);
}
static long try_tgkill(void)
{
    return syscall(SYS_tgkill, 1, 1, 0);
}
static long try_setrlimit(void)
{
    const struct rlimit limit = {64, 64};
    return setrlimit(RLIMIT_NOFILE, &limit);
}
static long try_terminal(void)
{
    return ioctl(STDIN_FILENO, TIOCSTI, "x");
}
static long try_dup(void)
{
    return fcntl(STDERR_FILENO, F_DUPFD, 10);
}
static long try_option(void)
{
    return setsockopt(STDERR_FILENO, SOL_PACKET, 1, NULL, 0);
}
static long try_setuid(void)
{
    return setuid(0);
}

enum outcome { DIES, FAILS };

static const struct {
    const char *name;
    long (*attempt)(void);
    enum outcome outcome;
    bool sanitizer_needs_it;
} forbidden[] = {
    {"execve", try_execve, DIES, false},
    {"execveat", try_execveat, DIES, false},
    {"ptrace", try_ptrace, DIES, true},
    {"AF_PACKET", try_packet, DIES, false},
    {"mmap executable", try_executable_map, DIES, false},
    {"mprotect executable", try_executable_turn, DIES, false},
    {"fork", try_fork, DIES, true},
    {"process_vm_readv", try_peek, DIES, false},
    {"unshare", try_unshare, DIES, false},
    {"mount", try_mount, DIES, false},
    {"bpf", try_bpf, DIES, false},
#ifdef __x86_64__
    {"x32", try_x32, DIES, false},
#endif
    {"open", try_open, FAILS, true},
    {"create", try_create, FAILS, true},
    {"unlink", try_unlink, FAILS, false},
    {"AF_NETLINK", try_netlink, FAILS, false},
    {"AF_UNIX", try_unix, FAILS, false},
    {"SOCK_RAW", try_raw, FAILS, false},
    {"listen", try_listen, FAILS, false},
    {"kill", try_kill, FAILS, true},
    {"tgkill another", try_tgkill, FAILS, true},
    {"setrlimit", try_setrlimit, FAILS, false},
    {"TIOCSTI", try_terminal, FAILS, false},
    {"F_DUPFD", try_dup, FAILS, false},
    {"SOL_PACKET", try_option, FAILS, false},
    {"setuid", try_setuid, FAILS, false},
};

enum { CHILD_EPERM = 20, CHILD_OTHER_ERROR, CHILD_SUCCEEDED, CHILD_NOT_SEALED };

static int sealed_attempt(const void *arg)
{
    struct fault fault;
    if (!sandbox_seal_worker(&fault))
        return CHILD_NOT_SEALED;
    long (*const *attempt)(void) = arg;
    if ((*attempt)() != -1)
        return CHILD_SUCCEEDED;
    return errno == EPERM ? CHILD_EPERM : CHILD_OTHER_ERROR;
}

static void what_no_worker_does(void **state)
{
    (void)state;
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < COUNT(forbidden); i++) {
        if (SANITIZED && forbidden[i].sanitizer_needs_it)
            continue;
        int end = in_child(sealed_attempt, &forbidden[i].attempt);
        if (end != (forbidden[i].outcome == DIES ? -SIGSYS : CHILD_EPERM))
            fail_msg("%s ends with %d", forbidden[i].name, end);
    }
    munmap(page, 4096);
}

typedef long attempt(void);

static bool is_one_of(attempt *one, attempt **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == one)
            return true;
    return false;
}

static int sealed_keeper_attempt(const void *arg)
{
    struct fault fault;
    if (!sandbox_seal_keeper(&fault))
        return CHILD_NOT_SEALED;
    long (*const *attempt)(void) = arg;
    if ((*attempt)() != -1)
        return CHILD_SUCCEEDED;
    return errno == EPERM ? CHILD_EPERM : CHILD_OTHER_ERROR;
}

// The same but for files.
static void what_no_keeper_does(void **state)
{
    (void)state;
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < COUNT(forbidden); i++) {
        bool may = is_one_of(forbidden[i].attempt, (attempt *[]){try_open, try_create, try_unlink}, 3);
        if (SANITIZED && forbidden[i].sanitizer_needs_it)
            continue;
        int end = in_child(sealed_keeper_attempt, &forbidden[i].attempt);
        bool as_it_should = may ? end == CHILD_SUCCEEDED || end == CHILD_OTHER_ERROR
                                : end == (forbidden[i].outcome == DIES ? -SIGSYS : CHILD_EPERM);
        if (!as_it_should)
            fail_msg("%s ends with %d", forbidden[i].name, end);
    }
    munmap(page, 4096);
}

static int sealed_portal_attempt(const void *arg)
{
    struct fault fault;
    if (!sandbox_seal_portal(&fault))
        return CHILD_NOT_SEALED;
    long (*const *attempt)(void) = arg;
    if ((*attempt)() != -1)
        return CHILD_SUCCEEDED;
    return errno == EPERM ? CHILD_EPERM : CHILD_OTHER_ERROR;
}

// It reads files and removes its own, and has other sockets; it makes no file, and starts nothing.
static void what_no_portal_does(void **state)
{
    (void)state;
    attempt *its[] = {try_open, try_unlink, try_netlink, try_unix, try_listen};
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < COUNT(forbidden); i++) {
        if (SANITIZED && forbidden[i].sanitizer_needs_it)
            continue;
        int end = in_child(sealed_portal_attempt, &forbidden[i].attempt);
        bool as_it_should = is_one_of(forbidden[i].attempt, its, COUNT(its))
                                ? end == CHILD_SUCCEEDED || end == CHILD_OTHER_ERROR
                                : end == (forbidden[i].outcome == DIES ? -SIGSYS : CHILD_EPERM);
        if (!as_it_should)
            fail_msg("%s ends with %d", forbidden[i].name, end);
    }
    munmap(page, 4096);
}

// What it starts inherits what is refused, and that is little.
static int starter(const void *arg)
{
    struct fault fault;
    (void)arg;
    if (!sandbox_seal_starter(&fault))
        return CHILD_NOT_SEALED;
    attempt *refused[] = {SANITIZED ? try_packet : try_ptrace, try_packet, try_peek, try_unshare, try_mount, try_bpf};
    for (size_t i = 0; i < COUNT(refused); i++)
        if (refused[i]() != -1 || errno != EPERM)
            return 1 + (int)i;
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "exec /bin/true", (char *)NULL);
        _exit(1);
    }
    int status;
    return waitpid(child, &status, 0) == child && status == 0 ? 0 : CHILD_OTHER_ERROR;
}

static void one_that_starts_others(void **state)
{
    (void)state;
    assert_int_equal(in_child(starter, NULL), 0);
}

static int sealed_reader_attempt(const void *arg)
{
    struct fault fault;
    if (!sandbox_seal_reader(&fault))
        return CHILD_NOT_SEALED;
    long (*const *attempt)(void) = arg;
    if ((*attempt)() != -1)
        return CHILD_SUCCEEDED;
    return errno == EPERM ? CHILD_EPERM : CHILD_OTHER_ERROR;
}

// The same but for reading.
static void what_no_reader_does(void **state)
{
    (void)state;
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < COUNT(forbidden); i++) {
        if (SANITIZED && forbidden[i].sanitizer_needs_it)
            continue;
        int end = in_child(sealed_reader_attempt, &forbidden[i].attempt);
        bool as_it_should = forbidden[i].attempt == try_open
                                ? end == CHILD_SUCCEEDED
                                : end == (forbidden[i].outcome == DIES ? -SIGSYS : CHILD_EPERM);
        if (!as_it_should)
            fail_msg("%s ends with %d", forbidden[i].name, end);
    }
    munmap(page, 4096);
}

static int sealed_recorder_attempt(const void *arg)
{
    struct fault fault;
    if (!sandbox_seal_recorder(&fault))
        return CHILD_NOT_SEALED;
    long (*const *attempt)(void) = arg;
    if ((*attempt)() != -1)
        return CHILD_SUCCEEDED;
    return errno == EPERM ? CHILD_EPERM : CHILD_OTHER_ERROR;
}

// The same but for a file that it opens or makes.
static void what_no_recorder_does(void **state)
{
    (void)state;
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < COUNT(forbidden); i++) {
        bool may = is_one_of(forbidden[i].attempt, (attempt *[]){try_open, try_create}, 2);
        if (SANITIZED && forbidden[i].sanitizer_needs_it)
            continue;
        int end = in_child(sealed_recorder_attempt, &forbidden[i].attempt);
        bool as_it_should = may ? end == CHILD_SUCCEEDED || end == CHILD_OTHER_ERROR
                                : end == (forbidden[i].outcome == DIES ? -SIGSYS : CHILD_EPERM);
        if (!as_it_should)
            fail_msg("%s ends with %d", forbidden[i].name, end);
    }
    munmap(page, 4096);
}

static long try_write(void)
{
    return open("/dev/null", O_WRONLY);
}
static long try_read_and_write(void)
{
    return open("/dev/null", O_RDWR);
}
static long try_make(void)
{
    return open("/tmp/usher-made-by-a-reader", O_RDONLY | O_CREAT, 0600);
}
static long try_truncate(void)
{
    return open("/dev/null", O_RDONLY | O_TRUNC);
}
static long try_rename(void)
{
    return rename("/tmp/usher-no-such-file", "/tmp/usher-nor-this");
}

static void a_reader_only_reads(void **state)
{
    static long (*const attempts[])(void) = {try_write, try_read_and_write, try_make, try_truncate, try_rename};
    (void)state;
    if (SANITIZED) // whose runtime opens files
        skip();
    for (size_t i = 0; i < COUNT(attempts); i++)
        assert_int_equal(in_child(sealed_reader_attempt, &attempts[i]), CHILD_EPERM);
}

// What the loop, the allocator and the log do in a worker; the number of the step that failed, or 0.
static int sealed_errands(const void *arg)
{
    (void)arg;
    struct fault fault;
    if (!sandbox_seal_worker(&fault))
        return CHILD_NOT_SEALED;
    uint64_t count = 1;
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    if (event < 0 || write(event, &count, sizeof(count)) < 0 || timer < 0)
        return 1;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0 || write(ends[1], "x", 1) != 1 || read(ends[0], &count, 1) != 1)
        return 2;
    uint8_t *block = malloc(8 << 20);
    block[0] = 1;
    block = realloc(block, 64 << 20);
    if (!block)
        return 3;
    free(block);
    random_fill(&count, sizeof(count));
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 4;
    log_debug("not shown, but formatted");
    fprintf(stdout, "%s", "");
    for (uint8_t version = 4; version <= 6; version += 2) {
        int stream = socket_stream(version), datagram = socket_datagram(version);
        if (stream < 0 || datagram < 0)
            return 5;
        socket_set_nodelay(stream);
        socket_set_notsent_lowat(stream, 16384);
        socket_set_user_timeout(stream, 20000);
        socket_rtt_usec(stream);
        struct endpoint local;
        int waiting;
        if (!socket_local(stream, &local) || ioctl(datagram, FIONREAD, &waiting) < 0)
            return 6;
        socket_close_reset(stream);
    }
    struct timespec pause = {0, 1000};
    return nanosleep(&pause, NULL) < 0 ? 7 : 0;
}

static void what_a_worker_does(void **state)
{
    (void)state;
    assert_int_equal(in_child(sealed_errands, NULL), 0);
}

static int sealed_abort(const void *arg)
{
    (void)arg;
    struct fault fault;
    if (!sandbox_seal_worker(&fault))
        return CHILD_NOT_SEALED;
    abort();
}

static void an_abort_is_still_an_abort(void **state)
{
    (void)state;
    assert_int_equal(in_child(sealed_abort, NULL), -SIGABRT);
}

static void count_heard(void *owner, const struct resolver_answer *answer)
{
    *(size_t *)owner = answer->count;
}

struct worker {
    const struct nameserver *server;
    bool early; // the resolver is made before the seal
};

// A worker's whole outside life: a loop, names by UDP and by TCP, a connection.
static int sealed_life(const void *arg)
{
    const struct worker *worker = arg;
    const struct resolver_config config = {.servers = worker->server->servers, .timeout_ms = 2000};
    struct fault fault;
    struct resolver *resolver = NULL;
    uv_loop_t loop;
    if (worker->early) {
        if (!sandbox_refuse_io_uring(&fault) || syscall(SYS_io_uring_setup, 1, NULL) == 0 || errno != ENOSYS)
            return 6;
        uv_loop_init(&loop);
        resolver = resolver_new(&loop, &config, &fault);
    }
    if (!sandbox_drop("nobody", false, &fault) || !sandbox_seal_worker(&fault))
        return CHILD_NOT_SEALED;
    if (!worker->early) {
        if (uv_loop_init(&loop) < 0)
            return 1;
        resolver = resolver_new(&loop, &config, &fault);
    }
    if (!resolver)
        return 2;
    size_t two = 99, big = 99, none = 99, literal = 99;
    resolver_lookup(resolver, "two.test", count_heard, &two);
    resolver_lookup(resolver, "big.test", count_heard, &big);
    resolver_lookup(resolver, "none.test", count_heard, &none);
    resolver_lookup(resolver, "192.0.2.1", count_heard, &literal);
    uv_run(&loop, UV_RUN_DEFAULT);
    if (two != 2 || big != 1 || none != 0 || literal != 1)
        return 3;
    struct endpoint to;
    endpoint_parse(&to, worker->server->servers);
    int fd = socket_stream(4);
    if (fd < 0 || socket_connect(fd, &to) < 0)
        return 4;
    resolver_free(resolver);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop) == 0 ? 0 : 5;
}

static void a_sealed_worker_resolves_and_connects(void **state)
{
    (void)state;
    struct nameserver server;
    assert_true(nameserver_start(&server));
    for (int early = 0; early < 2; early++) {
        const struct worker worker = {&server, early};
        assert_int_equal(in_child(sealed_life, &worker), 0);
    }
    nameserver_stop(&server);
}

// ---- limits and identity

// A line of /proc/self/status, as a number.
static unsigned long long status_of(const char *key)
{
    static char text[8192];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t len = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[len < 0 ? 0 : len] = '\0';
    const char *line = strstr(text, key);
    return line ? strtoull(line + strlen(key), NULL, 16) : ~0ull;
}

enum { CAP_NET_ADMIN_BIT = 12, CAP_SYS_RESOURCE_BIT = 24 };

static int limited(const void *arg)
{
    (void)arg;
    struct rlimit files = {64, 4096};
    if (setrlimit(RLIMIT_NOFILE, &files) < 0)
        return 1;
    sandbox_limits(8192);
    struct rlimit core;
    getrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_CORE, &core);
    const bool may_raise = status_of("CapEff:") >> CAP_SYS_RESOURCE_BIT & 1; // not every root has it
    if (files.rlim_cur != (may_raise ? 8192 : 4096))
        return 2;
    if (core.rlim_cur != 0 || core.rlim_max != 0)
        return 3;
    return prctl(PR_GET_DUMPABLE) == SANITIZED ? 0 : 4;
}

static void limits_are_raised_and_dumps_forbidden(void **state)
{
    (void)state;
    assert_int_equal(in_child(limited, NULL), 0);
}

// Less is asked for than there is: nothing is taken away.
static int limited_below(const void *arg)
{
    (void)arg;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    rlim_t most = files.rlim_max;
    sandbox_limits(16);
    getrlimit(RLIMIT_NOFILE, &files);
    return files.rlim_cur == most && files.rlim_max == most ? 0 : 1;
}

static void limits_are_never_lowered(void **state)
{
    (void)state;
    assert_int_equal(in_child(limited_below, NULL), 0);
}

static int dropped(const void *arg)
{
    const bool keep = *(const bool *)arg;
    struct fault fault;
    const gid_t groups[] = {1, 2, 3};
    if (setgroups(COUNT(groups), groups) < 0 || unshare(CLONE_NEWNET) < 0)
        return 1;
    if (!sandbox_drop("nobody", keep, &fault))
        return 2;
    if (getuid() == 0 || geteuid() == 0 || getegid() == 0 || getgroups(0, NULL) != 0)
        return 3;
    const unsigned long long expected = keep ? 1ull << CAP_NET_ADMIN_BIT : 0;
    if (status_of("CapPrm:") != expected || status_of("CapEff:") != expected)
        return 4;
    if (status_of("CapBnd:") != 0 || status_of("CapInh:") != 0 || status_of("CapAmb:") != 0)
        return 5;
    if (status_of("NoNewPrivs:") != 1 || prctl(PR_GET_DUMPABLE) != SANITIZED)
        return 6;
    if (setuid(0) == 0 || setgid(0) == 0)
        return 7;
    // With the capability, and only so, a route can be put back.
    struct netlink *nl = netlink_new(&fault);
    if (!nl || netlink_link_up(nl, if_nametoindex("lo"), 65536, 1000, &fault) != keep)
        return 8;
    netlink_free(nl);
    int fd = socket_stream(4);
    return socket_set_mark(fd, 1) == keep ? 0 : 9;
}

static void privileges_go_for_good(void **state)
{
    (void)state;
    need_root();
    static const bool keep[] = {false, true};
    for (size_t i = 0; i < COUNT(keep); i++)
        assert_int_equal(in_child(dropped, &keep[i]), 0);
}

static int refused(const void *arg)
{
    struct fault fault = {""};
    if (sandbox_drop(arg, false, &fault))
        return 1;
    return geteuid() == 0 && strstr(fault.text, arg) ? 0 : 2;
}

static void users_that_are_no_refuge(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(in_child(refused, "root"), 0);
    assert_int_equal(in_child(refused, "usher-no-such-user"), 0);
}

static int dropped_without_root(const void *arg)
{
    (void)arg;
    struct fault fault;
    // Another user than root with a capability, as from the file or the service manager.
    if (am_root() && (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setuid(12345) < 0 || status_of("CapPrm:") == 0))
        return 1;
    uid_t before = getuid();
    if (!sandbox_drop("nobody", true, &fault))
        return 2;
    if (status_of("CapPrm:") != 0 || status_of("CapEff:") != 0 || status_of("CapInh:") != 0)
        return 4;
    return getuid() == before && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 3;
}

static void without_root_nothing_is_kept(void **state)
{
    (void)state;
    assert_int_equal(in_child(dropped_without_root, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_worker_does),
        cmocka_unit_test(what_no_keeper_does),
        cmocka_unit_test(what_no_reader_does),
        cmocka_unit_test(what_no_recorder_does),
        cmocka_unit_test(a_reader_only_reads),
        cmocka_unit_test(what_no_portal_does),
        cmocka_unit_test(one_that_starts_others),
        cmocka_unit_test(what_a_worker_does),
        cmocka_unit_test(an_abort_is_still_an_abort),
        cmocka_unit_test(a_sealed_worker_resolves_and_connects),
        cmocka_unit_test(limits_are_raised_and_dumps_forbidden),
        cmocka_unit_test(limits_are_never_lowered),
        cmocka_unit_test(privileges_go_for_good),
        cmocka_unit_test(users_that_are_no_refuge),
        cmocka_unit_test(without_root_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
