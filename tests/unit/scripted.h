// SPDX-License-Identifier: GPL-2.0-or-later
// An engine on a script: tests feed it records by name and read what it says, and what it tells the edges, as text.
//
//     what it pulls       "open 2; reply 1 = 1; reply 1 refused: no; send 2 [5]; ack 2 +65535; read 2; rst 2 failed: x"
//     what an edge hears  "opened data[5] finished ended(closed)"
#ifndef TESTS_SCRIPTED_H
#define TESTS_SCRIPTED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/chunk.h"
#include "base/memory.h"
#include "usher/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
    char text[16384];
};

// One session's edge. Tests set what it does; the log says what it was told.
struct edge {
    struct usher_session *session;
    struct text log;
    size_t to_send;            // bytes that `fill` still gives
    bool finish_in_fill;       // end-of-file is noticed in the same call as the last byte
    bool finish_empty_in_fill; // the same, and that nothing is behind it
    bool consume;              // at once
    bool reset_in_data;
    bool reset_in_fill;
    bool reset_in_finished;
    struct edge *resets_other; // from within its own `data`
};

enum answer { ANSWER_LATER, ANSWER_ACCEPT, ANSWER_REFUSE, ANSWER_IGNORE };

enum { SCRIPT_EDGES = 64 };

struct script {
    struct usher_engine *engine;
    struct chunk_pool *chunks;
    usec_t now;
    enum answer answer; // to the peer's opens
    unsigned wakes;
    enum usher_status status;
    struct edge edges[SCRIPT_EDGES]; // of the peer's opens, in order
    size_t edge_count;
    struct usher_open last_open;
    struct text pulled;
};

static inline __attribute__((format(printf, 3, 4))) void text_add(struct text *text, const char *between,
                                                                  const char *format, ...)
{
    size_t len = strlen(text->text);
    va_list args;
    if (len > 0)
        len += (size_t)snprintf(text->text + len, sizeof text->text - len, "%s", between);
    va_start(args, format);
    vsnprintf(text->text + len, sizeof text->text - len, format, args);
    va_end(args);
}

// The edge

static inline void edge_opened(void *owner)
{
    struct edge *edge = owner;
    text_add(&edge->log, " ", "opened");
}

static inline size_t edge_fill(void *owner, uint8_t *room, size_t size)
{
    struct edge *edge = owner;
    size_t len = edge->to_send < size ? edge->to_send : size;
    memset(room, 'x', len);
    edge->to_send -= len;
    if (edge->to_send == 0 && edge->finish_in_fill)
        usher_session_finish(edge->session);
    if (edge->to_send == 0 && edge->finish_empty_in_fill)
        usher_session_finish_empty(edge->session);
    if (edge->reset_in_fill)
        usher_session_reset(edge->session, USHER_FAILED, "in fill");
    return len;
}

static inline void edge_data(void *owner, const struct slice *slice)
{
    struct edge *edge = owner;
    text_add(&edge->log, " ", "data[%u]", slice->len);
    if (edge->consume)
        usher_session_consumed(edge->session, slice->len);
    if (edge->resets_other)
        usher_session_reset(edge->resets_other->session, USHER_FAILED, "by another");
    if (edge->reset_in_data)
        usher_session_reset(edge->session, USHER_FAILED, "in data");
}

static inline void edge_datagram(void *owner, const struct usher_datagram *datagram)
{
    struct edge *edge = owner;
    char from[ENDPOINT_TEXT_SIZE];
    text_add(&edge->log, " ", "datagram[%zu]", datagram->len);
    if (datagram->from.addr.version != 0)
        text_add(&edge->log, " ", "from %s", endpoint_text(&datagram->from, from));
}

static inline void edge_finished(void *owner)
{
    struct edge *edge = owner;
    text_add(&edge->log, " ", "finished");
    if (edge->reset_in_finished)
        usher_session_reset(edge->session, USHER_FAILED, "in finished");
}

static inline void edge_stop_sending(void *owner)
{
    struct edge *edge = owner;
    text_add(&edge->log, " ", "stop_sending");
}

