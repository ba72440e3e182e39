// SPDX-License-Identifier: GPL-2.0-or-later
// The last hour of one portal or gate, in rings of a fixed size: a step is ten seconds, and keeps the mean of what came in
// it. Time is an argument, monotonic.
#ifndef CONSOLE_HISTORY_H
#define CONSOLE_HISTORY_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    HISTORY_STEPS = 360,
    HISTORY_STEP_S = 10,
};

enum history_kind { HISTORY_IN, HISTORY_OUT, HISTORY_RTT, HISTORY_FLOWS, HISTORY_KINDS };

struct history {
    float steps[HISTORY_KINDS][HISTORY_STEPS]; // negative: nothing known
    uint64_t step;                             // the one that is being written, counted since the clock's 0
    unsigned samples;                          // in it
    bool begun;
    uint64_t bytes[2]; // the counters at `at`
    usec_t at;         // 0: none
    float rates[2];    // the last ones, bytes a second
};

struct history_sample {
    uint64_t bytes_in, bytes_out; // counters; one that is smaller than before began anew
    float rtt_us, flows;          // negative: not known
};

void history_add(struct history *history, const struct history_sample *sample, usec_t now);
// It does not answer: a gap, from which on rates count anew.
void history_miss(struct history *history);
// The value `ago` steps before `now`, negative when there is none.
float history_at(const struct history *history, enum history_kind kind, unsigned ago, usec_t now);

#endif
