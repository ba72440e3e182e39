// SPDX-License-Identifier: GPL-2.0-or-later
// The system calls of a gate's worker (seccomp(2)). Three answers: allowed, if need be for certain arguments alone;
// EPERM, so that a library's probing fails softly; death, for what only a stranger's code would do.
#include "os/sandbox.h"

#include "os/sanitized.h"

#include <asm/ioctls.h>
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct rule {
    int call;
    uint8_t count; // of `args`
    struct scmp_arg_cmp args[2];
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

// Of an argument, by its position: the whole value, or some bits of it.
// clang-format off
#define IS(arg, value)         {arg, SCMP_CMP_EQ, value, 0}
#define BITS(arg, mask, value) {arg, SCMP_CMP_MASKED_EQ, mask, value}

#define CALL(name)                {SCMP_SYS(name), 0, {}}
#define CALL_IF(name, arg)        {SCMP_SYS(name), 1, {arg}}
#define CALL_IF_BOTH(name, a, b)  {SCMP_SYS(name), 2, {a, b}}
// clang-format on

static const struct rule allowed[] = {
    // The loop (libuv).
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(epoll_wait),
    CALL(epoll_pwait),
    CALL(epoll_pwait2),
    CALL(poll),
    CALL(ppoll),
    CALL(eventfd2),
    CALL(pipe2),
    CALL(timerfd_create),
    CALL(timerfd_settime),
    CALL(timerfd_gettime),
    // Descriptors that are there: sockets, the channel to the supervisor, stderr.
    CALL(read),
    CALL(write),
    CALL(readv),
    CALL(writev),
    CALL(recvfrom),
    CALL(sendto),
    CALL(recvmsg),
    CALL(sendmsg),
    CALL(recvmmsg),
    CALL(sendmmsg),
    CALL(shutdown),
    CALL(close),
    CALL(fstat),
    CALL_IF(fcntl, IS(1, F_GETFL)),
    CALL_IF(fcntl, IS(1, F_SETFL)),
    CALL_IF(fcntl, IS(1, F_GETFD)),
    CALL_IF(fcntl, IS(1, F_SETFD)),
    CALL_IF(ioctl, IS(1, FIONBIO)),
    CALL_IF(ioctl, IS(1, FIONREAD)),
    CALL_IF(ioctl, IS(1, SIOCOUTQ)),
    // Towards destinations and name servers. Ping sockets are SOCK_DGRAM too.
    CALL_IF_BOTH(socket, IS(0, AF_INET), BITS(1, 0xf, SOCK_STREAM)),
    CALL_IF_BOTH(socket, IS(0, AF_INET), BITS(1, 0xf, SOCK_DGRAM)),
    CALL_IF_BOTH(socket, IS(0, AF_INET6), BITS(1, 0xf, SOCK_STREAM)),
    CALL_IF_BOTH(socket, IS(0, AF_INET6), BITS(1, 0xf, SOCK_DGRAM)),
    CALL(connect),
    CALL(bind),
    CALL(accept4), // on sockets that were handed over: listen(2) is not among these
    CALL(getsockname),
    CALL(getpeername),
    CALL(getsockopt),
    CALL_IF(setsockopt, IS(1, SOL_SOCKET)),
    CALL_IF(setsockopt, IS(1, IPPROTO_IP)),
    CALL_IF(setsockopt, IS(1, IPPROTO_IPV6)),
    CALL_IF(setsockopt, IS(1, IPPROTO_TCP)),
    CALL_IF(setsockopt, IS(1, IPPROTO_UDP)),
    // Time and chance.
    CALL(clock_gettime),
    CALL(clock_getres),
    CALL(clock_nanosleep),
    CALL(nanosleep),
    CALL(gettimeofday),
    CALL(time),
    CALL(getrandom),
    // Memory that is never executable.
    CALL(brk),
    CALL_IF(mmap, BITS(2, PROT_EXEC, 0)),
    CALL_IF(mprotect, BITS(2, PROT_EXEC, 0)),
    CALL(munmap),
    CALL(mremap),
    CALL(madvise),
    // Itself: signals, locks, limits to read, the way out.
    CALL(futex),
    CALL(rseq),
    CALL(sched_yield),
    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(sigaltstack),
    CALL(restart_syscall),
    CALL(getpid),
    CALL(gettid),
    CALL(getuid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getegid),
    CALL(uname),
    CALL(getrlimit),
    CALL_IF_BOTH(prlimit64, IS(0, 0), IS(2, 0)),
    CALL(exit),
    CALL(exit_group),
};

// A keeper's: files, and the news of them.
static const struct rule allowed_keeper[] = {
    CALL(read),
    CALL(write),
    CALL(pwrite64),
    CALL(sendto), // on the one socket that it has
    CALL(close),
    CALL(open),
    CALL(openat),
    CALL(access),
    CALL(faccessat),
    CALL(faccessat2),
    CALL(fstat),
    CALL(lstat),
    CALL(newfstatat),
    CALL(statx),
    CALL(lseek),
    CALL(fchmod),
    CALL(fsync),
    CALL(ftruncate),
    CALL(readlink),
    CALL(readlinkat),
    CALL(rename),
    CALL(renameat),
    CALL(renameat2),
    CALL(unlink),
    CALL(unlinkat),
    CALL_IF(fcntl, IS(1, F_OFD_SETLK)),
    CALL_IF(fcntl, IS(1, F_OFD_GETLK)),
    CALL_IF(fcntl, IS(1, F_GETFL)),
    CALL(inotify_add_watch),
    CALL(poll),
    CALL(ppoll),
    CALL(clock_gettime),
    CALL(clock_nanosleep),
    CALL(nanosleep),
    CALL(restart_syscall),
    CALL(brk),
    CALL_IF(mmap, BITS(2, PROT_EXEC, 0)),
    CALL_IF(mprotect, BITS(2, PROT_EXEC, 0)),
    CALL(munmap),
    CALL(mremap),
    CALL(madvise),
    CALL(futex),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(getrandom),
    CALL(getpid),
    CALL(gettid),
    CALL(exit),
    CALL(exit_group),
};

static const struct rule deadly[] = {
    CALL(execve),
    CALL(execveat),
    CALL(fork),
    CALL(vfork),
    CALL_IF(mmap, BITS(2, PROT_EXEC, PROT_EXEC)),
    CALL_IF(mprotect, BITS(2, PROT_EXEC, PROT_EXEC)),
    CALL(pkey_mprotect),
    CALL_IF(socket, IS(0, AF_PACKET)),
    CALL(process_vm_readv),
    CALL(process_vm_writev),
    CALL(bpf),
    CALL(mount),
    CALL(unshare),
    CALL(setns),
    CALL(init_module),
    CALL(finit_module),
    CALL(kexec_load),
};

#if SANITIZED
// For the runtime of a sanitizer: its maps, its reports, and the thread that looks for leaks at exit.
static const struct rule for_sanitizer[] = {
    CALL(sigaltstack),
    CALL(rt_sigaction),
    CALL(sched_yield),
    CALL(open),
    CALL(openat),
    CALL(lseek),
    CALL(newfstatat),
    CALL(stat),
    CALL(readlink),
    CALL(readlinkat),
    CALL(getdents), // the leak check reads /proc/self/task by the older call
    CALL(getdents64),
    CALL(prctl),
    CALL(arch_prctl),
    CALL(clone),
    CALL(wait4),
    CALL(ptrace),
    CALL(sched_getaffinity),
    CALL(set_robust_list),
    CALL(getppid),
    CALL(setrlimit),
    CALL(kill),
    CALL(tgkill),
    CALL(dup),
};
#else
static const struct rule deadly_unsanitized[] = {
    CALL(ptrace),
    CALL_IF(clone, BITS(0, CLONE_THREAD, 0)),
};
#endif

static int add(scmp_filter_ctx filter, uint32_t action, const struct rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int result = seccomp_rule_add_array(filter, action, rules[i].call, rules[i].count, rules[i].args);
        // A call that this machine's architecture never had needs no rule.
        if (result < 0 && result != -EDOM)
            return result;
    }
    return 0;
}

