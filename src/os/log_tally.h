// SPDX-License-Identifier: GPL-2.0-or-later
// Something that is counted rather than told each time: a line when it has grown, with a pause between lines, so that
// whoever can cause it cannot fill the log.
#ifndef OS_LOG_TALLY_H
#define OS_LOG_TALLY_H

#include "base/clock.h"
#include "os/log_event.h"

#include <stdint.h>

#define LOG_TALLY_PAUSE (10 * USEC_PER_SEC)

// Zeroed at first.
struct log_tally {
    uint64_t told; // how much of it the log has heard of
    usec_t next;   // not before
    enum log_event event;
};

// To be called often, with how much there has been so far; less than before is a new beginning. Writes a warning: what
// `format` makes, ": N, in all M".
void log_tally(struct log_tally *tally, uint64_t total, usec_t now, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
