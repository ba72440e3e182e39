// SPDX-License-Identifier: GPL-2.0-or-later
// Work in a short-lived child process, because it parses what this process must not: what it writes comes back, and no more
// than that.
#ifndef GATE_LOAD_APART_H
#define GATE_LOAD_APART_H

#include "os/file/secret.h"

// What the child does; returns its exit code. `out` is a descriptor to write the result to.
typedef int apart_work(void *arg, int out);

// `out` is taken for a secret, of at most `max` bytes. False when the child was killed or could not be had.
bool apart_run(apart_work *work, void *arg, size_t max, struct blob *out, int *code, struct fault *fault);
// For the child: all of it, or false.
bool apart_tell(int out, const void *bytes, size_t len);

#endif
