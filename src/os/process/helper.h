// SPDX-License-Identifier: GPL-2.0-or-later
// A program that helps: run to its end, at once, with what it printed. For the start of a program, before its loop turns.
#ifndef OS_PROCESS_HELPER_H
#define OS_PROCESS_HELPER_H

#include "os/file/secret.h"

struct helper {
    const char *name;        // for sentences: "KeyCommand"
    const char *const *argv; // ends with NULL; argv[0] is looked for on PATH
    size_t max;              // bytes that it may print
    unsigned seconds;        // that it may take; then it is killed
};

enum helper_end { HELPER_DONE, HELPER_MISSING, HELPER_FAILED };

// Its standard error is ours, and so are its input and its environment. `out` is taken for a secret: the caller wipes it. The
// fault says what went wrong: "KeyCommand ended with status 3".
enum helper_end helper_run(const struct helper *helper, struct blob *out, struct fault *fault);

#endif
