// SPDX-License-Identifier: GPL-2.0-or-later
// Life and death of a tunnel. States only move forwards (tunnel_internal.h); whoever finds that it is over says why and
// no more: the report, and with it the end of every session, comes from tunnel_turn, so no callback frees its caller.
#include "link/tunnel_internal.h"

#include "base/memory.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/socket.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    CHUNKS_CACHED = 64,                    // 1 MiB: what a burst of one batch each way and a few slow flows need
    CHUNKS_KEPT_IDLE = 2,                  // of those while nothing moves
    USER_TIMEOUT_MS = 15000,               // unacknowledged for so long means gone
    LAST_WORDS_USEC = 1 * USEC_PER_SEC,    // a round trip and then some: nobody waits longer for a farewell
    EXPIRY_CHECK_USEC = 60 * USEC_PER_SEC, // the wall clock may be set at any time
    ORPHAN_CHECK_MS = 1000,                // for chunks of a tunnel that is gone; what hurry is there
};

const char *tunnel_peer_role(const struct tunnel *tunnel)
{
    return tunnel->role == TLS_PORTAL ? "gate" : "portal";
}

static void note_why(struct tunnel *tunnel, const char *format, va_list args)
{
    if (tunnel->why[0] == '\0')
        vsnprintf(tunnel->why, sizeof(tunnel->why), format, args);
}

// It cannot go on, and the engine cannot say so: what TLS has to say (an alert) still goes out.
void tunnel_fail(struct tunnel *tunnel, usec_t now, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note_why(tunnel, format, args);
    va_end(args);
    tunnel->engine_ended = true;
    size_t len;
    tls_output(tunnel->tls, &len);
    if (tunnel->state < TUNNEL_ENDING && len > 0) {
        tunnel->state = TUNNEL_ENDING;
        tunnel->deadline = now + LAST_WORDS_USEC;
    } else {
        tunnel->state = TUNNEL_OVER;
    }
}

// It ends in order.
void tunnel_finish(struct tunnel *tunnel, usec_t now, const char *format, ...)
{
    if (tunnel->state >= TUNNEL_ENDING)
        return;
    va_list args;
    va_start(args, format);
    note_why(tunnel, format, args);
    va_end(args);
    tunnel->state = TUNNEL_ENDING;
    tunnel->deadline = now + LAST_WORDS_USEC;
}

void tunnel_linger(struct tunnel *tunnel)
{
    tunnel->state = shutdown(tunnel->fd, SHUT_WR) == 0 ? TUNNEL_LINGERING : TUNNEL_OVER;
}

static void on_opened(void *owner, struct usher_session *session, const struct usher_open *open)
{
    struct tunnel *tunnel = owner;
    tunnel->ops->opened(tunnel->owner, session, open);
}

static void on_wake(void *owner)
{
    struct tunnel *tunnel = owner;
    tunnel->ops->wake(tunnel->owner);
}

void tunnel_raise(struct tunnel *tunnel, usec_t now)
{
    static const struct usher_engine_ops ops = {.opened = on_opened, .wake = on_wake};
    tunnel->config.engine.server = tunnel->role == TLS_GATE;
    tunnel->config.engine.extended = tls_alpn_agreed(tunnel->tls);
    tunnel->engine = usher_engine_new(&tunnel->config.engine, &ops, tunnel, now);
    assert(tunnel->engine);
    tunnel->state = TUNNEL_UP;
    tunnel->deadline = USEC_NEVER;
    tunnel->expiry_at = now;
    tunnel->ops->up(tunnel->owner);
}

