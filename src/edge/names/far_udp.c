// SPDX-License-Identifier: GPL-2.0-or-later
// To each server goes one association, opened for the first question and kept for as long as others follow. Which answer
// belongs to which question is told by its id, drawn at random.
#include "edge/names/internal.h"

#include "base/memory.h"
#include "os/random.h"

#include <stdlib.h>

struct names_line {
    struct names_flow flow; // first
    struct table by_id;
    struct list questions;
    bool open; // the peer has answered
};

static struct names_question *question_of(struct list *node)
{
    return container_of(node, struct names_question, in_line);
}

static void release(struct names_flow *flow)
{
    struct names_line *line = (struct names_line *)flow;
    struct names_far *far = &flow->names->servers[flow->server];
    if (far->line == line)
        far->line = NULL;
    list_remove(&flow->opening.timed.node);
    list_remove(&flow->node);
    table_fini(&line->by_id);
    free(line);
}

static void detach(struct names_line *line, struct names_question *question)
{
    table_remove(&line->by_id, &question->by_id);
    list_remove(&question->in_line);
    question->asking = NULL;
}

// All that it was asked goes on elsewhere, or nowhere. It is not there any more for what begins within.
static void fail_all(struct names_line *line, bool for_good)
{
    struct names *names = line->flow.names;
    struct list questions;
    list_init(&questions);
    for (struct list *node; (node = line->questions.next) != &line->questions;) {
        detach(line, question_of(node));
        list_push_back(&questions, node);
    }
    release(&line->flow);
    for (struct list *node; (node = list_pop_front(&questions));)
        names->failed(question_of(node), for_good);
}

static void refused(struct names_flow *flow)
{
    fail_all((struct names_line *)flow, true);
}

static void ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct names_line *line = owner;
    struct names *names = line->flow.names;
    (void)word;
    (void)text;
    line->flow.opening.session = NULL;
    if (ending == USHER_ENDED_REFUSED || ending == USHER_ENDED_RESET)
        names->servers[line->flow.server].udp_until = uv_now(names->config.loop) + NAMES_REFUSED_MS;
    fail_all(line, false);
}

static void pass(struct names_line *line, struct names_question *question)
{
    const struct usher_datagram datagram = {
        .from = line->flow.names->config.addresses[0],
        .to = *names_server(&line->flow),
        .bytes = question->bytes,
        .len = question->len,
    };
    question->sent = true;
    usher_session_datagram(line->flow.opening.session, &datagram);
}

static void opened(void *owner)
{
    struct names_line *line = owner;
    line->open = true;
    list_for_each(node, &line->questions)
        pass(line, question_of(node));
    if (list_is_empty(&line->questions))
        names_wait(line->flow.names, &line->flow.opening.timed, NAMES_WAIT_SPARE);
}

static bool is_from(const struct names_line *line, const struct usher_datagram *datagram)
{
    return datagram->from.addr.version == 0 || endpoint_equal(&datagram->from, names_server(&line->flow));
}

static void came(void *owner, const struct usher_datagram *datagram)
{
    struct names_line *line = owner;
    if (datagram->len < DNS_HEADER_SIZE || !is_from(line, datagram))
        return;
    struct table_node *node = table_first(&line->by_id, dns_id(datagram->bytes));
    if (node)
        line->flow.names->heard(container_of(node, struct names_question, by_id), datagram->bytes, datagram->len);
}

static const struct usher_session_ops session_ops = {.opened = opened, .datagram = came, .ended = ended};
static const struct names_flow_kind kind = {
    .protocol = USHER_UDP, .ops = &session_ops, .refused = refused, .release = release};

static struct names_line *line_to(struct names *names, size_t server)
{
    struct names_far *far = &names->servers[server];
    if (far->line)
        return far->line;
    struct names_line *line = memory_new(sizeof *line);
    line->flow.kind = &kind;
    line->flow.names = names;
    line->flow.server = server;
    list_init(&line->flow.opening.timed.node);
    list_push_back(&names->flows, &line->flow.node);
    list_init(&line->questions);
    table_init(&line->by_id);
    far->line = line;
    edge_open(&names->edge, &line->flow.opening);
    return line;
}

static uint16_t free_id(const struct names_line *line)
{
    uint16_t id;
    do
        id = (uint16_t)random_number();
    while (table_first(&line->by_id, id));
    return id;
}

static bool ask(struct names_question *question, size_t server)
{
    struct names *names = question->client->names;
    if (uv_now(names->config.loop) < names->servers[server].udp_until)
        return false;
    struct names_line *line = line_to(names, server);
    question->asking = line;
    question->id = free_id(line);
    question->sent = false;
    dns_set_id(question->bytes, question->id);
    table_insert(&line->by_id, &question->by_id, question->id);
    list_push_back(&line->questions, &question->in_line);
    if (!line->open)
        return true;
    list_remove(&line->flow.opening.timed.node); // it is not spare any more
    pass(line, question);
    return true;
}

static void drop(struct names_question *question)
{
    struct names_line *line = question->asking;
    detach(line, question);
    if (line->open && list_is_empty(&line->questions))
        names_wait(line->flow.names, &line->flow.opening.timed, NAMES_WAIT_SPARE);
}

static bool is_held(const struct names_question *question)
{
    return !((const struct names_line *)question->asking)->flow.opening.session;
}

const struct names_way names_far_udp = {.ask = ask, .drop = drop, .is_held = is_held};

void names_line_spare(struct names *names, struct timed *timed)
{
    struct names_line *line = container_of(timed, struct names_line, flow.opening.timed);
    names->servers[line->flow.server].line = NULL;
    names_wait(names, timed, NAMES_WAIT_CLOSED);
    usher_session_close(line->flow.opening.session);
}

void names_line_closed(struct names *names, struct timed *timed)
{
    struct names_flow *flow = container_of(timed, struct names_flow, opening.timed);
    struct usher_session *session = flow->opening.session;
    (void)names;
    release(flow);
    usher_session_reset(session, USHER_TIMEOUT, "close was not answered");
}
