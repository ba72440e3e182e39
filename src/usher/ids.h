// SPDX-License-Identifier: GPL-2.0-or-later
// The two id spaces of a tunnel (doc/PROTOCOL.md section 3). Ours: SESSION of every record that comes, one direct table.
// The peer's: SESSION of every record that goes, of which we keep only which ids are bound, so that no two sessions can
// ever be told the same one. Our own ids have one parity, but a peer that does not know that rule may use any id.
#ifndef USHER_IDS_H
#define USHER_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct usher_session;

enum {
    IDS_SPACE = 65536,
    IDS_OWN_MAX = 32766, // sessions of one parity, without 0 and 0xffff
};

struct ids {
    struct usher_session **table; // IDS_SPACE entries, one for each id of ours; untouched pages cost nothing
    uint64_t *bound;              // IDS_SPACE bits, by the peer's id
    uint64_t *stacked;            // IDS_SPACE bits: what is in `freed`, so that nothing is in it twice
    uint16_t *freed;              // a stack: the id used last is used next, so the touched part stays small
    uint32_t freed_count;
    uint32_t freed_room;
    uint32_t next_fresh; // the lowest own id that was never used
};

void ids_init(struct ids *ids, bool server);
void ids_fini(struct ids *ids);

// An unused id of our parity for `session`; 0 when there is none.
uint16_t ids_allocate(struct ids *ids, struct usher_session *session);
// Takes the very id that the peer proposed; false when it is not free with us.
bool ids_adopt(struct ids *ids, uint16_t id, struct usher_session *session);
void ids_release(struct ids *ids, uint16_t id);
struct usher_session *ids_find(const struct ids *ids, uint16_t id);

// Marks an id of the peer's as bound to a session; false when it is already.
bool ids_bind(struct ids *ids, uint16_t peer_id);
void ids_unbind(struct ids *ids, uint16_t peer_id);
bool ids_is_bound(const struct ids *ids, uint16_t peer_id);

#endif
