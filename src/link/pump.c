// SPDX-License-Identifier: GPL-2.0-or-later
// Bytes between socket, TLS and engine. Each wake-up receives once, as much as the input buffer holds, and each turn
// sends once, as much as the batch holds: few large system calls. Invariant: it stops for one of two reasons, the
// socket takes no more (poll will tell) or the batch is full (the caller is told), and never sleeps with the second.
#include "link/tunnel_internal.h"

#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static void note_move(struct tunnel *tunnel, usec_t now)
{
    tunnel->moved = true;
    if (tunnel->trim_at == USEC_NEVER)
        tunnel->trim_at = now + TUNNEL_IDLE_USEC;
}

// The peer has closed or the socket has failed: what that means depends on how far we were.
static void lose(struct tunnel *tunnel, usec_t now, int error)
{
    const char *role = tunnel_peer_role(tunnel);
    error = error ? error : tunnel->send_error;
    if (tunnel->state == TUNNEL_ENDING || tunnel->state == TUNNEL_LINGERING)
        tunnel->state = TUNNEL_OVER;
    else if (error == ETIMEDOUT)
        tunnel_fail(tunnel, now, "the %s does not answer any more (connection timed out)", role);
    else if (error == ECONNRESET || error == EPIPE)
        tunnel_fail(tunnel, now, "the %s reset the connection%s", role,
                    tunnel->state == TUNNEL_SHAKING ? " during the TLS handshake" : "");
    else if (error)
        tunnel_fail(tunnel, now, "the connection to the %s failed: %s", role, strerror(error));
    else if (tunnel->state == TUNNEL_SHAKING)
        tunnel_fail(tunnel, now, "the %s closed the connection during the TLS handshake", role);
    else
        tunnel_fail(tunnel, now, "the %s closed the connection without ending the tunnel", role);
}

static void feed(struct tunnel *tunnel, struct chunk *chunk, size_t len, usec_t now)
{
    struct slice slice = {.chunk = chunk, .bytes = chunk->bytes, .len = (uint32_t)len};
    char reason[USHER_REASON_MAX * 2];
    enum usher_status status = usher_engine_feed(tunnel->engine, &slice, now);
    if (status == USHER_RUNNING)
        return;
    tunnel->engine_ended = status == USHER_ENDED;
    tunnel_finish(tunnel, now, "%s", text_escape(reason, sizeof(reason), usher_engine_reason(tunnel->engine)));
}

static bool shake(struct tunnel *tunnel, usec_t now)
{
    enum { CONFIRM_USEC = 1 * USEC_PER_SEC }; // a gate that speaks plain rules says nothing: silence is consent then
    switch (tls_handshake(tunnel->tls)) {
    case TLS_OK:
        break;
    case TLS_AGAIN:
        return false;
    default:
        tunnel_fail(tunnel, now, "%s", tls_reason(tunnel->tls));
        return false;
    }
    if (tunnel->role == TLS_GATE) {
        tls_confirm(tunnel->tls);
        tunnel_raise(tunnel, now);
    } else if (tls_is_confirmed(tunnel->tls)) {
        tunnel_raise(tunnel, now);
    } else {
        tunnel->state = TUNNEL_CONFIRMING;
        tunnel->deadline = now + CONFIRM_USEC;
    }
    return true;
}

// One record's plaintext. False when there is no more for now.
static bool take_record(struct tunnel *tunnel, struct chunk *chunk, usec_t now)
{
    size_t len;
    enum tls_result result = tls_read(tunnel->tls, chunk->bytes, CHUNK_SIZE, &len);
    if (tunnel->state == TUNNEL_CONFIRMING && tls_is_confirmed(tunnel->tls))
        tunnel_raise(tunnel, now);
    if (result == TLS_OK && tunnel->state == TUNNEL_UP)
        feed(tunnel, chunk, len, now);
    else if (result == TLS_CLOSED)
        lose(tunnel, now, 0);
    else if (result == TLS_FAILED)
        tunnel_fail(tunnel, now, "%s", tls_reason(tunnel->tls));
    return result == TLS_OK;
}

