// SPDX-License-Identifier: GPL-2.0-or-later
// Whether the peer is heard over the present lane: what came and went, and since when something is owed.
#ifndef LINK_TUNNEL_HEARING_H
#define LINK_TUNNEL_HEARING_H

#include "base/clock.h"
#include "usher/heartbeat.h"

#include <stdbool.h>

// From something sent to no sign of it, neither a record nor the kernel's acknowledgement: retransmissions have been lost,
// too. And a while after the peer's heartbeat was due.
#define HEARING_UNHEARD_USEC (4 * USEC_PER_SEC)
#define HEARING_SILENT_USEC  (HEARTBEAT_INTERVAL + 3 * USEC_PER_SEC)

struct hearing {
    usec_t heard; // when records last came
    usec_t asked; // when something went first after that; USEC_NEVER: nothing has, or it is known to have come
    bool silent;  // nothing is heard, though something should be
};

// Records came; or a lane begins.
static inline void hearing_heard(struct hearing *hearing, usec_t now)
{
    *hearing = (struct hearing){.heard = now, .asked = USEC_NEVER};
}

// Records go.
static inline void hearing_asked(struct hearing *hearing, usec_t now)
{
    if (hearing->asked == USEC_NEVER)
        hearing->asked = now;
}

// When to look again.
static inline usec_t hearing_deadline(const struct hearing *hearing)
{
    usec_t unheard = hearing->asked == USEC_NEVER ? USEC_NEVER : hearing->asked + HEARING_UNHEARD_USEC;
    usec_t silent = hearing->heard + HEARING_SILENT_USEC;
    if (hearing->silent)
        return USEC_NEVER;
    return unheard < silent ? unheard : silent;
}

// `unacknowledged`: by the peer's kernel, of what went.
static inline void hearing_look(struct hearing *hearing, bool unacknowledged, usec_t now)
{
    hearing->silent = unacknowledged || now >= hearing->heard + HEARING_SILENT_USEC;
    if (!hearing->silent)
        hearing->asked = USEC_NEVER;
}

// As long as an engine would wait.
static inline bool hearing_is_in_vain(const struct hearing *hearing, usec_t now)
{
    return now >= hearing->heard + HEARTBEAT_SILENCE;
}

#endif
