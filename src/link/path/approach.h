// SPDX-License-Identifier: GPL-2.0-or-later
// One attempt at one gate, and the tunnel that comes of it: a connection (link/path/reach.h) or a command in its place,
// a lane over it, a tunnel. One that is for a tunnel that is there already gives its lane to it, if the gate still knows
// that tunnel, and is through; else a tunnel of its own comes of it too. When it is over it says why, once, and waits to be
// freed.
#ifndef LINK_PATH_APPROACH_H
#define LINK_PATH_APPROACH_H

#include "link/path/reach.h"
#include "link/tunnel/tunnel.h"

struct approach;

// Borrowed as long as the approach lives.
struct approach_config {
    struct reach_config reach;
    const char *peer_name;         // what the gate's certificate must carry
    const char *command;           // ProxyCommand; NULL: none
    struct tls_identity *identity; // that is shown; of a tunnel that is to go on, the one that it began with
    struct tls_identity *current;  // by which the gate is judged
    struct tunnel_config tunnel;
    struct approach *of;   // whose tunnel is to go on, and lives longer; NULL: none
    const uint8_t *ticket; // what that tunnel is known by, TLS_TICKET_SIZE
};

enum approach_stage { APPROACH_RESOLVING, APPROACH_CONNECTING, APPROACH_SHAKING, APPROACH_UP, APPROACH_OVER };

struct approach_ops {
    void (*up)(void *owner, struct approach *approach);
    void (*opened)(void *owner, struct approach *approach, struct usher_session *session,
                   const struct usher_open *open);
    // Its lane carries on the tunnel of `of`.
    void (*through)(void *owner, struct approach *approach);
    // The tunnel has lost its lane, and waits for another; or has another one now.
    void (*paused)(void *owner, struct approach *approach, const char *why);
    void (*resumed)(void *owner, struct approach *approach);
    // It is over: see approach_why. From the loop or from approach_turn; the tunnel is gone, and so are its sessions.
    void (*over)(void *owner, struct approach *approach);
    void (*wake)(void *owner);
};

struct approach *approach_new(uv_loop_t *loop, const struct approach_config *config, const struct approach_ops *ops,
                              void *owner);
// Not from within a callback. NULL is nobody's.
void approach_free(struct approach *approach);
// End of turn, as tunnel_turn.
bool approach_turn(struct approach *approach, usec_t now);
enum approach_stage approach_stage(const struct approach *approach);
struct tls_identity *approach_identity(const struct approach *approach); // as long as it lives
struct tunnel *approach_tunnel(const struct approach *approach);         // NULL before there is one, and after

// When it is over.
const char *approach_why(const struct approach *approach); // one sentence
bool approach_is_untrusted(
    const struct approach *approach); // one end has refused the other: another attempt ends the same
bool approach_is_refused(const struct approach *approach); // the proxy has refused us
bool approach_was_up(const struct approach *approach);

// One that is through: what its lane needs goes with the tunnel.
void approach_join(struct approach *approach, struct approach *through);

#endif
