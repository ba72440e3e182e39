// SPDX-License-Identifier: GPL-2.0-or-later
// A tunnel: the engine that turns records into sessions, the lane that carries them, and the ring of those that the peer
// has not confirmed. The same at both ends. Losing a lane is an event of a tunnel and, with `resume_ms`, not its end:
// sessions pause until another lane carries it. The program calls tunnel_turn once per turn of its loop, after every input
// was handled.
#ifndef LINK_TUNNEL_TUNNEL_H
#define LINK_TUNNEL_TUNNEL_H

#include "base/chunk.h"
#include "base/facts.h"
#include "link/lane/lane.h"
#include "usher/engine.h"

struct tunnel;

struct tunnel_config {
    struct usher_engine_config engine; // `server` and `extended` are set by the tunnel itself
    struct lane_config lane;           // for whoever makes its lanes
    uint32_t batch;                    // bytes of ciphertext per send while nothing interactive is active (256 KiB)
    uint32_t batch_interactive;        // while something is (64 KiB)
    uint32_t resume_ms;   // how long it lives on without a lane, if its peer confirms; 0: it ends with its first
    uint64_t replay_size; // bytes that may wait to be confirmed, with `resume_ms`; full, it pulls no more
};

struct tunnel_ops {
    // Authenticated: the engine exists and sessions may be opened.
    void (*up)(void *owner);
    // The peer opened a session (see usher/engine.h).
    void (*opened)(void *owner, struct usher_session *session, const struct usher_open *open);
    // The lane is lost, or one that had taken its place and never greeted: `why` is one sentence. The tunnel waits for
    // tunnel_go_on. From tunnel_turn only, and only with `resume_ms`.
    void (*paused)(void *owner, const char *why);
    // Another lane carries it on, and its peer has greeted.
    void (*resumed)(void *owner);
    // The tunnel is over, or never came up: `why` is one sentence. Every session has ended. The owner calls
    // tunnel_free, at once or later. Called from tunnel_turn only.
    void (*down)(void *owner, const char *why);
    // Something became runnable outside a turn's input: the program must not sleep before the next tunnel_turn.
    void (*wake)(void *owner);
};

// Without a lane: tunnel_carry begins it.
struct tunnel *tunnel_new(uv_loop_t *loop, const struct tunnel_config *config, const struct tunnel_ops *ops,
                          void *owner);
// Takes its first lane over, fresh or up.
void tunnel_carry(struct tunnel *tunnel, struct lane *lane);
// Whether another lane may carry it on. Not before both ends have agreed to confirm, nor once anybody has ended it.
bool tunnel_can_go_on(const struct tunnel *tunnel);
// Takes over a lane that is up, by the same peer, in place of the one that is lost, or of one that still seems to be alive:
// whoever comes again knows better. False, and nothing is done, when it cannot go on.
bool tunnel_go_on(struct tunnel *tunnel, struct lane *lane, usec_t now);
// For lanes that shake hands to carry it on; as long as the tunnel is.
struct chunk_pool *tunnel_chunks(const struct tunnel *tunnel);
bool tunnel_is_paused(const struct tunnel *tunnel);
// Nothing is heard on its lane, though something should be: it may well be lost, and another one would do no harm.
bool tunnel_is_silent(const struct tunnel *tunnel);
// Closes the lane; sessions that are left end as LOST. The structure goes when libuv has closed its handles.
void tunnel_free(struct tunnel *tunnel);
// The reason that a gate gives to a portal whose place another login of the same name takes.
#define TUNNEL_REPLACED "replaced by a newer login of the same name"
// Sends UsherEnd with `reason` and close_notify as far as the socket takes them within 1 s, then `down`.
void tunnel_end(struct tunnel *tunnel, const char *reason);
// Gives the lane up without last words, when they could not arrive: it is lost, for `why`.
void tunnel_drop(struct tunnel *tunnel, const char *why);

// End of turn: pulls, encrypts and sends what the socket takes, within the batch; runs timers; reports `down`. Returns
// true when work is left that no event will announce: the program must not sleep.
bool tunnel_turn(struct tunnel *tunnel, usec_t now);
// Nothing goes out at the moment: bare acknowledgements can wait (stack_flush).
bool tunnel_is_blocked(const struct tunnel *tunnel);
// Within `down`: whether one end has refused the other, so that another attempt would end the same.
bool tunnel_is_untrusted(const struct tunnel *tunnel);

struct usher_engine *tunnel_engine(const struct tunnel *tunnel); // NULL before `up`
// Of the lane that carries it, or did last: who the peer is. NULL before the first.
const struct tls *tunnel_tls(const struct tunnel *tunnel);
void tunnel_describe(const struct tunnel *tunnel, struct facts *facts); // the round trip, and pauses
// Of the lane that carries it. While there is none: false.
bool tunnel_peer(const struct tunnel *tunnel, struct endpoint *out);
bool tunnel_local(const struct tunnel *tunnel, struct endpoint *out);

#endif
