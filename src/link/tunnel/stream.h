// SPDX-License-Identifier: GPL-2.0-or-later
// The records of a tunnel, both ways, over one lane after another (doc/PROTOCOL.md section 10, Continuing). The first lane
// carries them as the engine makes them. Each further one begins with a greeting: how many of its records the other end
// has taken; then those go again that it has not. No I/O: what is pulled is given to the lane that is, what it brings is fed.
#ifndef LINK_TUNNEL_STREAM_H
#define LINK_TUNNEL_STREAM_H

#include "base/chunk.h"
#include "link/tunnel/ring.h"
#include "usher/engine.h"

struct greeting;

struct stream {
    struct usher_engine *engine; // borrowed; NULL: not begun yet
    struct ring ring;
    bool undecided;            // nobody has said yet whether records are confirmed; they are kept
    uint64_t said;             // records that the peer has confirmed, by what it said in the stream itself
    uint32_t max_sessions;     // for the greeting
    bool greeting_due;         // ours
    struct greeting *greeting; // the peer's, until it has come
    uint8_t out[128];          // ours
};

// `limit` as in ring_init.
void stream_init(struct stream *stream, size_t limit);
void stream_fini(struct stream *stream);
// The first lane is up. `kept`: the peer may turn out to confirm; else nothing is kept.
void stream_begin(struct stream *stream, struct usher_engine *engine, uint32_t max_sessions, bool kept);
// It does, or does not.
void stream_decide(struct stream *stream, bool confirmed);
// Another lane can take over: both have agreed to confirm, and nothing has ended.
bool stream_can_go_on(const struct stream *stream);
// One does. The engine has been told.
void stream_go_on(struct stream *stream);
// The peer has not greeted yet on the lane that did.
bool stream_is_greeting(const struct stream *stream);

// As the engine's functions of these names.
enum usher_status stream_feed(struct stream *stream, const struct slice *in, usec_t now);
// At most `most` bytes (CHUNK_SIZE or more), valid until the next pull; NULL when there is nothing to send.
const uint8_t *stream_pull(struct stream *stream, size_t most, size_t *len, usec_t now);
bool stream_has_more(const struct stream *stream);
// The peer has confirmed so many more. False: there are not so many.
bool stream_confirmed(struct stream *stream, uint16_t records);

#endif
