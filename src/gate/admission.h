// SPDX-License-Identifier: GPL-2.0-or-later
// Who may have a worker before it has proved who it is: few at a time, fewer from one source (an IPv4 address, an IPv6
// /64), and none for a while from a source whose connections make workers crash.
#ifndef GATE_ADMISSION_H
#define GATE_ADMISSION_H

#include "base/address.h"
#include "base/clock.h"
#include "base/facts.h"

#include <stdint.h>

enum {
    ADMISSION_PENALTY_S = 1, // after a crash; doubles with each further one
    ADMISSION_PENALTY_MAX_S = 64,
    ADMISSION_MEMORY_S = 600,     // without a crash until the earlier ones are forgotten
    ADMISSION_CRASHED_MAX = 4096, // sources with a crash that are remembered
};

struct admission;

struct admission *admission_new(uint32_t most, uint32_t most_per_source);
void admission_free(struct admission *admission);

// NULL: admitted, and counted until admission_leave. Else why not.
const char *admission_enter(struct admission *admission, const struct address *source, usec_t now);
// It has authenticated, or is gone.
void admission_leave(struct admission *admission, const struct address *source, usec_t now);
void admission_crashed(struct admission *admission, const struct address *source, usec_t now);

void admission_describe(const struct admission *admission, struct facts *facts);

#endif
