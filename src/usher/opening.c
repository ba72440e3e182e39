// SPDX-License-Identifier: GPL-2.0-or-later
// Each step asserts that it belongs to the life it is in.
#include "usher/opening.h"

#include <assert.h>

static bool is_stream(uint16_t protocol)
{
    return protocol == USHER_TCP || protocol == USHER_CONTROL;
}

void opening_init_ours(struct opening *opening, uint16_t protocol)
{
    *opening = (struct opening){
        .peer_id = USHER_ID_NONE,
        .stream = is_stream(protocol),
        .aside = protocol == USHER_CONTROL,
        .attached = true,
    };
}

void opening_init_peers(struct opening *opening, uint16_t protocol, uint16_t peer_id, bool refused)
{
    assert(peer_id != USHER_ID_NONE);
    *opening = (struct opening){
        .peer_id = peer_id,
        .stream = is_stream(protocol),
        .aside = protocol == USHER_CONTROL,
        .incoming = true,
        .refused = refused,
    };
}

bool opening_is_bound(const struct opening *opening)
{
    return opening->peer_id != USHER_ID_NONE;
}

bool opening_is_unanswered(const struct opening *opening)
{
    return opening->incoming && !opening->answered;
}

void opening_attach(struct opening *opening)
{
    assert(opening_is_unanswered(opening) && !opening->refused);
    opening->attached = true;
}

bool opening_detach(struct opening *opening)
{
    bool attached = opening->attached;
    opening->attached = false;
    return attached;
}

void opening_bind(struct opening *opening, uint16_t peer_id)
{
    assert(!opening->incoming && !opening_is_bound(opening) && peer_id != USHER_ID_NONE);
    opening->peer_id = peer_id;
}

void opening_abandon(struct opening *opening)
{
    assert(!opening->incoming && !opening_is_bound(opening) && !opening->attached);
    opening->abandoned = true;
}

void opening_answer(struct opening *opening)
{
    assert(opening_is_unanswered(opening));
    opening->answered = true;
}
