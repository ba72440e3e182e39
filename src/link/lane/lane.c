// SPDX-License-Identifier: GPL-2.0-or-later
// States only move forwards; whoever finds that it is over says why and no more: the owner finds it after its turn, so no
// callback frees its caller. Invariant: sending stops for one of two reasons, the socket takes no more (poll will tell)
// or the batch is full (the owner is told), and the lane never sleeps with the second.
#include "link/lane/lane.h"

#include "base/memory.h"
#include "link/lane/pump.h"
#include "os/clock.h"
#include "os/socket/socket.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    USER_TIMEOUT_MS = 15000,               // unacknowledged for so long means gone
    CONFIRM_USEC = 1 * USEC_PER_SEC,       // a gate that speaks plain rules says nothing: silence is consent then
    LAST_WORDS_USEC = 1 * USEC_PER_SEC,    // a round trip and then some: nobody waits longer for a farewell
    IDLE_USEC = 2 * USEC_PER_SEC,          // buffers are kept for as long as a pause between two requests takes
    EXPIRY_CHECK_USEC = 60 * USEC_PER_SEC, // the wall clock may be set at any time
    WHY_SIZE = 640,
};

enum state {
    SHAKING,    // TLS handshake
    CONFIRMING, // portals: TLS is done, but the gate may still refuse us
    UP,
    ENDING,    // the last words are on their way: what is still pulled and close_notify, or an alert
    LINGERING, // all is sent; closing before the peer has would make the kernel throw it away (RST)
    OVER,
};

struct lane {
    enum tls_role role;
    enum state state;
    struct pump pump;
    bool failed;      // nothing more is pulled
    bool lost;        // it was up then, and nobody had said that it would end
    bool closed;      // as lane_was_closed
    usec_t deadline;  // of the state
    usec_t expiry_at; // when to look at the peer's certificate again
    usec_t trim_at;   // when to give memory back if nothing has moved since; USEC_NEVER when it is given back
    bool moved;       // something has, since trim_at was set
    uint32_t handshake_timeout_ms;
    struct chunk_pool *chunks;
    const struct lane_ops *ops;
    void *owner;
    struct endpoint peer;
    bool has_peer;
    char why[WHY_SIZE];
};

static const char *peer_role(const struct lane *lane)
{
    return lane->role == TLS_PORTAL ? "gate" : "portal";
}

static void note_why(struct lane *lane, const char *format, va_list args)
{
    if (lane->why[0] == '\0')
        vsnprintf(lane->why, sizeof lane->why, format, args);
}

