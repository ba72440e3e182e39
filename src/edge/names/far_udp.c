// SPDX-License-Identifier: GPL-2.0-or-later
// To each server goes one association, opened for the first question and kept for as long as others follow. Which answer
// belongs to which question is told by its id, drawn at random. Questions that come in a burst go as answers come back: a
// server's socket holds some hundreds, and drops the others, which would all come again at once.
#include "edge/names/internal.h"

#include "base/memory.h"
#include "os/random.h"

#include <stdlib.h>

enum { SENT_MAX = 128 }; // not answered yet; the usual 208 KiB of a socket hold some 160, headers and all

struct names_line {
    struct names_flow flow; // first
    struct table by_id;     // those that were sent
    struct list waiting;    // those that were not, the oldest first
    struct list sent;
    unsigned sent_count;
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
    list_remove(&question->in_line);
    question->asking = NULL;
    if (table_remove(&line->by_id, &question->by_id))
        line->sent_count--;
}

static void collect(struct names_line *line, struct list *from, struct list *out)
{
    for (struct list *node; (node = from->next) != from;) {
        detach(line, question_of(node));
        list_push_back(out, node);
    }
}

// All that it was asked goes on elsewhere, or nowhere. It is not there any more for what begins within.
static void fail_all(struct names_line *line, bool for_good)
{
    struct names *names = line->flow.names;
    struct list questions;
    list_init(&questions);
    collect(line, &line->sent, &questions);
    collect(line, &line->waiting, &questions);
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

static uint16_t free_id(const struct names_line *line)
{
    uint16_t id;
    do
        id = (uint16_t)random_number();
    while (table_first(&line->by_id, id));
    return id;
}

static void pass(struct names_line *line, struct names_question *question)
{
    question->id = free_id(line);
    dns_set_id(question->bytes, question->id);
    table_insert(&line->by_id, &question->by_id, question->id);
    list_push_back(&line->sent, &question->in_line);
    line->sent_count++;
    const struct usher_datagram datagram = {
        .from = line->flow.names->config.addresses[0],
        .to = *names_server(&line->flow),
        .bytes = question->bytes,
        .len = question->len,
    };
    usher_session_datagram(line->flow.opening.session, &datagram);
}

// What may be sent now is; without any question it is spare.
static void go_on(struct names_line *line)
{
    if (!line->open)
        return;
    while (line->sent_count < SENT_MAX && !list_is_empty(&line->waiting))
        pass(line, question_of(list_pop_front(&line->waiting)));
    if (line->sent_count == 0)
        names_wait(line->flow.names, &line->flow.opening.timed, NAMES_WAIT_SPARE);
    else
        list_remove(&line->flow.opening.timed.node);
}

static void opened(void *owner)
{
    struct names_line *line = owner;
    line->open = true;
    go_on(line);
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
    line->flow.opening.timed.own = (uint32_t)(uv_now(names->config.loop) / 1000);
    list_init(&line->flow.opening.timed.node);
    list_push_back(&names->flows, &line->flow.node);
    list_init(&line->waiting);
    list_init(&line->sent);
    table_init(&line->by_id);
    far->line = line;
    edge_open(&names->edge, &line->flow.opening);
    return line;
}

static bool ask(struct names_question *question, size_t server)
{
    struct names *names = question->client->names;
    if (uv_now(names->config.loop) < names->servers[server].udp_until)
        return false;
    struct names_line *line = line_to(names, server);
    question->asking = line;
    list_push_back(&line->waiting, &question->in_line);
    go_on(line);
    return true;
}

static void drop(struct names_question *question)
{
    struct names_line *line = question->asking;
    detach(line, question);
    go_on(line);
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
