// SPDX-License-Identifier: GPL-2.0-or-later
// Which system calls a process of ours has left once it is set up.
#include "os/sandbox/sandbox.h"

#include "os/sandbox/filter.h"
#include "os/sanitized.h"

#include <asm/ioctls.h>
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define WRITING      (O_ACCMODE | O_CREAT | O_TRUNC)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#undef pread64 // some C libraries call the other one so; here it is the system call
#undef pwrite64

// What each process may do is what every one may, and what the lists of its seal at the end of this file add to that.
static const struct filter_rule every[] = {
    // Descriptors that are there, stderr among them.
    CALL(read),
    CALL(write),
    CALL(close),
    CALL(fstat),
    // Memory that is never executable.
    CALL(brk),
    CALL_IF(mmap, BITS(2, PROT_EXEC, 0)),
    CALL_IF(mprotect, BITS(2, PROT_EXEC, 0)),
    CALL(munmap),
    CALL(mremap),
    CALL(madvise),
    // Time, chance, itself, the way out.
    CALL(clock_gettime),
    CALL(getrandom),
    CALL(futex),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(restart_syscall),
    CALL(getpid),
    CALL(gettid),
    CALL(exit),
    CALL(exit_group),
};

// Sockets on a loop: a gate's worker needs no more.
static const struct filter_rule worker[] = {
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
    // Descriptors that are there: sockets, the channel to the supervisor.
    CALL(readv),
    CALL(writev),
    CALL(recvfrom),
    CALL(sendto),
    CALL(recvmsg),
    CALL(sendmsg),
    CALL(recvmmsg),
    CALL(sendmmsg),
    CALL(shutdown),
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
    // Time.
    CALL(clock_getres),
    CALL(clock_nanosleep),
    CALL(nanosleep),
    CALL(gettimeofday),
    CALL(time),
    // Itself: signals, limits to read.
    CALL(rseq),
    CALL(sched_yield),
    CALL(rt_sigaction),
    CALL(sigaltstack),
    CALL(getuid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getegid),
    CALL(uname),
    CALL(getrlimit),
    CALL_IF_BOTH(prlimit64, IS(0, 0), IS_NULL(2)),
};

// Files, to look at them.
static const struct filter_rule looking[] = {
    CALL(stat), CALL(lstat), CALL(newfstatat), CALL(statx), CALL(lseek),
};

// To read them, hear of their changes, and hand on what was read. That none is made or written to is the argument's bits.
static const struct filter_rule reading[] = {
    CALL_IF(open, BITS(1, WRITING, 0)),
    CALL_IF(openat, BITS(2, WRITING, 0)),
    CALL(readlink),
    CALL(readlinkat),
    CALL(inotify_add_watch),
    CALL(inotify_rm_watch),
    CALL(memfd_create),
    CALL_IF(fcntl, IS(1, F_ADD_SEALS)),
};

// Names in a portal's own directory, to remove them; netlink, the service manager, the control socket; and its device, which it
// may have to make again.
static const struct filter_rule portal[] = {
    CALL(access),
    CALL(faccessat),
    CALL(faccessat2),
    CALL(pread64),
    CALL(getdents64),
    CALL(ftruncate), // of descriptors that are there: the log, and what it holds of the machine's
    CALL(unlink),
    CALL(unlinkat),
    CALL(rmdir),
    CALL(dup),
    CALL(dup2),
    CALL(dup3),
    CALL_IF(fcntl, IS(1, F_DUPFD_CLOEXEC)),
    CALL_IF(fcntl, IS(1, F_GET_SEALS)),
    CALL(inotify_init1),
    CALL_IF(socket, IS(0, AF_UNIX)),
    CALL_IF(socket, IS(0, AF_NETLINK)),
    CALL_IF(socketpair, IS(0, AF_UNIX)),
    CALL(listen),
    CALL(wait4), // for the keeper of resolv.conf
    CALL_IF(ioctl, IS(1, TUNSETIFF)),
    CALL_IF(ioctl, IS(1, TUNGETIFF)),
    CALL_IF(ioctl, IS(1, TUNGETFEATURES)),
    CALL_IF(ioctl, IS(1, TUNSETOFFLOAD)),
    CALL_IF(ioctl, IS(1, TUNSETVNETHDRSZ)),
    CALL_IF(ioctl, IS(1, SIOCGIFFLAGS)),
    CALL_IF(ioctl, IS(1, SIOCGIFINDEX)),
    CALL_IF(ioctl, IS(1, SIOCGIFNAME)),
};

// A keeper writes files and moves them, and hears of their changes.
static const struct filter_rule keeper[] = {
    CALL(open),
    CALL(openat),
    CALL(access),
    CALL(faccessat),
    CALL(faccessat2),
    CALL(pwrite64),
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
    CALL(sendmsg), // on the one socket that it has
    CALL(poll),
    CALL(ppoll),
    CALL(clock_nanosleep),
    CALL(nanosleep),
};

