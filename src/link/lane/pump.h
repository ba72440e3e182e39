// SPDX-License-Identifier: GPL-2.0-or-later
// A socket on the loop and the bytes between it and TLS. Each call receives or sends once, as much as the buffers hold:
// few large system calls. What it finds it returns; what that means for the connection is the lane's.
#ifndef LINK_LANE_PUMP_H
#define LINK_LANE_PUMP_H

#include "base/chunk.h"
#include "link/tls/tls.h"

#include <stdbool.h>
#include <uv.h>

struct pump {
    uv_poll_t poll;
    int fd;
    int armed; // events that `poll` waits for
    void (*readable)(void *owner);
    void (*closed)(void *owner);
    void *owner;
    struct tls *tls;
    bool blocked;   // the socket took less than there was: it will say when it takes more
    int send_error; // errno of a send that failed; to be told when reading has come to its end
    int error;      // errno of PUMP_FAILED
};

enum pump_result {
    PUMP_MOVED,   // bytes came, or went
    PUMP_NOTHING, // none did, for now
    PUMP_CLOSED,  // the peer has closed: it was the last call
    PUMP_FAILED,  // so has the socket: `error`
};

// Takes `fd` and `tls` over. `readable` comes from the loop once pump_arm was called: receive or discard.
void pump_init(struct pump *pump, uv_loop_t *loop, int fd, struct tls *tls, void (*readable)(void *owner), void *owner);
// Waits for exactly what is of use, until pump_disarm.
void pump_arm(struct pump *pump);
void pump_disarm(struct pump *pump);
// Closes the socket, and gives TLS back; `closed` comes from the loop, and the structure may go then.
struct tls *pump_close(struct pump *pump, void (*closed)(void *owner));

// From the socket into the input buffer of TLS.
enum pump_result pump_receive(struct pump *pump);
// From the socket to nowhere: only the end of the stream is of interest.
enum pump_result pump_discard(struct pump *pump);
// From the output buffer of TLS to the socket, which may be `blocked` then or have failed with `send_error`.
enum pump_result pump_send(struct pump *pump);

// The plaintext of the next record into a chunk of `chunks`. With TLS_OK the slice is the caller's to drop. A chunk that
// nobody kept a piece of is the pool's next, and still warm in the cache.
enum tls_result pump_decrypt(struct pump *pump, struct chunk_pool *chunks, struct slice *slice);

#endif
