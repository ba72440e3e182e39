// SPDX-License-Identifier: GPL-2.0-or-later
// Each question by TCP has a connection of its own: servers answer those of one connection one after the other, or close it
// behind the first, and what is asked so is rare.
#include "edge/names/framed.h"
#include "edge/names/internal.h"

#include "base/memory.h"
#include "os/random.h"

#include <stdlib.h>

struct stream {
    struct names_flow flow;          // first
    struct names_question *question; // NULL: it has its answer, or was given up
    struct names_framed framed;
};

static void release(struct names_flow *flow)
{
    struct stream *stream = (struct stream *)flow;
    list_remove(&flow->opening.timed.node);
    list_remove(&flow->node);
    names_framed_fini(&stream->framed);
    free(stream);
}

static struct names_question *detach(struct stream *stream)
{
    struct names_question *question = stream->question;
    stream->question = NULL;
    if (question)
        question->asking = NULL;
    return question;
}

static void finish(struct stream *stream)
{
    names_wait(stream->flow.names, &stream->flow.opening.timed, NAMES_WAIT_STREAM);
    usher_session_finish(stream->flow.opening.session);
}

static void refused(struct names_flow *flow)
{
    struct names *names = flow->names;
    struct names_question *question = detach((struct stream *)flow);
    release(flow);
    if (question)
        names->failed(question, true);
}

static void ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct stream *stream = owner;
    struct names *names = stream->flow.names;
    struct names_question *question = detach(stream);
    (void)word;
    (void)text;
    if (ending == USHER_ENDED_REFUSED)
        names->servers[stream->flow.server].tcp_until = uv_now(names->config.loop) + NAMES_REFUSED_MS;
    release(&stream->flow);
    if (question)
        names->failed(question, false);
}

static void opened(void *owner)
{
    const struct stream *stream = owner;
    usher_session_ready(stream->flow.opening.session);
}

static size_t fill(void *owner, uint8_t *room, size_t size)
{
    struct stream *stream = owner;
    const struct names_question *question = stream->question;
    if (!question)
        return 0;
    size_t len = names_framed_next(&stream->framed, question->bytes, question->len, room, size);
    stream->framed.sent += len;
    return len;
}

static void came(void *owner, const struct slice *slice)
{
    struct stream *stream = owner;
    struct names *names = stream->flow.names;
    usher_session_consumed(stream->flow.opening.session, slice->len);
    if (!stream->question || !names_framed_take(&stream->framed, slice->bytes, slice->len))
        return;
    struct names_question *question = detach(stream);
    finish(stream);
    if (!names->heard(question, stream->framed.answer, names_framed_len(&stream->framed)))
        names->failed(question, false);
}

// The server has closed it. What it has not answered by now it never will.
static void finished(void *owner)
{
    struct stream *stream = owner;
    struct names *names = stream->flow.names;
    struct names_question *question = detach(stream);
    if (!question)
        return;
    finish(stream);
    names->failed(question, false);
}

static const struct usher_session_ops session_ops = {
    .opened = opened, .fill = fill, .data = came, .finished = finished, .ended = ended};
static const struct names_flow_kind kind = {
    .protocol = USHER_TCP, .ops = &session_ops, .refused = refused, .release = release};

static bool ask(struct names_question *question, size_t server)
{
    struct names *names = question->client->names;
    if (uv_now(names->config.loop) < names->servers[server].tcp_until)
        return false;
    struct stream *stream = memory_new(sizeof *stream);
    stream->flow.kind = &kind;
    stream->flow.names = names;
    stream->flow.server = server;
    stream->flow.opening.timed.own = (uint32_t)(uv_now(names->config.loop) / 1000);
    stream->question = question;
    list_init(&stream->flow.opening.timed.node);
    list_push_back(&names->flows, &stream->flow.node);
    question->asking = stream;
    question->id = (uint16_t)random_number();
    dns_set_id(question->bytes, question->id);
    edge_open(&names->edge, &stream->flow.opening);
    return true;
}

static void drop(struct names_question *question)
{
    struct stream *stream = question->asking;
    struct usher_session *session = stream->flow.opening.session;
    detach(stream);
    release(&stream->flow);
    if (session)
        usher_session_reset(session, USHER_TIMEOUT, "no answer");
}

static bool is_held(const struct names_question *question)
{
    return !((const struct stream *)question->asking)->flow.opening.session;
}

const struct names_way names_far_tcp = {.tcp = true, .ask = ask, .drop = drop, .is_held = is_held};

void names_stream_over(struct names *names, struct timed *timed)
{
    struct names_flow *flow = container_of(timed, struct names_flow, opening.timed);
    struct usher_session *session = flow->opening.session;
    (void)names;
    release(flow);
    usher_session_reset(session, USHER_TIMEOUT, "close was not answered");
}