// A reader sits on a loop.
static const struct filter_rule reader[] = {
    CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait),
    CALL(recvmsg), // on the one socket that it has
    CALL(sendmsg),   CALL(geteuid),
};

// A recorder has one file to append to, made anew when it is not there, and a socket.
static const struct filter_rule recorder[] = {
    CALL(open),      CALL(openat),
    CALL(pread64), // the time zone's file, by the C library
    CALL(ftruncate), CALL(flock),  CALL(recvfrom), CALL(sendto),
};

// What a process that starts others refuses itself and them: other namespaces, the kernel's insides, others' memory. They are a
// portal's ProxyCommand, a gate's workers and KeyCommand, and whatever those start: so no more than none of them needs.
static const struct filter_rule refused[] = {
#if !SANITIZED // whose leak check traces
    CALL(ptrace),
#endif
    CALL(process_vm_readv),
    CALL(process_vm_writev),
    CALL(kcmp),
    CALL(bpf),
    CALL(perf_event_open),
    CALL(userfaultfd),
    CALL(mount),
    CALL(umount2),
    CALL(pivot_root),
    CALL(move_mount),
    CALL(open_tree),
    CALL(fsopen),
    CALL(fsmount),
    CALL(setns),
    CALL(unshare),
    CALL_IF(clone, BITS(0, CLONE_NEWUSER, CLONE_NEWUSER)),
    CALL(init_module),
    CALL(finit_module),
    CALL(delete_module),
    CALL(kexec_load),
    CALL(kexec_file_load),
    CALL(reboot),
    CALL(swapon),
    CALL(swapoff),
    CALL_IF(socket, IS(0, AF_PACKET)),
};

static const struct filter_rule io_uring[] = {CALL(io_uring_setup)};

bool sandbox_refuse_io_uring(struct fault *fault)
{
    return filter_refuse(&(struct filter_list)FILTER_LIST(io_uring), ENOSYS, fault);
}

static bool holds(bool refused, struct fault *fault)
{
    return SANITIZED || (refused && errno == EPERM) ||
           fault_set(fault, "sandbox: the system call filter does not hold");
}

bool sandbox_seal_worker(struct fault *fault)
{
    const struct filter_list lists[] = {FILTER_LIST(every), FILTER_LIST(worker)};
    return filter_allow(lists, COUNT(lists), fault) && holds(openat(AT_FDCWD, "/", O_RDONLY | O_CLOEXEC) < 0, fault);
}

bool sandbox_seal_starter(struct fault *fault)
{
    return filter_refuse(&(struct filter_list)FILTER_LIST(refused), EPERM, fault) &&
           holds(unshare(CLONE_NEWUSER) < 0, fault);
}

bool sandbox_seal_portal(struct fault *fault)
{
    const struct filter_list lists[] = {FILTER_LIST(every), FILTER_LIST(worker), FILTER_LIST(looking),
                                        FILTER_LIST(reading), FILTER_LIST(portal)};
    return filter_allow(lists, COUNT(lists), fault) &&
           holds(openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC) < 0, fault);
}

// Of root's capabilities this one alone, if there is any need of it: what is root's, root may read and write by permissions.
static bool keep_only(unsigned capability, struct fault *fault)
{
    if (capng_get_caps_process() < 0)
        return fault_set(fault, "sandbox: read the capabilities: not possible");
    bool had = capng_have_capability(CAPNG_PERMITTED, capability);
    bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP); // not every root has it
    capng_clear(CAPNG_SELECT_ALL);
    if (had)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, capability);
    return capng_apply(may_bound ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS) == 0 ||
           fault_set(fault, "sandbox: give up capabilities: not possible");
}

static bool seal_without_sockets(const struct filter_list *lists, size_t count, struct fault *fault)
{
    return filter_allow(lists, count, fault) && holds(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0, fault);
}

bool sandbox_seal_keeper(struct fault *fault)
{
    const struct filter_list lists[] = {FILTER_LIST(every), FILTER_LIST(looking), FILTER_LIST(keeper)};
    return keep_only(CAP_DAC_OVERRIDE, fault) && seal_without_sockets(lists, COUNT(lists), fault);
}

bool sandbox_seal_recorder(struct fault *fault)
{
    const struct filter_list lists[] = {FILTER_LIST(every), FILTER_LIST(looking), FILTER_LIST(recorder)};
    return sandbox_keep_files(fault) && seal_without_sockets(lists, COUNT(lists), fault);
}

bool sandbox_seal_reader(struct fault *fault)
{
    const struct filter_list lists[] = {FILTER_LIST(every), FILTER_LIST(looking), FILTER_LIST(reading),
                                        FILTER_LIST(reader)};
    return keep_only(CAP_DAC_READ_SEARCH, fault) && seal_without_sockets(lists, COUNT(lists), fault);
}
