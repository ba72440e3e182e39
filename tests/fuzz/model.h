// SPDX-License-Identifier: GPL-2.0-or-later
// The edge that the fuzzers put on an engine: it does whatever the input says, within the contract of usher/session.h,
// and aborts when the engine breaks its own side of it.
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include "base/chunk.h"
#include "base/memory.h"
#include "usher/engine.h"

#include <stdlib.h>
#include <string.h>

enum { MODEL_FLOWS = 64 };

struct model_flow {
    struct usher_session *session; // NULL: not ours (any more)
    bool answered;                 // by us, or by the peer
    bool incoming;
    bool stream;
    bool finished;
    uint64_t held;
    uint32_t to_send;
};

struct model {
    struct usher_engine *engine;
    struct chunk_pool *chunks;
    struct model_flow flows[MODEL_FLOWS];
    uint64_t window_budget;
    uint64_t held_budget; // 0: any
    uint8_t mood;         // what callbacks do, drawn from the input
    usec_t now;
};

static inline void require(bool condition)
{
    if (!condition)
        abort();
}

static inline void model_forget(struct model_flow *flow)
{
    *flow = (struct model_flow){0};
}

static inline void model_reset(struct model_flow *flow)
{
    usher_session_reset(flow->session, USHER_FAILED, "model");
    model_forget(flow);
}

// Owners are flows; each knows its model by where it stands.
static inline void model_opened(void *owner)
{
    struct model_flow *flow = owner;
    require(flow->session && !flow->incoming && !flow->answered);
    flow->answered = true;
}

static inline size_t model_fill(void *owner, uint8_t *room, size_t size)
{
    struct model_flow *flow = owner;
    size_t len = flow->to_send < size ? flow->to_send : size;
    require(flow->session && flow->stream && flow->answered && size > 0);
    require(size <= usher_session_send_room(flow->session));
    memset(room, 'm', len);
    flow->to_send -= (uint32_t)len;
    return len;
}

static inline void model_data(void *owner, const struct slice *slice)
{
    struct model_flow *flow = owner;
    require(flow->session && flow->stream && flow->answered && !flow->finished && slice->len > 0);
    flow->held += slice->len;
    require(flow->held <= USHER_WINDOW_MAX);
    if (slice->bytes[0] == 'R')
        model_reset(flow);
}

static inline void model_datagram(void *owner, const struct usher_datagram *datagram)
{
    struct model_flow *flow = owner;
    require(flow->session && !flow->stream && flow->answered && !flow->finished);
    require(datagram->len <= USHER_DATAGRAM_MAX);
    if (datagram->len > 0 && datagram->bytes[0] == 'R')
        model_reset(flow);
}

static inline void model_finished(void *owner)
{
    struct model_flow *flow = owner;
    require(flow->session && flow->answered && !flow->finished);
    flow->finished = true;
}

static inline void model_ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct model_flow *flow = owner;
    require(flow->session && text && word < USHER_WORDS);
    require(ending != USHER_ENDED_REFUSED || (!flow->incoming && !flow->answered));
    require(ending != USHER_ENDED_CLOSED || flow->answered);
    model_forget(flow);
}

static const struct usher_session_ops model_session_ops = {
    .opened = model_opened,
    .fill = model_fill,
    .data = model_data,
    .datagram = model_datagram,
    .finished = model_finished,
    .ended = model_ended,
};

static inline struct model_flow *model_free_flow(struct model *model)
{
    for (size_t i = 0; i < MODEL_FLOWS; i++)
        if (!model->flows[i].session)
            return &model->flows[i];
    return NULL;
}

static inline void model_accept(struct model_flow *flow)
{
    flow->answered = true;
    usher_session_accept(flow->session);
}

static inline void model_on_open(void *owner, struct usher_session *session, const struct usher_open *open)
{
    struct model *model = owner;
    struct model_flow *flow = model_free_flow(model);
    if (!flow || model->mood % 8 == 0)
        return;
    *flow = (struct model_flow){
        .session = session, .incoming = true, .stream = open->protocol == USHER_TCP || open->protocol == USHER_CONTROL};
    usher_session_attach(session, &model_session_ops, flow);
    if (model->mood % 4 == 1) {
        usher_session_refuse(session, USHER_DENIED, "model");
        model_forget(flow);
    } else if (model->mood % 4 == 2) {
        model_accept(flow);
    }
}

static inline void model_on_wake(void *owner)
{
    (void)owner;
}

static const struct usher_engine_ops model_engine_ops = {.opened = model_on_open, .wake = model_on_wake};

