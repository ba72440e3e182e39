// SPDX-License-Identifier: GPL-2.0-or-later
// A lane that shakes hands, for a tunnel that is there already: beside the lane that carries it, if that still seems to be
// alive. When it is up its owner takes it, or does not want it.
#ifndef LINK_LANE_CANDIDATE_H
#define LINK_LANE_CANDIDATE_H

#include "link/lane/lane.h"

struct candidate;

struct candidate_ops {
    // Authenticated. True: the lane is the callee's from now on, who has attached it elsewhere. False: it fails.
    bool (*up)(void *owner, struct candidate *candidate, struct lane *lane, usec_t now);
    // It is over without having been up. From candidate_turn only.
    void (*over)(void *owner, struct candidate *candidate);
};

// Takes the fresh lane over. The chunks are borrowed as long as it lives.
struct candidate *candidate_new(uv_loop_t *loop, struct lane *lane, struct chunk_pool *chunks,
                                const struct candidate_ops *ops, void *owner);
// Also from within a callback. NULL is nobody's.
void candidate_free(struct candidate *candidate);
// Once per turn of the loop; true when work is left that no event will announce.
bool candidate_turn(struct candidate *candidate, usec_t now);

// When it is over.
const char *candidate_why(const struct candidate *candidate);   // one sentence
bool candidate_is_untrusted(const struct candidate *candidate); // as tls_is_untrusted

#endif