static inline void edge_ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    static const char *const endings[] = {"closed", "refused", "reset", "lost"};
    struct edge *edge = owner;
    char reason[USHER_REASON_MAX + 1];
    if (ending == USHER_ENDED_CLOSED || ending == USHER_ENDED_LOST)
        text_add(&edge->log, " ", "ended(%s)", endings[ending]);
    else
        text_add(&edge->log, " ", "ended(%s %s)", endings[ending],
                 usher_reason_write(reason, sizeof reason, word, text));
}

static const struct usher_session_ops edge_ops = {
    .opened = edge_opened,
    .fill = edge_fill,
    .data = edge_data,
    .datagram = edge_datagram,
    .finished = edge_finished,
    .stop_sending = edge_stop_sending,
    .ended = edge_ended,
};

// The engine

static inline void script_opened(void *owner, struct usher_session *session, const struct usher_open *open)
{
    struct script *script = owner;
    struct edge *edge = &script->edges[script->edge_count++ % SCRIPT_EDGES];
    script->last_open = *open;
    if (script->answer == ANSWER_IGNORE)
        return;
    edge->session = session;
    usher_session_attach(session, &edge_ops, edge);
    if (script->answer == ANSWER_ACCEPT)
        usher_session_accept(session);
    if (script->answer == ANSWER_REFUSE)
        usher_session_refuse(session, USHER_DENIED, "by rule");
}

static inline void script_wake(void *owner)
{
    struct script *script = owner;
    script->wakes++;
}

static const struct usher_engine_ops script_ops = {.opened = script_opened, .wake = script_wake};

// What most tests want: a TLS client with heartbeat, so that our ids are even and the peer's odd.
static inline struct usher_engine_config script_config(void)
{
    return (struct usher_engine_config){
        .extended = true,
        .max_sessions = 100,
        .max_unanswered = 50,
        .window_budget = 64 * 1024 * 1024,
        .window_max = USHER_WINDOW_MAX,
    };
}

static inline struct script *script_new(const struct usher_engine_config *config)
{
    struct script *script = memory_new(sizeof *script);
    script->now = 1000 * USEC_PER_SEC;
    script->chunks = chunk_pool_new(4);
    script->engine = usher_engine_new(config, &script_ops, script, script->now);
    assert_non_null(script->engine);
    return script;
}

static inline void script_free(struct script *script)
{
    usher_engine_free(script->engine);
    chunk_pool_free(script->chunks);
    free(script);
}

static inline void feed(struct script *script, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        struct chunk *chunk = chunk_new(script->chunks);
        uint32_t part = len < CHUNK_SIZE ? (uint32_t)len : CHUNK_SIZE;
        memcpy(chunk->bytes, bytes, part);
        struct slice slice = {.chunk = chunk, .bytes = chunk->bytes, .len = part};
        script->status = usher_engine_feed(script->engine, &slice, script->now);
        chunk_drop(chunk);
        bytes += part;
        len -= part;
    }
}

#define FEED(script, encode)                                                                                           \
    do {                                                                                                               \
        uint8_t feed_bytes[1024];                                                                                      \
        struct writer w = writer_over(feed_bytes, sizeof feed_bytes);                                                  \
        encode;                                                                                                        \
        assert_false(w.failed);                                                                                        \
        feed(script, feed_bytes, (size_t)(w.at - feed_bytes));                                                         \
    } while (0)

static inline struct usher_open open_to(uint16_t protocol)
{
    return (struct usher_open){.protocol = protocol, .port = 80, .addr = {.version = 4, .bytes = {10, 0, 0, 1}}};
}

static inline void feed_open(struct script *script, uint16_t id, uint16_t protocol)
{
    struct usher_open open = open_to(protocol);
    FEED(script, record_open_encode(&w, id, &open));
}

static inline void feed_reply(struct script *script, uint16_t id, uint16_t rc, const char *reason)
{
    FEED(script, record_open_reply_encode(&w, id, rc, reason));
}

static inline void feed_close(struct script *script, uint16_t id, enum usher_direction direction)
{
    FEED(script, record_close_encode(&w, id, direction));
}

