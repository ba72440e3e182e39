// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/names/names.h"

#include "base/memory.h"
#include "edge/names/internal.h"

#include <stdlib.h>

static void want(const struct opening *opening, struct want *out)
{
    const struct names_flow *flow = (const struct names_flow *)opening;
    const struct endpoint *server = names_server(flow);
    *out = (struct want){
        .open = {.protocol = flow->kind->protocol,
                 .addr = server->addr,
                 .port = server->port,
                 .by_name = server->addr.version != 4},
        .origin = flow->names->config.addresses[0],
        .ops = flow->kind->ops,
    };
}

static void placed(struct opening *opening)
{
    (void)opening; // it waits for the answer, as its questions do
}

static void refused(struct opening *opening, enum usher_word word, const char *text)
{
    struct names_flow *flow = (struct names_flow *)opening;
    (void)word;
    (void)text;
    flow->kind->refused(flow);
}

static void adopt(struct edge *edge, struct usher_session *session, const struct usher_open *open)
{
    static const struct usher_session_ops none;
    struct names *names = names_of(edge);
    bool asks = open->port == NAMES_PORT;
    if (open->protocol == USHER_UDP && asks) {
        names_udp_adopt(names, session, open);
    } else if (open->protocol == USHER_TCP && asks) {
        names_tcp_adopt(names, session, open);
    } else if (open->protocol == USHER_ICMP || open->protocol == USHER_ICMPV6) {
        names_echo_adopt(names, session, open);
    } else {
        usher_session_attach(session, &none, NULL);
        usher_session_refuse(session, USHER_REFUSED, "only names are asked for here");
    }
}

static void before_pull(struct edge *edge, usec_t now)
{
    static names_expired *const expired[NAMES_WAITS] = {
        [NAMES_WAIT_TRY] = names_question_expired, [NAMES_WAIT_CLIENT] = names_tcp_idle,
        [NAMES_WAIT_ENDING] = names_tcp_ending,    [NAMES_WAIT_SPARE] = names_line_spare,
        [NAMES_WAIT_CLOSED] = names_line_closed,   [NAMES_WAIT_STREAM] = names_stream_over,
    };
    names_wait_expire(names_of(edge), expired, now);
}

static uint32_t flows(const struct edge *edge)
{
    const struct names *names = container_of(edge, const struct names, edge);
    uint32_t count = 0;
    list_for_each(node, &names->flows)
        count++;
    return count;
}

// What has no session is held, and the exchange's to tell.
static void each_flow(struct edge *edge, flow_visit *visit, void *arg, usec_t now)
{
    const struct names *names = names_of(edge);
    list_for_each(node, &names->flows) {
        const struct names_flow *flow = container_of(node, struct names_flow, node);
        const struct usher_session *session = flow->opening.session;
        usec_t began = flow->opening.timed.own * USEC_PER_SEC;
        if (!session)
            continue;
        const struct flow_info info = {
            .who = &flow->opening,
            .protocol = (uint8_t)flow->kind->protocol,
            .inside = names->config.addresses[0],
            .outside = *names_server(flow),
            .state = usher_session_state(session),
            .bytes_out = usher_session_sent(session),
            .bytes_in = usher_session_received(session),
            .age = now > began ? now - began : 0,
        };
        visit(arg, &info);
    }
}

static void describe(const struct edge *edge, struct facts *facts)
{
    const struct names *names = container_of(edge, const struct names, edge);
    facts_group(facts, "counters");
#define TELL(name, help) facts_counter(facts, #name, help, FACT_COUNT, names->counters.name);
    NAMES_COUNTERS(TELL)
#undef TELL
    facts_gauge(facts, "questions_pending", "questions that wait for an answer", FACT_COUNT, names->pending);
    facts_end(facts);
}

static void closed(void *owner)
{
    struct names *names = owner;
    free(names->servers);
    free(names);
}

static void stop(struct edge *edge)
{
    struct names *names = names_of(edge);
    list_for_each(node, &names->flows) {
        struct names_flow *flow = container_of(node, struct names_flow, node);
        flow->kind->release(flow);
    }
    alarm_close(&names->alarm, closed, names);
}

static const struct edge_kind kind = {
    .name = "names",
    .want = want,
    .placed = placed,
    .refused = refused,
    .adopt = adopt,
    .before_pull = before_pull,
    .flows = flows,
    .each_flow = each_flow,
    .describe = describe,
    .stop = stop,
};

struct names *names_new(const struct names_config *config)
{
    struct names *names = memory_new(sizeof *names);
    names->edge.kind = &kind;
    names->config = *config;
    names->servers = memory_new((config->server_count + 1) * sizeof *names->servers);
    list_init(&names->questions);
    list_init(&names->flows);
    list_init(&names->clients);
    list_init(&names->askers);
    names_question_init(names);
    names_wait_init(names);
    return names;
}

struct edge *names_edge(struct names *names)
{
    return &names->edge;
}

bool names_has(const struct names *names, const struct address *addr)
{
    for (size_t i = 0; i < names->config.address_count; i++)
        if (address_equal(&names->config.addresses[i].addr, addr))
            return true;
    return false;
}

void names_set_rest(struct names *names, const struct endpoint *servers, size_t count)
{
    names->rest_count = 0;
    for (size_t i = 0; i < count && names->rest_count < NAMES_REST_MAX; i++)
        if (!names_has(names, &servers[i].addr))
            names->rest[names->rest_count++] = servers[i];
}