// It cannot go on, and its owner cannot say so: what TLS has to say (an alert) still goes out.
static void fail(struct lane *lane, usec_t now, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void fail(struct lane *lane, usec_t now, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note_why(lane, format, args);
    va_end(args);
    lane->failed = true;
    lane->lost |= lane->state == UP;
    size_t len;
    tls_output(lane->pump.tls, &len);
    if (lane->state < ENDING && len > 0) {
        lane->state = ENDING;
        lane->deadline = now + LAST_WORDS_USEC;
    } else {
        lane->state = OVER;
    }
}

// It ends in order.
static void finish(struct lane *lane, usec_t now, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void finish(struct lane *lane, usec_t now, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note_why(lane, format, args);
    va_end(args);
    lane->state = ENDING;
    lane->deadline = now + LAST_WORDS_USEC;
}

static void note_move(struct lane *lane, usec_t now)
{
    lane->moved = true;
    if (lane->trim_at == USEC_NEVER)
        lane->trim_at = now + IDLE_USEC;
}

// The peer has closed or the socket has failed: what that means depends on how far we were.
static void lose(struct lane *lane, usec_t now, int error)
{
    const char *role = peer_role(lane);
    error = error ? error : lane->pump.send_error;
    if (lane->state == ENDING || lane->state == LINGERING)
        lane->state = OVER;
    else if (error == ETIMEDOUT)
        fail(lane, now, "the %s does not answer any more (connection timed out)", role);
    else if (error == ECONNRESET || error == EPIPE)
        fail(lane, now, "the %s reset the connection%s", role,
             lane->state == SHAKING ? " during the TLS handshake" : "");
    else if (error)
        fail(lane, now, "the connection to the %s failed: %s", role, strerror(error));
    else if (lane->state == SHAKING)
        fail(lane, now, "the %s closed the connection during the TLS handshake", role);
    else {
        lane->closed = true;
        fail(lane, now, "the %s closed the connection without ending the tunnel", role);
    }
}

static bool raise_up(struct lane *lane, usec_t now)
{
    lane->state = UP;
    lane->deadline = USEC_NEVER;
    lane->expiry_at = now;
    if (lane->ops->up(lane->owner, now))
        return true;
    fail(lane, now, "the %s is another than the one before", peer_role(lane));
    lane->lost = false;
    return false;
}

// Input

static bool shake(struct lane *lane, usec_t now)
{
    struct tls *tls = lane->pump.tls;
    switch (tls_handshake(tls)) {
    case TLS_OK:
        break;
    case TLS_AGAIN:
        return false;
    default:
        fail(lane, now, "%s", tls_reason(tls));
        return false;
    }
    if (lane->role == TLS_GATE) {
        if (raise_up(lane, now))
            tls_confirm(tls); // before any record: those are pulled later
    } else if (tls_is_confirmed(tls)) {
        raise_up(lane, now);
    } else {
        lane->state = CONFIRMING;
        lane->deadline = now + CONFIRM_USEC;
    }
    return true;
}

// One record's plaintext. False when there is no more for now.
static bool take_record(struct lane *lane, usec_t now)
{
    struct slice slice;
    enum tls_result result = pump_decrypt(&lane->pump, lane->chunks, &slice);
    if (lane->state == CONFIRMING && tls_is_confirmed(lane->pump.tls))
        raise_up(lane, now);
    if (result == TLS_OK) {
        if (lane->state == UP)
            lane->ops->bytes(lane->owner, &slice, now);
        slice_drop(&slice);
    } else if (result == TLS_CLOSED) {
        lose(lane, now, 0);
        lane->lost = false; // close_notify is an end that was said
    } else if (result == TLS_FAILED) {
        fail(lane, now, "%s", tls_reason(lane->pump.tls));
    }
    return result == TLS_OK;
}

static void digest(struct lane *lane, usec_t now)
{
    if (lane->state == SHAKING && !shake(lane, now))
        return;
    while (lane->state <= UP && take_record(lane, now))
        continue;
}

static void on_readable(void *owner)
{
    struct lane *lane = owner;
    if (lane->state == OVER)
        return;
    usec_t now = clock_now();
    bool listening = lane->state <= UP;
    enum pump_result result = listening ? pump_receive(&lane->pump) : pump_discard(&lane->pump);
    if (listening && result == PUMP_MOVED)
        note_move(lane, now);
    if (listening && result != PUMP_FAILED)
        digest(lane, now);
    if (result == PUMP_CLOSED)
        lose(lane, now, 0);
    else if (result == PUMP_FAILED)
        lose(lane, now, lane->pump.error);
}

// Output

// Packs records into TLS records until the batch is full. False when the owner has nothing more.
static bool fill(struct lane *lane, usec_t now)
{
    if (lane->state < UP || lane->state > ENDING || lane->failed)
        return false;
    size_t room, len, limit = lane->ops->batch(lane->owner, now);
    while ((room = tls_output_room(lane->pump.tls, limit)) > 0) {
        const uint8_t *bytes = lane->ops->pull(lane->owner, room, &len, now);
        if (!bytes)
            return false;
        if (tls_write(lane->pump.tls, bytes, len) != TLS_OK) {
            fail(lane, now, "%s", tls_reason(lane->pump.tls));
            return false;
        }
    }
    return lane->ops->has_more(lane->owner);
}

static void linger(struct lane *lane)
{
    lane->state = shutdown(lane->pump.fd, SHUT_WR) == 0 ? LINGERING : OVER;
}

static bool transmit(struct lane *lane, usec_t now)
{
    if (lane->pump.blocked || lane->state >= LINGERING)
        return false;
    bool more = fill(lane, now);
    // Never asleep with runnable work: what is left is either announced by the socket or told to the caller.
    assert(more || lane->state != UP || !lane->ops->has_more(lane->owner));
    if (lane->state == ENDING && !more)
        tls_close_notify(lane->pump.tls);
    if (pump_send(&lane->pump) == PUMP_MOVED)
        note_move(lane, now);
    if (lane->state == ENDING && !more && !lane->pump.blocked)
        linger(lane);
    return more && !lane->pump.blocked;
}

bool lane_output(struct lane *lane, usec_t now)
{
    bool more = transmit(lane, now);
    if (lane->state == OVER) {
        pump_disarm(&lane->pump);
        return false;
    }
    pump_arm(&lane->pump);
    return more || (lane->state <= UP && tls_input_is_waiting(lane->pump.tls));
}

// Time

static usec_t earlier(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

usec_t lane_deadline(const struct lane *lane)
{
    usec_t at = earlier(lane->deadline, lane->trim_at);
    return lane->state == UP ? earlier(at, lane->expiry_at) : at;
}

static void check_expiry(struct lane *lane, usec_t now)
{
    usec_t wall = (usec_t)time(NULL) * USEC_PER_SEC, end = tls_peer_expires(lane->pump.tls);
    if (wall >= end) {
        lane->ops->expired(lane->owner);
        finish(lane, now, "the %s's certificate has expired", peer_role(lane));
        return;
    }
    lane->expiry_at = now + earlier(end - wall, EXPIRY_CHECK_USEC);
}

static void trim_if_idle(struct lane *lane, usec_t now)
{
    if (lane->moved) {
        lane->trim_at = now + IDLE_USEC;
    } else {
        lane->trim_at = USEC_NEVER;
        tls_trim(lane->pump.tls);
        lane->ops->idle(lane->owner);
    }
    lane->moved = false;
}

static void expire_state(struct lane *lane, usec_t now)
{
    switch (lane->state) {
    case SHAKING:
        fail(lane, now, "the %s did not complete the TLS handshake within %u s", peer_role(lane),
             lane->handshake_timeout_ms / 1000);
        break;
    case CONFIRMING:
        raise_up(lane, now);
        break;
    default:
        lane->state = OVER;
        break;
    }
}

void lane_input(struct lane *lane, usec_t now)
{
    if (lane->state == SHAKING || tls_input_is_waiting(lane->pump.tls))
        digest(lane, now);
    if (now >= lane->deadline && lane->state < OVER)
        expire_state(lane, now);
    if (lane->state == UP && now >= lane->expiry_at)
        check_expiry(lane, now);
    if (now >= lane->trim_at)
        trim_if_idle(lane, now);
}

// Birth and end

static void set_socket(int fd, const struct lane_config *config)
{
    socket_set_nodelay(fd);
    socket_set_user_timeout(fd, config->user_timeout_ms ? config->user_timeout_ms : USER_TIMEOUT_MS);
    socket_set_send_buffer(fd); // at a gate its worker has, while it had the right to
    if (config->notsent_lowat)
        socket_set_notsent_lowat(fd, config->notsent_lowat);
    // A kernel without it uses its own, which works too.
    if (config->congestion)
        socket_set_congestion(fd, config->congestion);
}

struct lane *lane_new(uv_loop_t *loop, int fd, struct tls_identity *identity, enum tls_role role, const char *peer_name,
                      const struct lane_config *config, struct fault *fault)
{
    struct tls *tls = tls_new(identity, peer_name, fault);
    if (!tls) {
        close(fd);
        return NULL;
    }
    struct lane *lane = memory_new(sizeof *lane);
    *lane = (struct lane){
        .role = role,
        .deadline = clock_now() + config->handshake_timeout_ms * USEC_PER_MSEC,
        .trim_at = USEC_NEVER,
        .handshake_timeout_ms = config->handshake_timeout_ms,
    };
    lane->has_peer = socket_peer(fd, &lane->peer);
    pump_init(&lane->pump, loop, fd, tls, on_readable, lane);
    if (lane->has_peer) // else it is a pair of sockets, and what lies behind it is not ours to tune
        set_socket(fd, config);
    return lane;
}

void lane_attach(struct lane *lane, struct chunk_pool *chunks, const struct lane_ops *ops, void *owner)
{
    lane->chunks = chunks;
    lane->ops = ops;
    lane->owner = owner;
}

bool lane_set_ticket(struct lane *lane, const uint8_t number[TLS_TICKET_SIZE])
{
    return tls_set_ticket(lane->pump.tls, number);
}

void lane_set_peer(struct lane *lane, const struct tls *before)
{
    tls_set_peer(lane->pump.tls, before);
}

struct tls *lane_free_but_tls(struct lane *lane)
{
    lane->state = OVER;
    struct tls *tls = pump_close(&lane->pump, free);
    tls_retire(tls);
    return tls;
}

void lane_free(struct lane *lane)
{
    if (!lane)
        return;
    tls_free(lane_free_but_tls(lane));
}

void lane_end(struct lane *lane, const char *why, usec_t now)
{
    if (lane->state == UP)
        finish(lane, now, "%s", why);
    else if (lane->state < UP)
        fail(lane, now, "%s", why);
}

void lane_drop(struct lane *lane, const char *why)
{
    if (lane->state == OVER)
        return;
    lane->lost |= lane->state == UP;
    if (lane->why[0] == '\0')
        snprintf(lane->why, sizeof lane->why, "%s", why);
    lane->state = OVER;
}

// What it is like

bool lane_is_up(const struct lane *lane)
{
    return lane->state == UP;
}

bool lane_is_blocked(const struct lane *lane)
{
    return lane->pump.blocked;
}

bool lane_is_over(const struct lane *lane)
{
    return lane->state == OVER;
}

bool lane_was_lost(const struct lane *lane)
{
    return lane->lost;
}

bool lane_was_closed(const struct lane *lane)
{
    return lane->closed;
}

const char *lane_why(const struct lane *lane)
{
    return lane->why;
}

enum tls_role lane_role(const struct lane *lane)
{
    return lane->role;
}

const struct tls *lane_tls(const struct lane *lane)
{
    return lane->pump.tls;
}

bool lane_is_unheard(const struct lane *lane)
{
    return socket_is_unacknowledged(lane->pump.fd);
}

uint32_t lane_rtt_usec(const struct lane *lane)
{
    return socket_rtt_usec(lane->pump.fd);
}

bool lane_peer(const struct lane *lane, struct endpoint *out)
{
    *out = lane->peer;
    return lane->has_peer;
}

bool lane_local(const struct lane *lane, struct endpoint *out)
{
    return socket_local(lane->pump.fd, out);
}
