// SPDX-License-Identifier: GPL-2.0-or-later
// Who opened a session, by which ids the two sides know it, and how far the dialogue of UsherOpen and UsherOpenReply has
// come (doc/PROTOCOL.md sections 3 and 4), as a value. It knows of no record, list or callback.
//
// Two lives: ours is `attached` from the first and ends its dialogue with opening_bind; when the edge gives up before, it
// is `abandoned` and its id waits for the answer. The peer's is bound from the first, is attached by an edge or refused,
// and ends its dialogue with opening_answer.
#ifndef USHER_OPENING_H
#define USHER_OPENING_H

#include "usher/record.h"

#include <stdbool.h>
#include <stdint.h>

struct opening {
    uint16_t id;           // ours: SESSION of the records that come
    uint16_t peer_id;      // SESSION of those that go; USHER_ID_NONE while none is bound
    uint8_t stream : 1;    // data and credit; else datagrams
    uint8_t aside : 1;     // the control session: beside what users open, and not counted with it
    uint8_t incoming : 1;  // the peer opened it
    uint8_t attached : 1;  // its edge may be called
    uint8_t abandoned : 1; // we gave up while pending; the id waits for the answer
    uint8_t answered : 1;  // our positive UsherOpenReply has been pulled
    uint8_t refused : 1;   // before any edge saw it: counts as a refusal, not as a session
};

// Our own open.
void opening_init_ours(struct opening *opening, uint16_t protocol);
// The peer's, with the id that it proposed.
void opening_init_peers(struct opening *opening, uint16_t protocol, uint16_t peer_id, bool refused);

bool opening_is_bound(const struct opening *opening);
// The peer cannot have seen our positive answer yet, so it still waits for exactly one.
bool opening_is_unanswered(const struct opening *opening);

// An edge holds the peer's session from now on.
void opening_attach(struct opening *opening);
// It does not any more; says whether one did.
bool opening_detach(struct opening *opening);
// The peer accepted ours.
void opening_bind(struct opening *opening, uint16_t peer_id);
void opening_abandon(struct opening *opening);
void opening_answer(struct opening *opening);

#endif