static inline void feed_ack(struct script *script, uint16_t id, uint16_t size)
{
    FEED(script, record_ack_encode(&w, id, size));
}

static inline void feed_rst(struct script *script, uint16_t id, const char *reason)
{
    FEED(script, record_rst_encode(&w, id, reason));
}

static inline void feed_datagram(struct script *script, uint16_t id, const struct usher_datagram *datagram)
{
    FEED(script, record_send_udp_encode(&w, id, datagram));
}

static inline void feed_send(struct script *script, uint16_t id, size_t len)
{
    uint8_t *bytes = memory_new(USHER_HEADER_SIZE + len);
    struct writer w = writer_over(bytes, USHER_HEADER_SIZE);
    record_send_header_encode(&w, id, len);
    feed(script, bytes, USHER_HEADER_SIZE + len);
    free(bytes);
}

static inline void describe(struct text *out, const struct record_header *header, const uint8_t *body)
{
    static const char *const directions[] = {"read", "write", "both"};
    unsigned value = (unsigned)(header->length >= 2 ? body[0] << 8 | body[1] : 0);
    const char *text = (const char *)body;
    switch ((enum record_type)header->type) {
    case RECORD_OPEN:
        text_add(out, "; ", "open %u", header->session);
        break;
    case RECORD_OPEN_REPLY:
        if (value == USHER_ID_NONE)
            text_add(out, "; ", "reply %u %s", header->session, text + 2);
        else
            text_add(out, "; ", "reply %u = %u", header->session, value);
        break;
    case RECORD_CLOSE:
        text_add(out, "; ", "%s %u", directions[value], header->session);
        break;
    case RECORD_SEND:
        text_add(out, "; ", "send %u [%u]", header->session, header->length);
        break;
    case RECORD_SEND_UDP:
        text_add(out, "; ", "datagram %u [%u]", header->session, header->length - USHER_DATAGRAM_FIXED);
        break;
    case RECORD_ACK:
        text_add(out, "; ", "ack %u +%u", header->session, value);
        break;
    case RECORD_END:
        text_add(out, "; ", "end %s", text);
        break;
    case RECORD_RST:
        text_add(out, "; ", "rst %u %s", header->session, text);
        break;
    }
}

// Pulls once into a room of `size` bytes and describes the records, which must be whole.
static inline const char *pull_into(struct script *script, size_t size)
{
    uint8_t *room = memory_new(size);
    size_t len = usher_engine_pull(script->engine, room, size, script->now);
    struct record_header header;
    script->pulled.text[0] = '\0';
    for (size_t at = 0; at < len; at += USHER_HEADER_SIZE + header.length) {
        assert_true(record_header_decode(&header, room + at));
        assert_true(at + USHER_HEADER_SIZE + header.length <= len);
        describe(&script->pulled, &header, room + at + USHER_HEADER_SIZE);
    }
    free(room);
    return script->pulled.text;
}

static inline const char *pull(struct script *script)
{
    return pull_into(script, CHUNK_SIZE);
}

// Sessions

static inline struct edge *open_session(struct script *script, struct edge *edge, uint16_t protocol)
{
    struct usher_open open = open_to(protocol);
    edge->session = usher_session_open(script->engine, &open, &edge_ops, edge);
    assert_non_null(edge->session);
    return edge;
}

// Our own open with id `id`, answered: active.
static inline void open_active(struct script *script, struct edge *edge, uint16_t id)
{
    open_session(script, edge, USHER_TCP);
    pull(script);
    feed_reply(script, id, id, "");
    edge->log.text[0] = '\0';
}

// The peer's open, accepted and answered on the wire: active.
static inline struct edge *accept_active(struct script *script, uint16_t id, uint16_t protocol)
{
    enum answer before = script->answer;
    struct edge *edge = &script->edges[script->edge_count % SCRIPT_EDGES];
    script->answer = ANSWER_ACCEPT;
    feed_open(script, id, protocol);
    script->answer = before;
    pull(script);
    return edge;
}

#endif
