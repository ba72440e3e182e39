// SPDX-License-Identifier: GPL-2.0-or-later
// Questions of ours. An id is a place in the table and a serial number: an answer that comes after its question was given up
// finds another number there, and means nothing.
#include "edge/control/internal.h"

enum { RETRY_MS = 20 }; // until questions that came too fast are looked at again

static struct control_session *control_of(struct prober *prober)
{
    return container_of(prober, struct control_session, asking.prober);
}

static struct probe *probe_of(struct timed *timed)
{
    return container_of(timed, struct probe, timed);
}

static bool is_asked(const struct asking *asking, const struct probe *probe)
{
    return asking->asked[probe->id % ASKED_MAX] == probe;
}

// It waits for nothing any more; the next one may take its place.
static void settle(struct control_session *control, struct probe *probe)
{
    struct asking *asking = &control->asking;
    bool asked = is_asked(asking, probe);
    if (!asked && !list_is_linked(&probe->unsent))
        return; // it has failed
    asking->count--;
    list_remove(&probe->unsent);
    if (!asked)
        return;
    asking->asked[probe->id % ASKED_MAX] = NULL;
    asking->asked_count--;
    if (!list_is_empty(&asking->unsent))
        control_ready(control);
}

static void fail_later(struct control_session *control, struct probe *probe)
{
    settle(control, probe);
    list_remove(&probe->timed.node);
    list_push_back(&control->asking.failed, &probe->timed.node);
    control->counters.probes_failed++;
    edge_wake(&control->edge);
}

static void take_place(struct asking *asking, struct probe *probe)
{
    do
        probe->id = asking->serial++;
    while (asking->asked[probe->id % ASKED_MAX]);
    asking->asked[probe->id % ASKED_MAX] = probe;
    asking->asked_count++;
}

// The other end answers no questions. As long as that is not known, for want of a tunnel or of its hello, they wait.
static bool is_off(const struct control_session *control)
{
    if (control->talk->opening.session)
        return control->talk->hello_came && !control->talk->can_probe;
    return control->off || !control->config.opens;
}

static void ask(struct prober *prober, struct probe *probe)
{
    struct control_session *control = control_of(prober);
    struct asking *asking = &control->asking;
    probe->id = 0;
    list_init(&probe->timed.node);
    list_init(&probe->unsent);
    control->counters.probes++;
    if (is_off(control) || asking->count == WAITING_MAX) {
        fail_later(control, probe);
        return;
    }
    asking->count++;
    timeline_put(&asking->waiting, &probe->timed, (uint32_t)uv_now(control->config.loop));
    list_push_back(&asking->unsent, &probe->unsent);
    control_ready(control);
    edge_wake(&control->edge); // to set the alarm
}

static void cancel(struct prober *prober, struct probe *probe)
{
    settle(control_of(prober), probe);
    list_remove(&probe->timed.node);
}

void control_asking_init(struct control_session *control)
{
    struct asking *asking = &control->asking;
    asking->prober = (struct prober){.ask = ask, .cancel = cancel};
    list_init(&asking->unsent);
    list_init(&asking->failed);
    timeline_init(&asking->waiting, PROBE_TIMEOUT_MS);
    bucket_init(&asking->bucket, ASK_PER_SECOND, ASK_BURST, control->now);
}

// What fails from within a callback waits for the next turn: an owner that asks again at once is no endless loop.
static void tell_failed(struct control_session *control)
{
    static const struct probe_answer failed = {.status = PROBE_FAILED};
    struct list now;
    list_init(&now);
    for (struct list *node; (node = list_pop_front(&control->asking.failed));)
        list_push_back(&now, node);
    for (struct list *node; (node = list_pop_front(&now));) {
        struct probe *probe = probe_of(container_of(node, struct timed, node));
        probe->done(probe, &failed);
    }
}

void control_asking_turn(struct control_session *control)
{
    struct asking *asking = &control->asking;
    for (struct timed *timed; (timed = timeline_expired(&asking->waiting, timeline_moment(control->now)));)
        fail_later(control, probe_of(timed));
    tell_failed(control);
    if (!list_is_empty(&asking->unsent))
        control_ready(control);
}

void control_asking_lost(struct control_session *control)
{
    for (struct timed *timed; (timed = timeline_pop(&control->asking.waiting));)
        fail_later(control, probe_of(timed));
}

// There is a question, and nothing but its pace holds it back.
static bool may_send(const struct control_session *control)
{
    const struct asking *asking = &control->asking;
    return control->talk->can_probe && !list_is_empty(&asking->unsent) && asking->asked_count < ASKED_MAX;
}

bool control_asking_write(struct control_session *control, struct writer *w)
{
    struct asking *asking = &control->asking;
    if (!may_send(control) || !bucket_take(&asking->bucket, control->now))
        return false;
    struct probe *probe = container_of(list_pop_front(&asking->unsent), struct probe, unsent);
    take_place(asking, probe);
    const struct control_probe question = {.id = probe->id, .name = probe->name};
    control_probe_encode(w, &question);
    return true;
}

static enum probe_status status_of(enum control_status status)
{
    switch (status) {
    case CONTROL_EXISTS:
        return PROBE_EXISTS;
    case CONTROL_NO_NAME:
        return PROBE_NO_NAME;
    case CONTROL_NAME_DENIED:
        return PROBE_DENIED;
    default:
        return PROBE_FAILED;
    }
}

bool control_take_answer(struct control_talk *talk, const struct control_message *message)
{
    struct control_session *control = talk->control;
    struct asking *asking = &control->asking;
    struct control_answer said;
    if (!control_answer_decode(&said, message))
        return false;
    struct probe *probe = asking->asked[said.id % ASKED_MAX];
    if (!probe || probe->id != said.id)
        return true; // it was given up, or never asked
    const struct probe_answer answer = {
        .status = status_of(said.status),
        .ipv4 = said.families & CONTROL_IPV4,
        .ipv6 = said.families & CONTROL_IPV6,
        .ttl = said.ttl,
    };
    settle(control, probe);
    list_remove(&probe->timed.node);
    control->counters.probes_failed += answer.status == PROBE_FAILED;
    probe->done(probe, &answer);
    return true;
}

usec_t control_asking_deadline(const struct control_session *control)
{
    usec_t expiry = timelines_deadline(&control->asking.waiting, 1, control->now);
    usec_t retry = control->now + RETRY_MS * USEC_PER_MSEC;
    return may_send(control) && retry < expiry ? retry : expiry;
}
