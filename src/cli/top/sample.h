// SPDX-License-Identifier: GPL-2.0-or-later
// What running instances said at one moment, as rows, and how fast each moves since the moment before.
#ifndef CLI_TOP_SAMPLE_H
#define CLI_TOP_SAMPLE_H

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;

enum { SAMPLE_TEXTS = 4 };

struct sample_row {
    char *text[SAMPLE_TEXTS]; // flow: protocol, inside, far, state; tunnel: name, where, state, since
    bool is_tunnel;
    uint64_t in, out; // bytes in all, as the one who tells counts them
    uint64_t age_s, rtt_us, flows;
    double in_rate, out_rate; // bytes a second
};

struct sample {
    usec_t at;
    struct sample_row *rows;
    size_t count;
};

// Adds what an answer to "status" or "flows" tells, of a portal or a gate.
void sample_add(struct sample *sample, const struct json_t *answer);
// All of it is there: sets the rates by what `before` had of the same rows.
void sample_rate(struct sample *sample, const struct sample *before);
void sample_fini(struct sample *sample);

#endif
