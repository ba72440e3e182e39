// SPDX-License-Identifier: GPL-2.0-or-later
// Its life, and its face to the exchange.
#include "edge/listen/ask/ask.h"

#include "base/memory.h"
#include "edge/listen/ask/answer.h"
#include "edge/listen/ask/internal.h"
#include "edge/listen/ask/question.h"
#include "edge/listen/doors.h"

#include <stdlib.h>

static void accepted(void *owner, int fd, const struct endpoint *client)
{
    question_begin(owner, fd, client);
}

void ask_listen(struct ask *ask, int fd)
{
    doors_open(&ask->doors, ask->loop, fd, accepted, ask);
}

void ask_listen_no_more(struct ask *ask, const struct endpoint *at)
{
    doors_close_at(&ask->doors, at);
}

static void before_pull(struct edge *edge, usec_t now)
{
    struct ask *ask = ask_of(edge);
    questions_expire(ask, now);
    relay_turn(ask->front.relay, now);
}

static void describe(const struct edge *edge, struct facts *facts)
{
    const struct ask *ask = container_of(edge, const struct ask, front.edge);
    doors_describe(&ask->doors, facts, "ask", "where clients are asked for host and port");
    facts_group(facts, "counters");
#define TELL(name, help) facts_counter(facts, #name, help, FACT_COUNT, ask->counters.name);
    ASK_COUNTERS(TELL)
#undef TELL
    facts_end(facts);
}

static void stop(struct edge *edge)
{
    struct ask *ask = ask_of(edge);
    doors_close(&ask->doors);
    questions_end_all(ask);
    relay_free(ask->front.relay);
    alarm_close(&ask->alarm, free, ask);
}

static const struct edge_kind kind = {
    .name = "ask",
    .want = answer_want,
    .placed = answer_placed,
    .refused = answer_refused,
    .before_pull = before_pull,
    .flows = relay_front_flows,
    .each_flow = relay_front_each_flow,
    .describe = describe,
    .stop = stop,
};

struct ask *ask_new(uv_loop_t *loop, const struct ask_config *config)
{
    struct ask *ask = memory_new(sizeof *ask);
    const struct relay_config relay = {.loop = loop, .poller = config->poller};
    ask->loop = loop;
    ask->config = *config;
    relay_front_init(&ask->front, &kind, &relay);
    list_init(&ask->doors);
    alarm_init(&ask->alarm, loop, relay_front_wake, &ask->front);
    questions_init(ask);
    answers_init(ask);
    return ask;
}

struct edge *ask_edge(struct ask *ask)
{
    return &ask->front.edge;
}
