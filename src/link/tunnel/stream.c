// SPDX-License-Identifier: GPL-2.0-or-later
// Confirmations are records of the stream: they are counted, kept and sent again like all others. So the sum of those that
// have come is exact at every place of the stream, and a greeting, which stands outside of it, only runs ahead of them.
#include "link/tunnel/stream.h"

#include "base/memory.h"
#include "usher/control.h"

#include <stdlib.h>
#include <string.h>

// A record that is no part of the stream: UsherSend for session 0, with one message in it.
struct greeting {
    uint8_t head[USHER_HEADER_SIZE];
    uint32_t head_len;
    struct control_reader reader;
};

void stream_init(struct stream *stream, size_t limit)
{
    *stream = (struct stream){0};
    ring_init(&stream->ring, limit);
}

static void greeting_done(struct stream *stream)
{
    free(stream->greeting);
    stream->greeting = NULL;
}

void stream_fini(struct stream *stream)
{
    ring_fini(&stream->ring);
    greeting_done(stream);
}

void stream_begin(struct stream *stream, struct usher_engine *engine, uint32_t max_sessions, bool kept)
{
    stream->engine = engine;
    stream->max_sessions = max_sessions;
    stream->undecided = kept && stream->ring.keep;
    if (!stream->undecided)
        ring_keep_no_more(&stream->ring);
}

void stream_decide(struct stream *stream, bool confirmed)
{
    if (stream->undecided && !confirmed)
        ring_keep_no_more(&stream->ring);
    stream->undecided = false;
}

bool stream_can_go_on(const struct stream *stream)
{
    return stream->ring.keep && !stream->undecided;
}

bool stream_is_greeting(const struct stream *stream)
{
    return stream->greeting;
}

void stream_go_on(struct stream *stream)
{
    greeting_done(stream);
    stream->greeting = memory_new(sizeof *stream->greeting);
    stream->greeting_due = true;
}

// What comes

static bool ends_badly(struct stream *stream, const char *what)
{
    usher_engine_end(stream->engine, what);
    stream->greeting_due = false;
    greeting_done(stream); // so that UsherEnd goes out
    return false;
}

static bool take_hello(struct stream *stream, const struct control_message *message)
{
    struct control_hello hello;
    struct ring *ring = &stream->ring;
    if (message->type != CONTROL_HELLO || !control_hello_decode(&hello, message) || !hello.continues)
        return ends_badly(stream, "protocol error: a connection that goes on did not begin with hello");
    if (hello.taken < ring->confirmed || !ring_confirm(ring, hello.taken - ring->confirmed))
        return ends_badly(stream, "protocol error: more records taken than sent");
    ring_rewind(ring);
    greeting_done(stream);
    return true;
}

static void advance(struct slice *in, uint32_t len)
{
    in->bytes += len;
    in->len -= len;
}

// Whether the header is there.
static bool gather_head(struct greeting *greeting, struct slice *in)
{
    uint32_t left = USHER_HEADER_SIZE - greeting->head_len;
    uint32_t len = left < in->len ? left : in->len;
    memcpy(greeting->head + greeting->head_len, in->bytes, len);
    greeting->head_len += len;
    advance(in, len);
    return greeting->head_len == USHER_HEADER_SIZE;
}

static bool is_greeting(const struct record_header *header)
{
    return header->type == RECORD_SEND && header->session == 0;
}

// False when there is nothing to be fed, for now or any more.
static bool take_greeting(struct stream *stream, struct slice *in)
{
    struct greeting *greeting = stream->greeting;
    struct record_header header;
    struct control_message message;
    if (!gather_head(greeting, in))
        return false;
    if (!record_header_decode(&header, greeting->head) || !is_greeting(&header))
        return ends_badly(stream, "protocol error: a connection that goes on did not begin with hello");
    struct reader bytes = reader_over(in->bytes, in->len);
    enum control_read read = control_read(&greeting->reader, &bytes, &message);
    advance(in, in->len - (uint32_t)reader_left(&bytes));
    if (read == CONTROL_PARTIAL)
        return false;
    if (read == CONTROL_TOO_LONG || (uint32_t)message.length + CONTROL_HEADER_SIZE != header.length)
        return ends_badly(stream, "protocol error: a greeting of the wrong length");
    return take_hello(stream, &message);
}

enum usher_status stream_feed(struct stream *stream, const struct slice *in, usec_t now)
{
    struct slice rest = *in;
    if (stream->greeting && !take_greeting(stream, &rest))
        rest.len = 0;
    return usher_engine_feed(stream->engine, &rest, now);
}

bool stream_confirmed(struct stream *stream, uint16_t records)
{
    struct ring *ring = &stream->ring;
    stream->said += records;
    if (!ring->keep || stream->said <= ring->confirmed)
        return true;
    return ring_confirm(ring, stream->said - ring->confirmed);
}

// What goes

static const uint8_t *greet(struct stream *stream, size_t *len)
{
    const struct control_hello hello = {
        .can = CONTROL_CAN_CONFIRM,
        .sessions = stream->max_sessions,
        .version = "",
        .continues = true,
        .taken = usher_engine_taken(stream->engine),
    };
    struct writer w = writer_over(stream->out, sizeof stream->out);
    w.at += USHER_HEADER_SIZE;
    control_hello_encode(&w, &hello);
    *len = (size_t)(w.at - stream->out);
    w = writer_over(stream->out, USHER_HEADER_SIZE);
    record_send_header_encode(&w, 0, *len - USHER_HEADER_SIZE);
    stream->greeting_due = false;
    return stream->out;
}

// What is to be pulled now.
static enum ring_use use_now(const struct stream *stream)
{
    bool full = !ring_has_room(&stream->ring, RING_ANY);
    return full && usher_engine_has_confirmation(stream->engine) ? RING_CONFIRMATION : RING_ANY;
}

static const uint8_t *pull_new(struct stream *stream, size_t most, size_t *len, usec_t now)
{
    enum ring_use use = use_now(stream);
    size_t size;
    uint8_t *room = ring_room(&stream->ring, use, &size);
    if (!room)
        return NULL;
    size = size < most ? size : most;
    if (use == RING_ANY)
        *len = usher_engine_pull(stream->engine, room, size, now);
    else
        *len = usher_engine_pull_confirmation(stream->engine, room, size, now);
    if (*len == 0)
        return NULL;
    ring_added(&stream->ring, *len);
    return room;
}

// Nothing but a greeting goes before the peer's has come.
const uint8_t *stream_pull(struct stream *stream, size_t most, size_t *len, usec_t now)
{
    if (stream->greeting_due)
        return greet(stream, len);
    if (stream->greeting)
        return NULL;
    if (ring_is_behind(&stream->ring))
        return ring_next(&stream->ring, len);
    return pull_new(stream, most, len, now);
}

bool stream_has_more(const struct stream *stream)
{
    if (stream->greeting_due || stream->greeting)
        return stream->greeting_due;
    if (ring_is_behind(&stream->ring))
        return true;
    return ring_has_room(&stream->ring, use_now(stream)) && usher_engine_has_work(stream->engine);
}
