// SPDX-License-Identifier: GPL-2.0-or-later
// A failed send is no reason to stop reading: the peer may have said why before it closed.
#include "link/lane/pump.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

void pump_init(struct pump *pump, uv_loop_t *loop, int fd, struct tls *tls, void (*readable)(void *owner), void *owner)
{
    *pump = (struct pump){.fd = fd, .tls = tls, .readable = readable, .owner = owner};
    pump->poll.data = pump;
    int result = uv_poll_init(loop, &pump->poll, fd);
    assert(result == 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct pump *pump = poll->data;
    // libuv stops watching a socket that has failed. What it received before is read first, then the error is met.
    if (status < 0)
        pump->armed = 0;
    if (events & UV_WRITABLE)
        pump->blocked = pump->send_error != 0;
    if (status < 0 || (events & UV_READABLE))
        pump->readable(pump->owner);
}

// epoll is told only when that changes.
void pump_arm(struct pump *pump)
{
    int events = UV_READABLE | (pump->blocked ? UV_WRITABLE : 0);
    if (events == pump->armed)
        return;
    int result = uv_poll_start(&pump->poll, events, on_poll);
    assert(result == 0);
    pump->armed = events;
}

void pump_disarm(struct pump *pump)
{
    uv_poll_stop(&pump->poll);
    pump->armed = 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct pump *pump = handle->data;
    pump->closed(pump->owner);
}

struct tls *pump_close(struct pump *pump, void (*closed)(void *owner))
{
    pump_disarm(pump);
    close(pump->fd);
    pump->closed = closed;
    uv_close((uv_handle_t *)&pump->poll, on_closed);
    return pump->tls;
}

static enum pump_result judge(struct pump *pump, ssize_t got)
{
    if (got > 0)
        return PUMP_MOVED;
    if (got == 0)
        return PUMP_CLOSED;
    if (errno == EAGAIN || errno == EINTR)
        return PUMP_NOTHING;
    pump->error = errno;
    return PUMP_FAILED;
}

enum pump_result pump_receive(struct pump *pump)
{
    size_t room;
    uint8_t *at = tls_input_room(pump->tls, &room);
    // No room is left only while earlier input waits to be decrypted, which goes first.
    if (room == 0)
        return PUMP_NOTHING;
    ssize_t got = recv(pump->fd, at, room, MSG_DONTWAIT);
    if (got > 0)
        tls_input_added(pump->tls, (size_t)got);
    return judge(pump, got);
}

enum pump_result pump_discard(struct pump *pump)
{
    uint8_t waste[CHUNK_SIZE];
    return judge(pump, recv(pump->fd, waste, sizeof waste, MSG_DONTWAIT));
}

enum pump_result pump_send(struct pump *pump)
{
    size_t len;
    const uint8_t *bytes = tls_output(pump->tls, &len);
    if (len == 0)
        return PUMP_NOTHING;
    ssize_t sent = send(pump->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        pump->send_error = errno;
    if (sent > 0)
        tls_output_taken(pump->tls, (size_t)sent);
    pump->blocked = sent < (ssize_t)len;
    return sent > 0 ? PUMP_MOVED : PUMP_NOTHING;
}

enum tls_result pump_decrypt(struct pump *pump, struct chunk_pool *chunks, struct slice *slice)
{
    size_t len;
    struct chunk *chunk = chunk_new(chunks);
    enum tls_result result = tls_read(pump->tls, chunk->bytes, CHUNK_SIZE, &len);
    *slice = (struct slice){.chunk = chunk, .bytes = chunk->bytes, .len = (uint32_t)len};
    if (result != TLS_OK)
        chunk_drop(chunk);
    return result;
}
