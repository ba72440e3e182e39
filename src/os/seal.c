// SPDX-License-Identifier: GPL-2.0-or-later
// Which system calls a process of ours has left once it is set up.
#include "os/sandbox.h"

#include "os/filter.h"
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

#define WRITING (O_ACCMODE | O_CREAT | O_TRUNC)
#undef pread64 // some C libraries call the other one so; here it is the system call
#undef pwrite64

static const struct filter_rule allowed[] = {
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
    CALL_IF_BOTH(prlimit64, IS(0, 0), IS_NULL(2)),
    CALL(exit),
    CALL(exit_group),
};

// A portal's beside those of a worker: files to read, names in its own directory to remove, netlink, the service manager, the
// control socket, and its device, which it may have to make again. That no file is made or written to is the argument's bits.
static const struct filter_rule allowed_portal[] = {
    CALL_IF(open, BITS(1, WRITING, 0)),
    CALL_IF(openat, BITS(2, WRITING, 0)),
    CALL(access),
    CALL(faccessat),
    CALL(faccessat2),
    CALL(stat),
    CALL(lstat),
    CALL(newfstatat),
    CALL(statx),
    CALL(lseek),
    CALL(pread64),
    CALL(getdents64),
    CALL(readlink),
    CALL(readlinkat),
    CALL(ftruncate), // of descriptors that are there: the log, and what it holds of the machine's
    CALL(unlink),
    CALL(unlinkat),
    CALL(rmdir),
    CALL(dup),
    CALL(dup2),
    CALL(dup3),
    CALL_IF(fcntl, IS(1, F_DUPFD_CLOEXEC)),
    CALL(inotify_init1),
    CALL(inotify_add_watch),
    CALL(inotify_rm_watch),
    CALL_IF(socket, IS(0, AF_UNIX)),
    CALL_IF(socket, IS(0, AF_NETLINK)),
    CALL_IF(socketpair, IS(0, AF_UNIX)),
    CALL(listen),
    CALL(memfd_create), // files that were read again, for who judges them
    CALL_IF(fcntl, IS(1, F_ADD_SEALS)),
    CALL_IF(fcntl, IS(1, F_GET_SEALS)),
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

// A keeper's: files, and the news of them.
static const struct filter_rule allowed_keeper[] = {
    CALL(read),
    CALL(write),
    CALL(pwrite64),
    CALL(sendmsg), // on the one socket that it has
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

// A reader's: the loop, files to read and the news of them, and memory files to hand on.
static const struct filter_rule allowed_reader[] = {
    CALL(epoll_ctl),
    CALL(epoll_wait),
    CALL(epoll_pwait),
    CALL_IF(open, BITS(1, WRITING, 0)),
    CALL_IF(openat, BITS(2, WRITING, 0)),
    CALL(read),
    CALL(write),
    CALL(close),
    CALL(stat),
    CALL(fstat),
    CALL(lstat),
    CALL(newfstatat),
    CALL(statx),
    CALL(lseek),
    CALL(readlink),
    CALL(readlinkat),
    CALL(inotify_add_watch),
    CALL(inotify_rm_watch),
    CALL(memfd_create),
    CALL_IF(fcntl, IS(1, F_ADD_SEALS)),
    CALL(recvmsg), // on the one socket that it has
    CALL(sendmsg),
    CALL(clock_gettime),
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
    CALL(geteuid),
    CALL(exit),
    CALL(exit_group),
};

// A recorder's: one file to append to, made anew when it is not there, and the socket that it has.
static const struct filter_rule allowed_recorder[] = {
    CALL(recvfrom),
    CALL(sendto),
    CALL(open),
    CALL(openat),
    CALL(close),
    CALL(read), // the time zone's file, by the C library
    CALL(pread64),
    CALL(write),
    CALL(lseek),
    CALL(ftruncate),
    CALL(flock),
    CALL(stat),
    CALL(fstat),
    CALL(newfstatat),
    CALL(statx),
    CALL(clock_gettime),
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
    const struct filter_list lists[] = {FILTER_LIST(allowed)};
    return filter_allow(lists, 1, fault) && holds(openat(AT_FDCWD, "/", O_RDONLY | O_CLOEXEC) < 0, fault);
}

bool sandbox_seal_starter(struct fault *fault)
{
    return filter_refuse(&(struct filter_list)FILTER_LIST(refused), EPERM, fault) &&
           holds(unshare(CLONE_NEWUSER) < 0, fault);
}

bool sandbox_seal_portal(struct fault *fault)
{
    const struct filter_list lists[] = {FILTER_LIST(allowed), FILTER_LIST(allowed_portal)};
    return filter_allow(lists, 2, fault) && holds(openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC) < 0, fault);
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

static bool seal_attendant(unsigned capability, const struct filter_list *list, struct fault *fault)
{
    if (!keep_only(capability, fault))
        return false;
    return filter_allow(list, 1, fault) && holds(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0, fault);
}

bool sandbox_seal_keeper(struct fault *fault)
{
    return seal_attendant(CAP_DAC_OVERRIDE, &(struct filter_list)FILTER_LIST(allowed_keeper), fault);
}

bool sandbox_seal_recorder(struct fault *fault)
{
    const struct filter_list list = FILTER_LIST(allowed_recorder);
    return sandbox_keep_files(fault) && filter_allow(&list, 1, fault) &&
           holds(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0, fault);
}

bool sandbox_seal_reader(struct fault *fault)
{
    return seal_attendant(CAP_DAC_READ_SEARCH, &(struct filter_list)FILTER_LIST(allowed_reader), fault);
}
