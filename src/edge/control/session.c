// SPDX-License-Identifier: GPL-2.0-or-later
// The edge, and which conversation is the current one: in the tunnel that came last. Those in tunnels that are left
// only end.
#include "edge/control/session.h"

#include "base/memory.h"
#include "edge/control/internal.h"
#include "os/clock.h"
#include "os/log.h"

#include <stdlib.h>
#include <string.h>

static struct control_session *of_edge(struct edge *edge)
{
    return container_of(edge, struct control_session, edge);
}

static void tunnel_came(struct edge *edge, bool extended)
{
    struct control_session *control = of_edge(edge);
    control->off = !extended;
    if (control->talk->opening.session) {
        control_talk_leave(control->talk);
        control_answering_lost(control);
        control->talk = control_talk_new(control);
    }
    if (!extended)
        control_asking_lost(control);
    else if (control->config.opens)
        edge_open(edge, &control->talk->opening);
}

static void want(const struct opening *opening, struct want *out)
{
    (void)opening;
    *out = (struct want){.ops = &CONTROL_TALK_OPS, .open = {.protocol = USHER_CONTROL, .by_name = true}};
    strcpy(out->open.host, CONTROL_HOST);
}

static void placed(struct opening *opening)
{
    (void)opening;
}

static void refused(struct opening *opening, enum usher_word word, const char *text)
{
    struct control_session *control = container_of(opening, struct control_talk, opening)->control;
    (void)word;
    log_debug("no control session: %s", text);
    control->off = true;
    control_asking_lost(control);
}

static bool is_waiting(const struct edge *edge)
{
    const struct control_session *control = container_of(edge, const struct control_session, edge);
    return !control->talk->opening.session && control->asking.count > 0;
}

static bool serves(const struct edge *edge, uint16_t protocol)
{
    return protocol == USHER_CONTROL && !container_of(edge, const struct control_session, edge)->config.opens;
}

static const struct usher_session_ops NO_OPS;

static void adopt(struct edge *edge, struct usher_session *session, const struct usher_open *open)
{
    struct control_session *control = of_edge(edge);
    if (control->talk->opening.session || strcmp(open->host, CONTROL_HOST)) {
        usher_session_attach(session, &NO_OPS, NULL);
        usher_session_refuse(session, USHER_UNSUPPORTED, "no such control session here");
        return;
    }
    control->talk->opening.session = session;
    usher_session_attach(session, &CONTROL_TALK_OPS, &control->talk->opening);
    usher_session_accept(session);
    control_talk_begin(control->talk);
}

static void rang(void *owner)
{
    struct control_session *control = owner;
    edge_wake(&control->edge);
}

static void set_alarm(struct control_session *control)
{
    alarm_set(&control->alarm, control_asking_deadline(control), control->now);
    alarm_set(&control->alarm, control_answering_deadline(control), control->now);
}

static void forget_over(struct control_session *control)
{
    for (struct list *node; (node = list_pop_front(&control->over));)
        control_talk_free(container_of(node, struct control_talk, node));
}

static void before_pull(struct edge *edge, usec_t now)
{
    struct control_session *control = of_edge(edge);
    control->now = now;
    forget_over(control);
    control_answering_turn(control);
    control_asking_turn(control);
}

static void after_pull(struct edge *edge, bool link_blocked, usec_t now)
{
    (void)link_blocked;
    (void)now;
    set_alarm(of_edge(edge));
}

static uint32_t flows(const struct edge *edge)
{
    (void)edge;
    return 0;
}

static void each_flow(struct edge *edge, flow_visit *visit, void *arg, usec_t now)
{
    (void)edge, (void)visit, (void)arg, (void)now;
}

static void describe(const struct edge *edge, struct facts *facts)
{
    const struct control_counters *counters = &container_of(edge, const struct control_session, edge)->counters;
    facts_group(facts, "counters");
#define TELL(name, help) facts_counter(facts, #name, help, FACT_COUNT, counters->name);
    CONTROL_COUNTERS(TELL)
#undef TELL
    facts_end(facts);
}

static void closed(void *owner)
{
    struct control_session *control = owner;
    forget_over(control);
    control_talk_free(control->talk);
    free(control);
}

static void stop(struct edge *edge)
{
    struct control_session *control = of_edge(edge);
    alarm_close(&control->alarm, closed, control);
}

static const struct edge_kind KIND = {
    .name = "control",
    .tunnel_came = tunnel_came,
    .want = want,
    .placed = placed,
    .refused = refused,
    .is_waiting = is_waiting,
    .serves = serves,
    .adopt = adopt,
    .before_pull = before_pull,
    .after_pull = after_pull,
    .flows = flows,
    .each_flow = each_flow,
    .describe = describe,
    .stop = stop,
};

struct control_session *control_session_new(const struct control_session_config *config)
{
    struct control_session *control = memory_new(sizeof *control);
    control->edge.kind = &KIND;
    control->config = *config;
    control->now = clock_now();
    list_init(&control->left);
    list_init(&control->over);
    control->talk = control_talk_new(control);
    alarm_init(&control->alarm, config->loop, rang, control);
    control_asking_init(control);
    control_answering_init(control);
    return control;
}

struct edge *control_session_edge(struct control_session *control)
{
    return &control->edge;
}

struct prober *control_session_prober(struct control_session *control)
{
    return &control->asking.prober;
}

void control_session_drain(struct control_session *control)
{
    control->talk->drain_due = true;
    control_ready(control);
}

void control_session_tell_ticket(struct control_session *control, const struct control_ticket *ticket)
{
    control->talk->ticket = *ticket;
    control->talk->ticket_due = true;
    control_ready(control);
}
