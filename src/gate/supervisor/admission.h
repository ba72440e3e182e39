// SPDX-License-Identifier: GPL-2.0-or-later
// Who may have a worker before it has proved who it is. What a source is, gate/supervisor/sources.h says.
//
// - few at a time, fewer of one source, and so many a second of each source, and of all: a worker is a process;
// - where there is no place left, the oldest of the source that has most gives way, once it has had time to speak: who
//   connects and is silent keeps nobody out;
// - some places, and no bound of all together, for sources that portals have come from: a flood of strangers keeps none out;
// - none for a while for a source whose connections make workers crash.
#ifndef GATE_SUPERVISOR_ADMISSION_H
#define GATE_SUPERVISOR_ADMISSION_H

#include "base/address.h"
#include "base/clock.h"
#include "base/facts.h"
#include "os/file/secret.h"

#include <stdint.h>

enum {
    ADMISSION_GRACE_MS = 1000, // until one gives way: a handshake over a long path
    // Connections a second.
    ADMISSION_RATE = 25, // of all unknown sources that have come lately; the same again of those that have not
    ADMISSION_BURST = 50,
};

struct admission;

// One connection, from admission_enter to admission_leave.
struct ticket;

struct admission *admission_new(uint32_t most, uint32_t most_per_source);
// For who comes from now on.
void admission_set_limits(struct admission *admission, uint32_t most, uint32_t most_per_source);
void admission_free(struct admission *admission);

// NULL: not admitted, and `why`. `owner` of another ticket, or NULL: it has to go for this one, and holds no place any more.
struct ticket *admission_enter(struct admission *admission, const struct address *source, usec_t now, void **gives_way,
                               const char **why);
// Who is told of by `gives_way`.
void admission_owned(struct ticket *ticket, void *owner);
// It has authenticated: the place is free, and the source known.
void admission_proved(struct admission *admission, struct ticket *ticket, usec_t now);
// A portal that is in comes from elsewhere now: that source is known, too.
void admission_moved(struct admission *admission, struct ticket *ticket, const struct address *source, usec_t now);
// One of an earlier program in this process, admitted then; `proved`: and has authenticated.
struct ticket *admission_adopt(struct admission *admission, const struct address *source, bool proved, usec_t now);
// What is remembered of sources, for the next program; admission_load takes it, as far as it is whole.
struct blob admission_save(const struct admission *admission);
void admission_load(struct admission *admission, const struct blob *saved, usec_t now);
// It is gone.
void admission_leave(struct admission *admission, struct ticket *ticket, usec_t now);
void admission_crashed(struct admission *admission, const struct address *source, usec_t now);

void admission_describe(const struct admission *admission, struct facts *facts);

#endif
