// SPDX-License-Identifier: GPL-2.0-or-later
// Asking the other end of the tunnel whether a name exists there, before anything is opened to it. Whoever asks knows this
// header and not how the question travels.
#ifndef EDGE_PROBE_H
#define EDGE_PROBE_H

#include "base/timeline.h"

enum probe_status {
    PROBE_EXISTS,
    PROBE_NO_NAME,
    PROBE_DENIED, // whether it exists is not for us to know: no rule could let us reach it
    PROBE_FAILED, // nobody can tell: no tunnel came, or it was lost, an end that answers no questions, no answer in time, far too many at once
};

struct probe_answer {
    enum probe_status status;
    bool ipv4, ipv6; // in which families a name that exists has addresses; perhaps in none
    uint32_t ttl;    // seconds for which this may be believed
};

// One question: part of what its asker keeps, zeroed but for the first two.
struct probe {
    const char *name; // until `done`
    // Exactly once, never from within probe_ask, unless cancelled. May ask again.
    void (*done)(struct probe *probe, const struct probe_answer *answer);
    // The prober's.
    struct timed timed;
    struct list unsent;
    uint32_t id;
};

// Part of what asks for others.
struct prober {
    void (*ask)(struct prober *prober, struct probe *probe);
    void (*cancel)(struct prober *prober, struct probe *probe);
};

static inline void probe_ask(struct prober *prober, struct probe *probe)
{
    prober->ask(prober, probe);
}

// Nothing is heard of it any more. Only between probe_ask and `done`. Whatever is asked must be done or cancelled before
// the prober goes.
static inline void probe_cancel(struct prober *prober, struct probe *probe)
{
    prober->cancel(prober, probe);
}

#endif