void tunnel_digest(struct tunnel *tunnel, usec_t now)
{
    if (tunnel->state == TUNNEL_SHAKING && !shake(tunnel, now))
        return;
    struct chunk *chunk = chunk_new(tunnel->chunks);
    while (tunnel->state <= TUNNEL_UP && take_record(tunnel, chunk, now)) {
        // A chunk that nobody kept a piece of is warm in the cache: it takes the next record too.
        if (chunk->refs > 1) {
            chunk_drop(chunk);
            chunk = chunk_new(tunnel->chunks);
        }
    }
    chunk_drop(chunk);
}

// After our last words only the end of the stream is of interest.
static void discard(struct tunnel *tunnel, usec_t now)
{
    ssize_t got = recv(tunnel->fd, tunnel->stage, sizeof(tunnel->stage), MSG_DONTWAIT);
    if (got == 0)
        lose(tunnel, now, 0);
    else if (got < 0 && errno != EAGAIN && errno != EINTR)
        lose(tunnel, now, errno);
}

void tunnel_receive(struct tunnel *tunnel, usec_t now)
{
    size_t room;
    if (tunnel->state > TUNNEL_UP) {
        discard(tunnel, now);
        return;
    }
    uint8_t *at = tls_input_room(tunnel->tls, &room);
    // No room is left only while earlier input waits to be decrypted, of which tunnel_turn takes care.
    if (room > 0) {
        ssize_t got = recv(tunnel->fd, at, room, MSG_DONTWAIT);
        if (got > 0) {
            tls_input_added(tunnel->tls, (size_t)got);
            note_move(tunnel, now);
        } else if (got == 0) {
            tunnel_digest(tunnel, now);
            lose(tunnel, now, 0);
            return;
        } else if (errno != EAGAIN && errno != EINTR) {
            lose(tunnel, now, errno);
            return;
        }
    }
    tunnel_digest(tunnel, now);
}

static uint32_t batch(const struct tunnel *tunnel, usec_t now)
{
    return usher_engine_is_interactive(tunnel->engine, now) ? tunnel->config.batch_interactive : tunnel->config.batch;
}

// Packs records into TLS records until the batch is full. False when the engine has nothing more.
static bool fill(struct tunnel *tunnel, usec_t now)
{
    if (!tunnel->engine || tunnel->engine_ended || tunnel->state > TUNNEL_ENDING)
        return false;
    uint32_t limit = batch(tunnel, now);
    while (tls_output_room(tunnel->tls, limit)) {
        size_t len = usher_engine_pull(tunnel->engine, tunnel->stage, sizeof(tunnel->stage), now);
        if (len == 0)
            return false;
        if (tls_write(tunnel->tls, tunnel->stage, len) != TLS_OK) {
            tunnel_fail(tunnel, now, "%s", tls_reason(tunnel->tls));
            return false;
        }
    }
    return usher_engine_has_work(tunnel->engine);
}

static void flush(struct tunnel *tunnel, usec_t now)
{
    size_t len;
    const uint8_t *bytes = tls_output(tunnel->tls, &len);
    if (len == 0)
        return;
    ssize_t sent = send(tunnel->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    // The peer may have said why before it closed: what it sent is still to be read, and then the end of it is met.
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        tunnel->send_error = errno;
    if (sent > 0) {
        tls_output_taken(tunnel->tls, (size_t)sent);
        note_move(tunnel, now);
    }
    tunnel->blocked = sent < (ssize_t)len;
}

bool tunnel_transmit(struct tunnel *tunnel, usec_t now)
{
    if (tunnel->blocked || tunnel->state >= TUNNEL_LINGERING)
        return false;
    bool more = fill(tunnel, now);
    // Never asleep with runnable work: what is left is either announced by the socket or told to the caller.
    assert(more || tunnel->state != TUNNEL_UP || tunnel->engine_ended || !usher_engine_has_work(tunnel->engine));
    if (tunnel->state == TUNNEL_ENDING && !more)
        tls_close_notify(tunnel->tls);
    flush(tunnel, now);
    if (tunnel->state == TUNNEL_ENDING && !more && !tunnel->blocked)
        tunnel_linger(tunnel);
    return more && !tunnel->blocked;
}
