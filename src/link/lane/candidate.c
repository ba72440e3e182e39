// SPDX-License-Identifier: GPL-2.0-or-later
// It carries nothing: what is pulled before it is up is nothing, and nothing comes before it is up.
#include "link/lane/candidate.h"

#include "base/memory.h"
#include "os/alarm.h"
#include "os/clock.h"

#include <stdlib.h>

struct candidate {
    struct alarm alarm; // only ends the loop's sleep
    struct lane *lane;  // NULL once it is taken
    bool over;          // told
    const struct candidate_ops *ops;
    void *owner;
};

static bool on_up(void *owner, usec_t now)
{
    struct candidate *candidate = owner;
    struct lane *lane = candidate->lane;
    candidate->lane = NULL;
    if (candidate->ops->up(candidate->owner, candidate, lane, now))
        return true;
    candidate->lane = lane;
    return false;
}

static void on_bytes(void *owner, const struct slice *slice, usec_t now)
{
    (void)owner, (void)slice, (void)now;
}

static size_t on_batch(void *owner, usec_t now)
{
    (void)owner, (void)now;
    return TLS_BATCH_MAX;
}

static const uint8_t *on_pull(void *owner, size_t most, size_t *len, usec_t now)
{
    (void)most;
    (void)owner, (void)len, (void)now;
    return NULL;
}

static bool on_has_more(void *owner)
{
    (void)owner;
    return false;
}

static void on_event(void *owner)
{
    (void)owner;
}

static const struct lane_ops lane_ops = {
    .up = on_up,
    .bytes = on_bytes,
    .batch = on_batch,
    .pull = on_pull,
    .has_more = on_has_more,
    .expired = on_event,
    .idle = on_event,
};

struct candidate *candidate_new(uv_loop_t *loop, struct lane *lane, struct chunk_pool *chunks,
                                const struct candidate_ops *ops, void *owner)
{
    struct candidate *candidate = memory_new(sizeof *candidate);
    *candidate = (struct candidate){.lane = lane, .ops = ops, .owner = owner};
    alarm_init(&candidate->alarm, loop, NULL, NULL);
    lane_attach(lane, chunks, &lane_ops, candidate);
    alarm_set(&candidate->alarm, 0, 0); // the first turn begins the handshake
    return candidate;
}

void candidate_free(struct candidate *candidate)
{
    if (!candidate)
        return;
    lane_free(candidate->lane);
    candidate->lane = NULL;
    candidate->over = true;
    alarm_close(&candidate->alarm, free, candidate);
}

// The lane may be taken, and the candidate freed, in each step.
bool candidate_turn(struct candidate *candidate, usec_t now)
{
    if (candidate->lane)
        lane_input(candidate->lane, now);
    bool more = candidate->lane && lane_output(candidate->lane, now);
    if (!candidate->lane || candidate->over)
        return more;
    if (lane_is_over(candidate->lane)) {
        candidate->over = true;
        candidate->ops->over(candidate->owner, candidate);
        return false;
    }
    alarm_set(&candidate->alarm, lane_deadline(candidate->lane), now);
    return more;
}

const char *candidate_why(const struct candidate *candidate)
{
    return lane_why(candidate->lane);
}

bool candidate_is_untrusted(const struct candidate *candidate)
{
    return tls_is_untrusted(lane_tls(candidate->lane));
}