static int events_of(const struct tunnel *tunnel)
{
    return UV_READABLE | (tunnel->blocked ? UV_WRITABLE : 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct tunnel *tunnel = poll->data;
    usec_t now = clock_now();
    if (tunnel->state >= TUNNEL_OVER)
        return;
    // libuv stops watching a socket that has failed. What it received before is read first, then the error is met.
    if (status < 0)
        tunnel->armed = 0;
    if (events & UV_WRITABLE)
        tunnel->blocked = tunnel->send_error != 0;
    if (status < 0 || (events & UV_READABLE))
        tunnel_receive(tunnel, now);
}

// Only ends the loop's sleep; the turn that follows finds what is due.
static void on_timer(uv_timer_t *timer)
{
    struct tunnel *tunnel = timer->data;
    tunnel->wake_at = USEC_NEVER;
}

// Waits for exactly what is of use. epoll is told only when that changes.
static void arm_poll(struct tunnel *tunnel)
{
    int events = events_of(tunnel);
    if (events == tunnel->armed)
        return;
    int result = uv_poll_start(&tunnel->poll, events, on_poll);
    assert(result == 0);
    tunnel->armed = events;
}

static usec_t earlier(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

static usec_t next_deadline(const struct tunnel *tunnel)
{
    usec_t at = earlier(tunnel->deadline, tunnel->trim_at);
    if (tunnel->state == TUNNEL_UP)
        at = earlier(earlier(at, tunnel->expiry_at), usher_engine_deadline(tunnel->engine));
    return at;
}

// The timer is moved only when it would come too late; one that comes too early finds nothing to do and is set anew.
static void arm_timer(struct tunnel *tunnel, usec_t now)
{
    usec_t at = next_deadline(tunnel);
    if (at >= tunnel->wake_at)
        return;
    uint64_t ms = at <= now ? 0 : (at - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC;
    uv_timer_start(&tunnel->timer, on_timer, ms, 0);
    tunnel->wake_at = at;
}

static void check_expiry(struct tunnel *tunnel, usec_t now)
{
    usec_t wall = (usec_t)time(NULL) * USEC_PER_SEC, end = tls_peer_expires(tunnel->tls);
    if (wall >= end) {
        usher_engine_end(tunnel->engine, "peer certificate expired");
        tunnel_finish(tunnel, now, "the %s's certificate has expired", tunnel_peer_role(tunnel));
        return;
    }
    tunnel->expiry_at = now + earlier(end - wall, EXPIRY_CHECK_USEC);
}

static void trim_if_idle(struct tunnel *tunnel, usec_t now)
{
    if (tunnel->moved) {
        tunnel->trim_at = now + TUNNEL_IDLE_USEC;
    } else {
        tunnel->trim_at = USEC_NEVER;
        tls_trim(tunnel->tls);
        chunk_pool_trim(tunnel->chunks, CHUNKS_KEPT_IDLE);
        heap_trim(); // no program has a second tunnel that this could hold up
    }
    tunnel->moved = false;
}

static void tick_engine(struct tunnel *tunnel, usec_t now)
{
    if (usher_engine_tick(tunnel->engine, now) != USHER_RUNNING)
        tunnel_finish(tunnel, now, "%s", usher_engine_reason(tunnel->engine));
}

static void expire_state(struct tunnel *tunnel, usec_t now)
{
    switch (tunnel->state) {
    case TUNNEL_SHAKING:
        tunnel_fail(tunnel, now, "the %s did not complete the TLS handshake within %u s", tunnel_peer_role(tunnel),
                    tunnel->config.handshake_timeout_ms / 1000);
        break;
    case TUNNEL_CONFIRMING:
        tunnel_raise(tunnel, now);
        break;
    default:
        tunnel->state = TUNNEL_OVER;
        break;
    }
}

static void run_deadlines(struct tunnel *tunnel, usec_t now)
{
    if (now >= tunnel->deadline && tunnel->state < TUNNEL_OVER)
        expire_state(tunnel, now);
    if (tunnel->state == TUNNEL_UP && now >= tunnel->expiry_at)
        check_expiry(tunnel, now);
    if (tunnel->state == TUNNEL_UP && now >= usher_engine_deadline(tunnel->engine))
        tick_engine(tunnel, now);
    if (now >= tunnel->trim_at)
        trim_if_idle(tunnel, now);
}

static void report(struct tunnel *tunnel)
{
    tunnel->state = TUNNEL_REPORTED;
    uv_poll_stop(&tunnel->poll);
    uv_timer_stop(&tunnel->timer);
    if (tunnel->engine) {
        usher_engine_free(tunnel->engine);
        tunnel->engine = NULL;
    }
    tunnel->ops->down(tunnel->owner, tunnel->why);
}

bool tunnel_turn(struct tunnel *tunnel, usec_t now)
{
    if (tunnel->state == TUNNEL_REPORTED)
        return false;
    if (tunnel->state == TUNNEL_SHAKING || tls_input_is_waiting(tunnel->tls))
        tunnel_digest(tunnel, now);
    run_deadlines(tunnel, now);
    bool more = tunnel_transmit(tunnel, now);
    if (tunnel->state == TUNNEL_OVER) {
        report(tunnel);
        return false;
    }
    arm_poll(tunnel);
    arm_timer(tunnel, now);
    return more || (tunnel->state <= TUNNEL_UP && tls_input_is_waiting(tunnel->tls));
}

static void set_socket(const struct tunnel *tunnel)
{
    socket_set_nodelay(tunnel->fd);
    socket_set_user_timeout(tunnel->fd, USER_TIMEOUT_MS);
    socket_set_send_buffer(tunnel->fd); // at a gate its worker has, while it had the right to
    if (tunnel->config.notsent_lowat)
        socket_set_notsent_lowat(tunnel->fd, tunnel->config.notsent_lowat);
    // A kernel without it uses its own, which works too.
    if (tunnel->config.congestion)
        socket_set_congestion(tunnel->fd, tunnel->config.congestion);
}

struct tunnel *tunnel_new(uv_loop_t *loop, int fd, struct tls_identity *identity, enum tls_role role,
                          const char *peer_name, const struct tunnel_config *config, const struct tunnel_ops *ops,
                          void *owner, struct fault *fault)
{
    struct tls *tls = tls_new(identity, peer_name, fault);
    if (!tls) {
        close(fd);
        return NULL;
    }
    usec_t now = clock_now();
    struct tunnel *tunnel = memory_new(sizeof(*tunnel));
    *tunnel = (struct tunnel){
        .loop = loop,
        .fd = fd,
        .wake_at = USEC_NEVER,
        .role = role,
        .deadline = now + config->handshake_timeout_ms * USEC_PER_MSEC,
        .trim_at = USEC_NEVER,
        .tls = tls,
        .chunks = chunk_pool_new(CHUNKS_CACHED),
        .config = *config,
        .ops = ops,
        .owner = owner,
    };
    tunnel->has_peer = socket_peer(fd, &tunnel->peer);
    tunnel->poll.data = tunnel->timer.data = tunnel;
    uv_timer_init(loop, &tunnel->timer);
    int result = uv_poll_init(loop, &tunnel->poll, fd);
    assert(result == 0);
    set_socket(tunnel);
    // The first turn sends the ClientHello and arms the rest.
    uv_timer_start(&tunnel->timer, on_timer, 0, 0);
    tunnel->wake_at = now;
    return tunnel;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct tunnel *tunnel = handle->data;
    chunk_pool_free(tunnel->chunks);
    free(tunnel);
}

// Edges may still hold data of sessions that had ended well before; the pool must outlive it.
static void reclaim(uv_timer_t *timer)
{
    struct tunnel *tunnel = timer->data;
    if (chunk_pool_held(tunnel->chunks) == 0)
        uv_close((uv_handle_t *)timer, on_timer_closed);
    else
        uv_timer_start(timer, reclaim, ORPHAN_CHECK_MS, 0);
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct tunnel *tunnel = handle->data;
    uv_unref((uv_handle_t *)&tunnel->timer);
    reclaim(&tunnel->timer);
}

void tunnel_free(struct tunnel *tunnel)
{
    if (!tunnel)
        return;
    tunnel->state = TUNNEL_REPORTED;
    uv_timer_stop(&tunnel->timer);
    uv_poll_stop(&tunnel->poll);
    if (tunnel->engine)
        usher_engine_free(tunnel->engine);
    tunnel->engine = NULL;
    tls_free(tunnel->tls);
    tunnel->tls = NULL;
    close(tunnel->fd);
    uv_close((uv_handle_t *)&tunnel->poll, on_poll_closed);
}

void tunnel_end(struct tunnel *tunnel, const char *reason)
{
    usec_t now = clock_now();
    if (tunnel->state == TUNNEL_UP) {
        usher_engine_end(tunnel->engine, reason);
        tunnel_finish(tunnel, now, "%s", reason);
    } else if (tunnel->state < TUNNEL_UP) {
        tunnel_fail(tunnel, now, "%s", reason);
    }
    tunnel->ops->wake(tunnel->owner);
}

void tunnel_drop(struct tunnel *tunnel, const char *why)
{
    if (tunnel->state >= TUNNEL_OVER)
        return;
    if (tunnel->why[0] == '\0')
        snprintf(tunnel->why, sizeof(tunnel->why), "%s", why);
    tunnel->state = TUNNEL_OVER;
    tunnel->ops->wake(tunnel->owner);
}

bool tunnel_is_blocked(const struct tunnel *tunnel)
{
    return tunnel->blocked;
}

bool tunnel_is_up(const struct tunnel *tunnel)
{
    return tunnel->state == TUNNEL_UP;
}

bool tunnel_is_untrusted(const struct tunnel *tunnel)
{
    return tls_is_untrusted(tunnel->tls);
}

struct usher_engine *tunnel_engine(const struct tunnel *tunnel)
{
    return tunnel->engine;
}

const struct tls *tunnel_tls(const struct tunnel *tunnel)
{
    return tunnel->tls;
}

uint32_t tunnel_rtt_usec(const struct tunnel *tunnel)
{
    return socket_rtt_usec(tunnel->fd);
}

bool tunnel_peer(const struct tunnel *tunnel, struct endpoint *out)
{
    *out = tunnel->peer;
    return tunnel->has_peer;
}

bool tunnel_local(const struct tunnel *tunnel, struct endpoint *out)
{
    return socket_local(tunnel->fd, out);
}