static int fill(scmp_filter_ctx filter, const struct rule *own, size_t own_count)
{
    // Calls in another architecture's numbers (x32, 32 bits) would slip past every rule.
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); // a binary tree: reads and writes are hot
    if (result == 0)
        result = add(filter, SCMP_ACT_ALLOW, own, own_count);
    if (result == 0)
        result = add(filter, SCMP_ACT_KILL_PROCESS, deadly, COUNT(deadly));
#if SANITIZED
    if (result == 0)
        result = add(filter, SCMP_ACT_ALLOW, for_sanitizer, COUNT(for_sanitizer));
#else
    if (result == 0)
        result = add(filter, SCMP_ACT_KILL_PROCESS, deadly_unsanitized, COUNT(deadly_unsanitized));
    // abort(3) raises the signal in its own thread; no other process is to be signalled.
    const struct rule self[] = {CALL_IF(tgkill, IS(0, (scmp_datum_t)getpid()))};
    if (result == 0)
        result = add(filter, SCMP_ACT_ALLOW, self, COUNT(self));
#endif
    return result;
}

static bool load(scmp_filter_ctx filter, int result, struct fault *fault)
{
    if (result == 0)
        result = seccomp_load(filter); // sets no_new_privs too
    seccomp_release(filter);
    return result == 0 || fault_errno(fault, -result, "sandbox: load the system call filter");
}

bool sandbox_refuse_io_uring(struct fault *fault)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return fault_set(fault, "sandbox: seccomp: out of memory");
    return load(filter, seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0), fault);
}

bool sandbox_seal_worker(struct fault *fault)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return fault_set(fault, "sandbox: seccomp: out of memory");
    if (!load(filter, fill(filter, allowed, COUNT(allowed)), fault))
        return false;
    if (!SANITIZED && (openat(AT_FDCWD, "/", O_RDONLY | O_CLOEXEC) >= 0 || errno != EPERM))
        return fault_set(fault, "sandbox: the system call filter does not hold");
    return true;
}

// Root without capabilities writes what is root's by its permissions; this one is for files that are read-only.
static bool keep_files_only(struct fault *fault)
{
    if (capng_get_caps_process() < 0)
        return fault_set(fault, "sandbox: read the capabilities: not possible");
    bool had = capng_have_capability(CAPNG_PERMITTED, CAP_DAC_OVERRIDE);
    bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP); // not every root has it
    capng_clear(CAPNG_SELECT_ALL);
    if (had)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_DAC_OVERRIDE);
    return capng_apply(may_bound ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS) == 0 ||
           fault_set(fault, "sandbox: give up capabilities: not possible");
}

bool sandbox_seal_keeper(struct fault *fault)
{
    if (!keep_files_only(fault))
        return false;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return fault_set(fault, "sandbox: seccomp: out of memory");
    if (!load(filter, fill(filter, allowed_keeper, COUNT(allowed_keeper)), fault))
        return false;
    if (!SANITIZED && (socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 || errno != EPERM))
        return fault_set(fault, "sandbox: the system call filter does not hold");
    return true;
}
