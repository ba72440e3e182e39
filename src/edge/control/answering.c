// SPDX-License-Identifier: GPL-2.0-or-later
// Questions of the other end: which names exist here. What it could not reach anyway it is not told, so that nobody learns
// by asking what names there are in a network that is closed to him: `denied` is said before the resolver is asked, or
// instead of what it said.
#include "edge/control/internal.h"

#include "base/host_name.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct question {
    struct timed timed; // on answering.resolving, or its node on .answered
    struct control_session *control;
    struct resolver_query *query; // NULL: answered
    struct control_answer answer;
    char name[CONTROL_NAME_MAX + 1];
};

static struct question *question_of(struct timed *timed)
{
    return container_of(timed, struct question, timed);
}

static void drop(struct question *question)
{
    list_remove(&question->timed.node);
    if (question->query)
        resolver_cancel(question->query);
    question->control->answering.count--;
    free(question);
}

static void answer(struct question *question, enum control_status status, uint8_t families, uint32_t ttl)
{
    struct control_session *control = question->control;
    question->answer.status = status;
    question->answer.families = status == CONTROL_EXISTS ? families : 0;
    question->answer.ttl = ttl;
    question->query = NULL;
    control->counters.probes_answered++;
    control->counters.probes_denied += status == CONTROL_NAME_DENIED;
    list_remove(&question->timed.node);
    list_push_back(&control->answering.answered, &question->timed.node);
    control_ready(control);
}

// In which families it may be reached. `allowed`: whatever address it has.
static uint8_t families_of(const struct question *question, bool allowed, const struct address *addrs, size_t count)
{
    const struct judge *judge = question->control->config.judge;
    uint8_t families = 0;
    for (size_t i = 0; i < count; i++)
        if (allowed || judge->address(judge, JUDGE_ANY, question->name, &addrs[i], 0))
            families |= addrs[i].version == 4 ? CONTROL_IPV4 : CONTROL_IPV6;
    return families;
}

static void resolved(void *owner, const struct resolver_answer *found)
{
    struct question *question = owner;
    uint8_t families = families_of(question, false, found->addrs, found->count);
    if (found->outcome == RESOLVER_NO_NAME)
        answer(question, CONTROL_NO_NAME, 0, TTL_WITHOUT_RECORD);
    else if (found->outcome == RESOLVER_NO_ADDRESS)
        answer(question, CONTROL_EXISTS, 0, TTL_WITHOUT_RECORD);
    else if (found->outcome == RESOLVER_FAILED)
        answer(question, CONTROL_NAME_FAILED, 0, 0);
    else if (families)
        answer(question, CONTROL_EXISTS, families, found->ttl);
    else
        answer(question, CONTROL_NAME_DENIED, 0, TTL_WITHOUT_RECORD);
}

// Where names are not resolved, each has the same addresses.
static void answer_translated(struct question *question, bool allowed)
{
    const struct translate *translate = question->control->config.translate;
    struct address there[TRANSLATE_MAX];
    size_t count = translate->name(translate, there);
    uint8_t families = families_of(question, allowed, there, count);
    answer(question, families ? CONTROL_EXISTS : CONTROL_NAME_DENIED, families, TTL_WITHOUT_RECORD);
}

static void look_up(struct question *question)
{
    const struct control_session_config *config = &question->control->config;
    enum judge_name verdict = config->judge->name(config->judge, JUDGE_ANY, question->name, 0);
    if (verdict == JUDGE_NO_NAME)
        answer(question, CONTROL_NO_NAME, 0, TTL_WITHOUT_RECORD);
    else if (verdict == JUDGE_DENIED)
        answer(question, CONTROL_NAME_DENIED, 0, TTL_WITHOUT_RECORD);
    else if (config->translate && config->translate->name)
        answer_translated(question, verdict == JUDGE_ALLOWED);
    else if (!config->resolver)
        answer(question, CONTROL_NAME_FAILED, 0, 0);
    else
        question->query = resolver_lookup(config->resolver, question->name, resolved, question);
}

bool control_take_probe(struct control_talk *talk, const struct control_message *message)
{
    struct control_session *control = talk->control;
    struct answering *answering = &control->answering;
    struct control_probe probe;
    if (!control_probe_decode(&probe, message))
        return false;
    if (talk->left) // answers go through the current tunnel: whoever asks here gives up
        return true;
    if (answering->count == QUESTIONS_MAX) {
        usher_session_glitch(talk->opening.session);
        return true;
    }
    struct question *question = memory_new(sizeof *question);
    question->control = control;
    question->answer.id = probe.id;
    strcpy(question->name, probe.name);
    list_init(&question->timed.node);
    timeline_put(&answering->resolving, &question->timed, (uint32_t)uv_now(control->config.loop));
    answering->count++;
    look_up(question);
    edge_wake(&control->edge); // to set the alarm
    return true;
}

void control_answering_init(struct control_session *control)
{
    timeline_init(&control->answering.resolving, PROBE_TIMEOUT_MS);
    list_init(&control->answering.answered);
}

// Whoever asked has given up by then; so the resolver's own patience bounds nothing here.
void control_answering_turn(struct control_session *control)
{
    for (struct timed *timed;
         (timed = timeline_expired(&control->answering.resolving, timeline_moment(control->now)));) {
        struct question *question = question_of(timed);
        resolver_cancel(question->query);
        answer(question, CONTROL_NAME_FAILED, 0, 0);
    }
}

void control_answering_lost(struct control_session *control)
{
    struct answering *answering = &control->answering;
    for (struct timed *timed; (timed = timeline_pop(&answering->resolving));)
        drop(question_of(timed));
    for (struct list *node; (node = list_pop_front(&answering->answered));)
        drop(question_of(container_of(node, struct timed, node)));
}

bool control_answering_write(struct control_session *control, struct writer *w)
{
    struct list *node = list_pop_front(&control->answering.answered);
    if (!node)
        return false;
    struct question *question = question_of(container_of(node, struct timed, node));
    control_answer_encode(w, &question->answer);
    drop(question);
    return true;
}

usec_t control_answering_deadline(const struct control_session *control)
{
    return timelines_deadline(&control->answering.resolving, 1, control->now);
}
