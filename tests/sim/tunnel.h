// SPDX-License-Identifier: GPL-2.0-or-later
// Two ends and what joins them, from the login to the end: of its lanes, by the gate's judgement, or because it was left.
#ifndef SIM_TUNNEL_H
#define SIM_TUNNEL_H

#include "side.h"

enum { PORTAL, GATE }; // of `sides`; the portal has dialled

enum tunnel_life {
    TUNNEL_UP,
    TUNNEL_ENDING, // the gate has ended it, and says so
    TUNNEL_SILENT, // the gate has, or is about to; the portal hears nothing, and waits for a lane
    TUNNEL_OVER,
};

struct tunnel {
    struct flow_world world;
    struct pipe pipes[2];
    struct side sides[2];
    enum tunnel_life life;
    bool goes_on;
    uint32_t lanes_left; // that will be lost
    usec_t lost_at;      // when the lane was whose successor is not greeted yet at both ends; 0: none
    bool draining;       // the gate has asked
    bool being_left;     // the portal has another one, and has said so
    usec_t patience;     // of the gate that drains
    usec_t idle_since;   // USEC_NEVER: not
};

void tunnel_init(struct tunnel *tunnel, struct chance *chance, struct flow_tally *tally, usec_t now);
// Something that happens to it now.
void tunnel_step(struct tunnel *tunnel, usec_t now);
// The link breaks for good: each side hears of it in its own way.
void tunnel_cut(struct tunnel *tunnel, usec_t now);

// The gate wants to be left.
void tunnel_drain(struct tunnel *tunnel, usec_t patience, usec_t now);
bool tunnel_is_asked_to_leave(const struct tunnel *tunnel);
void tunnel_leave(struct tunnel *tunnel);
// By the gate, for what the portal is. `unheard`: the lane breaks with it.
void tunnel_revoke(struct tunnel *tunnel, bool unheard);
// The portal waits no longer.
void tunnel_give_up(struct tunnel *tunnel);

// Nothing is under way. Of one that is up and not to be left, that is all.
bool tunnel_is_quiet(const struct tunnel *tunnel);
void tunnel_rest(struct tunnel *tunnel, usec_t now);
void tunnel_check(struct tunnel *tunnel);
void tunnel_fini(struct tunnel *tunnel);

#endif
