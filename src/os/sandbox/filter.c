// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/sandbox/filter.h"

#include "os/sanitized.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct filter_rule deadly[] = {
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
static const struct filter_rule for_sanitizer[] = {
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
static const struct filter_rule deadly_unsanitized[] = {
    CALL(ptrace),
    CALL_IF(clone, BITS(0, CLONE_THREAD, 0)),
};
#endif

static int add(scmp_filter_ctx filter, uint32_t action, const struct filter_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int result = seccomp_rule_add_array(filter, action, rules[i].call, rules[i].count, rules[i].args);
        // A call that this machine's architecture never had needs no rule.
        if (result < 0 && result != -EDOM)
            return result;
    }
    return 0;
}

static int fill(scmp_filter_ctx filter, const struct filter_list *lists, size_t count)
{
    // Calls in another architecture's numbers (x32, 32 bits) would slip past every rule.
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); // a binary tree: reads and writes are hot
    for (size_t i = 0; result == 0 && i < count; i++)
        result = add(filter, SCMP_ACT_ALLOW, lists[i].rules, lists[i].count);
    if (result == 0)
        result = add(filter, SCMP_ACT_KILL_PROCESS, deadly, COUNT(deadly));
#if SANITIZED
    if (result == 0)
        result = add(filter, SCMP_ACT_ALLOW, for_sanitizer, COUNT(for_sanitizer));
#else
    if (result == 0)
        result = add(filter, SCMP_ACT_KILL_PROCESS, deadly_unsanitized, COUNT(deadly_unsanitized));
    // abort(3) raises the signal in its own thread; no other process is to be signalled.
    const struct filter_rule self[] = {CALL_IF(tgkill, IS(0, (scmp_datum_t)getpid()))};
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

static scmp_filter_ctx begin(uint32_t action, struct fault *fault)
{
    scmp_filter_ctx filter = seccomp_init(action);
    if (!filter)
        fault_set(fault, "sandbox: seccomp: out of memory");
    return filter;
}

bool filter_allow(const struct filter_list *lists, size_t count, struct fault *fault)
{
    scmp_filter_ctx filter = begin(SCMP_ACT_ERRNO(EPERM), fault);
    return filter && load(filter, fill(filter, lists, count), fault);
}

bool filter_refuse(const struct filter_list *list, int error, struct fault *fault)
{
    scmp_filter_ctx filter = begin(SCMP_ACT_ALLOW, fault);
    return filter && load(filter, add(filter, SCMP_ACT_ERRNO(error), list->rules, list->count), fault);
}
