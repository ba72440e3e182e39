// SPDX-License-Identifier: GPL-2.0-or-later
// Filters of system calls as lists of rules (seccomp(2)), for the seals of os/sandbox/seal.c. Three answers: allowed, if need be for
// certain arguments alone; EPERM, so that a library's probing fails softly; death, for what only a stranger's code would do.
#ifndef OS_SANDBOX_FILTER_H
#define OS_SANDBOX_FILTER_H

#include "base/fault.h"

#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct filter_rule {
    int call;
    uint8_t count; // of `args`
    struct scmp_arg_cmp args[2];
};

struct filter_list {
    const struct filter_rule *rules;
    size_t count;
};

// Of an argument, by its position: the whole value, or some bits of it. What is an int to the kernel has 32 bits, above which a C
// library may leave a sign.
// clang-format off
#define IS(arg, value)         {arg, SCMP_CMP_MASKED_EQ, 0xffffffff, (uint32_t)(value)}
#define IS_NULL(arg)           {arg, SCMP_CMP_EQ, 0, 0}
#define BITS(arg, mask, value) {arg, SCMP_CMP_MASKED_EQ, mask, value}

#define CALL(name)                {SCMP_SYS(name), 0, {}}
#define CALL_IF(name, arg)        {SCMP_SYS(name), 1, {arg}}
#define CALL_IF_BOTH(name, a, b)  {SCMP_SYS(name), 2, {a, b}}
// clang-format on

#define FILTER_LIST(array)                                                                                             \
    {                                                                                                                  \
        array, sizeof(array) / sizeof(array)[0]                                                                        \
    }

// Allows what stands in the lists; everything else fails with EPERM, or kills where no honest process of ours makes the call. Sets
// no_new_privs.
bool filter_allow(const struct filter_list *lists, size_t count, struct fault *fault);
// The calls of the list fail with `error`, and everything else is allowed, also to programs that are started later.
bool filter_refuse(const struct filter_list *list, int error, struct fault *fault);

#endif
