// SPDX-License-Identifier: GPL-2.0-or-later
// One clear sentence about what went wrong, for the steps that a person started: set-up, configuration, connecting.
// Functions that can fail so take a `struct fault *` last, return false or NULL, and leave a sentence in it that names
// the thing, the attempt and the cause: "tun usher0: set MTU 1500: Operation not permitted".
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>

#define FAULT_TEXT_SIZE 512

struct fault {
    char text[FAULT_TEXT_SIZE];
};

// Both return false, so that a caller can write: return fault_set(fault, ...).
bool fault_set(struct fault *fault, const char *format, ...) __attribute__((format(printf, 2, 3)));
// The same with ": " and the text of `error` (an errno value) behind it.
bool fault_errno(struct fault *fault, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
