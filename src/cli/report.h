// SPDX-License-Identifier: GPL-2.0-or-later
// What was found, step by step: each with what it is about, whether it is well, one sentence, how long it took, and for
// what is not well the remedy. Printed at the end, as text or as one object.
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>

enum report_result { REPORT_WELL, REPORT_NOTE, REPORT_FAILED };

struct report_step;

// Zeroed but for the subject, which is borrowed: what is explained.
struct report {
    const char *subject;
    struct report_step *steps;
    size_t count;
};

void report_step(struct report *report, const char *step, enum report_result result, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// Of the latest step.
void report_took(struct report *report, usec_t took);
void report_remedy(struct report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool report_has_failed(const struct report *report);

// Prints it and frees what it holds; the exit code.
int report_end(struct report *report, bool json);

#endif
