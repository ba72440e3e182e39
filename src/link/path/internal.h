// SPDX-License-Identifier: GPL-2.0-or-later
// What the files of the path share, and nobody else includes. Each calls only those further down:
//
//     renewing.c    another configuration
//     path.c        its life; what approaches and the program tell
//     holding.c     a tunnel that has lost its lane, or seems to have
//     moving.c      the tunnel is to be left for another one
//     returning.c   gates that stand before the one that has the tunnel
//     rounds.c      one attempt after another, and the waits between them
#ifndef LINK_PATH_INTERNAL_H
#define LINK_PATH_INTERNAL_H

#include "link/path/approach.h"
#include "link/path/backoff.h"
#include "link/path/config.h"
#include "link/path/displaced.h"
#include "link/path/leaving.h"

enum {
    PATH_WHY_SIZE = 512,
    PATH_PATIENCE_USEC = 1 * USEC_PER_SEC, // of the first attempt that somebody waits for
};

enum phase {
    WAITING,
    TRYING,
    THROUGH, // `approach` has given its lane to what is held
    UP,
    FAILED,
    STOPPED,
};

struct path {
    uv_loop_t *loop;
    uv_timer_t timer; // runs while WAITING
    uv_timer_t look;  // runs while somebody waits
    uv_timer_t back;  // runs while a later gate has the tunnel
    int handles;      // of libuv that are not closed yet
    enum phase phase;
    struct path_config config;
    const struct path_ops *ops;
    void *owner;
    const struct approach_ops *approach_ops;
    size_t gate;               // of `approach`
    size_t next;               // that begins the next round
    size_t left;               // gates of the round that are not tried yet
    struct approach *approach; // from TRYING to FAILED
    struct approach *held;     // whose tunnel waits for another lane, or is silent; NULL: none
    size_t held_gate;
    bool held_over;
    bool rerouted; // why it is held
    char held_why[PATH_WHY_SIZE];
    bool has_ticket;
    uint8_t ticket[TLS_TICKET_SIZE]; // of the tunnel that is up, or held
    struct approach *earlier;        // to a gate before the one that has the tunnel, or while `moving`; NULL: none
    size_t earlier_gate;
    bool earlier_over;
    bool move_due, moving; // the tunnel that is up is to be left
    const char *move_why;
    struct leaving leaving; // those that were
    bool untrusted;         // every attempt of the round ended so
    bool refused;           // one of them by the proxy
    bool stopping;
    bool at_once; // the next attempt does not wait
    bool wanted;
    struct displaced displaced;
    usec_t patience; // of the next attempt that somebody waits for
    usec_t begun_at;
    usec_t up_at;
    struct backoff backoff;
    char why[PATH_WHY_SIZE];    // of the round so far
    struct path_gate *gates;    // of `config`
    struct reach_known *known;  // of each of them, or of the proxy before it
    struct path_gate *unlisted; // that has the tunnel, though it is configured no longer; NULL: it is
};

// renewing.c: `config` from here on, with nothing known of its gates.
void path_configure(struct path *path, const struct path_config *config);

bool rounds_goes_on(const struct path *path, size_t gate); // whether a lane to that gate may carry on what is held
struct approach *rounds_approach_to(struct path *path, size_t gate);
// Begins with `first`, or with the gate of what is held.
void rounds_start(struct path *path, size_t first);
void rounds_next(struct path *path);
void rounds_wait(struct path *path);
void rounds_abandon(struct path *path); // what is under way, short of a tunnel that is up
void rounds_note_why(struct path *path, const char *why);
void rounds_drop(struct path *path, const char *why);
void rounds_hurry(struct path *path); // as long as somebody waits

// Gates are tried beside the tunnel that serves meanwhile.
void moving_begin(struct path *path, usec_t now);
// One has taken us in: the old tunnel lives for its sessions. Tells `down`.
void moving_on(struct path *path);
void moving_end(struct path *path); // the attempt has failed

bool returning_may(struct path *path);
// The earlier gate has taken us in, and what it is to replace has nothing to lose.
void returning_go_back(struct path *path);
void returning_stop(struct path *path);
void returning_schedule(struct path *path);
void returning_end(struct path *path);

// What has the tunnel steps aside for an attempt at another lane for it.
void holding_begin(struct path *path);
void holding_lose(struct path *path, const char *why); // tells `down`
// A lane of its own carries the tunnel again, or the one that it had still does.
void holding_take_back(struct path *path);
void holding_look(struct path *path);
// The attempt that has failed was to go on with what is held, and one end has refused the other.
bool holding_is_refused(const struct path *path);

#endif