static inline void model_init(struct model *model, bool server, uint8_t config)
{
    *model = (struct model){.now = USEC_PER_SEC, .mood = 2};
    struct usher_engine_config engine = {
        .server = server,
        .extended = config & 1,
        .max_sessions = config & 2 ? 5 : 60,
        .max_unanswered = config & 4 ? 2 : 60,
        .opens_per_sec = config & 8 ? 5 : 0,
        .opens_burst = 5,
        .window_budget = config & 16 ? 300 * 1000 : 64 << 20,
        .window_max = config & 32 ? USHER_WINDOW_START : USHER_WINDOW_MAX,
        .held_budget = config & 128 ? 2000 : 0,
    };
    model->window_budget = engine.window_budget;
    model->held_budget = engine.held_budget;
    model->chunks = chunk_pool_new(2);
    model->engine = usher_engine_new(&engine, &model_engine_ops, model, model->now);
}

// Every session has had its last word afterwards.
static inline void model_fini(struct model *model)
{
    usher_engine_free(model->engine);
    for (size_t i = 0; i < MODEL_FLOWS; i++)
        require(!model->flows[i].session);
    chunk_pool_free(model->chunks);
}

static inline uint64_t model_held(const struct model *model)
{
    uint64_t held = 0;
    for (size_t i = 0; i < MODEL_FLOWS; i++)
        held += model->flows[i].held;
    return held;
}

// In a block of exactly its size, which is gone afterwards.
static inline enum usher_status model_feed(struct model *model, const uint8_t *bytes, size_t len)
{
    enum usher_status status = USHER_RUNNING;
    while (len > 0) {
        uint32_t part = len < CHUNK_SIZE ? (uint32_t)len : CHUNK_SIZE;
        struct chunk *chunk = malloc(sizeof *chunk + part);
        *chunk = (struct chunk){.refs = 2, .size = part}; // never handed to a pool
        memcpy(chunk->bytes, bytes, part);
        struct slice slice = {.chunk = chunk, .bytes = chunk->bytes, .len = part};
        status = usher_engine_feed(model->engine, &slice, model->now);
        require(chunk->refs == 2);
        free(chunk);
        bytes += part;
        len -= part;
    }
    require(usher_engine_window_used(model->engine) <= model->window_budget);
    require(model->held_budget == 0 || model_held(model) <= model->held_budget);
    return status;
}

static inline size_t model_pull(struct model *model, uint8_t *room, size_t size)
{
    bool had_work = usher_engine_has_work(model->engine);
    size_t len = usher_engine_pull(model->engine, room, size, model->now);
    require(len <= size && (len == 0 || had_work));
    require(len > 0 || !usher_engine_has_work(model->engine));
    return len;
}

static inline void model_open(struct model *model, uint8_t how)
{
    struct usher_open open = {.protocol = how & 1 ? USHER_UDP : USHER_TCP, .port = how, .by_name = how & 2};
    struct model_flow *flow = model_free_flow(model);
    open.addr = (struct address){.version = how & 4 ? 6 : 4, .bytes = {10, 0, 0, how}};
    if (!flow)
        return;
    flow->stream = open.protocol == USHER_TCP;
    flow->session = usher_session_open(model->engine, &open, &model_session_ops, flow);
    if (!flow->session)
        model_forget(flow);
}

static inline void model_answer(struct model_flow *flow, uint8_t how)
{
    if (!flow->incoming || flow->answered)
        return;
    if (how & 1) {
        model_accept(flow);
    } else {
        usher_session_refuse(flow->session, USHER_LIMIT, "model");
        model_forget(flow);
    }
}

static inline void model_send_datagram(struct model_flow *flow, uint8_t how)
{
    static const uint8_t bytes[USHER_DATAGRAM_MAX];
    struct usher_datagram datagram = {.bytes = bytes, .len = (size_t)how * how};
    usher_session_datagram(flow->session, &datagram);
}

// One thing that an edge may do, to the flow and in the way that the input says.
static inline void model_act(struct model *model, uint8_t what, uint8_t which, uint8_t how)
{
    struct model_flow *flow = &model->flows[which % MODEL_FLOWS];
    bool waits = flow->incoming && !flow->answered;
    model->mood = how;
    if (what % 8 == 0 || !flow->session) {
        model_open(model, how);
        return;
    }
    switch (what % 8) {
    case 1:
        model_answer(flow, how);
        break;
    case 2:
        model_reset(flow);
        break;
    case 3:
        if (!waits)
            usher_session_finish(flow->session);
        break;
    case 4:
        if (!waits)
            usher_session_close(flow->session);
        break;
    case 5:
        flow->to_send += (uint32_t)how << 10;
        usher_session_ready(flow->session);
        break;
    case 6:
        usher_session_consumed(flow->session, flow->stream ? flow->held : 0);
        flow->held = 0;
        break;
    default:
        model_send_datagram(flow, how);
    }
}

#endif
