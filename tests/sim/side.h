// SPDX-License-Identifier: GPL-2.0-or-later
// One end of the tunnel: an engine, its flows, and the observer of what it says.
#ifndef SIM_SIDE_H
#define SIM_SIDE_H

#include "base/chunk.h"
#include "flow.h"
#include "link/tunnel/stream.h"
#include "pipe.h"
#include "talk.h"
#include "wire.h"

struct side {
    struct flow_world *world;
    struct usher_engine *engine;
    struct wire *wire;
    struct pipe *out;
    struct pipe *in;
    struct chunk_pool *chunks;
    struct list flows;
    uint64_t window_budget;
    uint64_t held_budget; // 0: any
    uint32_t flow_count;
    struct stream stream; // what is pulled and fed goes through it, if it `goes_on`
    struct talk talk;     // of one that does
    bool goes_on;         // when its lane is lost
    bool awake;           // the engine said, or a pull showed, that there is something to pull
    enum usher_status status;
};

void side_init(struct side *side, struct flow_world *world, const struct usher_engine_config *config, usec_t now);
// Takes the engine down and judges each flow against its other end; then frees the flows.
void side_end(struct side *side);
void side_fini(struct side *side);

// From now on its lane may be lost. `opens`: it is the one that opens the control session. True when both ends have it, and
// have agreed to confirm.
void side_go_on_from_now(struct side *side, size_t replay, bool opens);
bool side_confirms(const struct side *side);
// Its lane is gone with all that was on its way; the next one takes its place.
void side_change_lane(struct side *side, usec_t now);
// There is no next one, nor anything to send.
void side_lose_lane(struct side *side);

void side_open(struct side *side, uint32_t key);
// Some of what an edge, and the link, might do now.
void side_act(struct side *side);
bool side_has_more(const struct side *side);
void side_send(struct side *side, usec_t now);
void side_receive(struct side *side, usec_t now);
void side_tick(struct side *side, usec_t now);

// Finds the two ends of each flow for one another.
void side_match(struct side *a, struct side *b);
bool side_is_done(const struct side *side);
void side_check(const struct side *side);
// Ended, by either end: nothing of it is left but the bytes of its flows.
void side_check_ended(const struct side *side);

#endif
