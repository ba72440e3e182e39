// SPDX-License-Identifier: GPL-2.0-or-later
// `status` asks every worker for its numbers and waits for the slowest, but not for long. Requests that come meanwhile
// share the answer.

#include "gate/supervisor/survey.h"

#include "base/memory.h"
#include "base/text.h"
#include "cli/forwards.h"
#include "cli/version.h"
#include "exchange/denials.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 500, // a worker that is merely busy answers within a turn of its loop
    REQUESTS_MAX = 16, // the control socket serves no more at once
};

struct survey {
    uv_timer_t timer;
    struct survey_config config;
    const struct renewal *renewal;
    struct {
        struct control_request *request;
        facts_describe *describe;
    } asked[REQUESTS_MAX];
    size_t asked_count;
    struct denials *denials; // of all portals, those that have gone too
    char *file;              // the configuration
    time_t since;
    const char *state;
};

static void tell_exports(const struct value_prefixes *exports, struct facts *facts)
{
    char text[PREFIX_TEXT_SIZE];
    facts_list(facts, "exports");
    for (size_t i = 0; i < exports->count; i++)
        facts_text(facts, "", "what is routed into the portal's tunnel here", prefix_text(&exports->items[i], text));
    facts_end(facts);
}

static void tell_maps(const struct value_maps *maps, struct facts *facts)
{
    if (maps)
        map_describe(maps->items, maps->count, facts);
}

static void tell_portals(const struct survey *survey, struct facts *facts)
{
    facts_list(facts, "portals");
    list_for_each(node, survey->config.children) {
        const struct child *child = container_of(node, struct child, node);
        char name[2 * TLS_NAME_SIZE];
        if (!child->up)
            continue;
        struct fact_label label = {.name = "portal", .value = text_escape(name, sizeof name, child->name)};
        facts_item(facts, &label);
        child_describe(child, facts);
        if (child->listens)
            forwards_describe(access_forwards(&survey->config.conf->access, child->name), facts);
        if (child->captures) {
            tell_exports(access_exported(&survey->config.conf->access, child->name), facts);
            tell_maps(access_maps(&survey->config.conf->access, child->name), facts);
        }
        if (access_is_local(&survey->config.conf->access, child->name))
            facts_gauge(facts, "local", "its sessions go to the gate's own host", FACT_SWITCH, 1);
        facts_item_end(facts);
    }
    facts_end(facts);
}

static void tell_sockets(const struct value_endpoints *at, const char *name, const char *help, struct facts *facts)
{
    char text[ENDPOINT_TEXT_SIZE];
    facts_list(facts, name);
    for (size_t i = 0; i < at->count; i++)
        facts_text(facts, "", help, endpoint_text(&at->items[i], text));
    facts_end(facts);
}

static uint64_t count_unauthenticated(const struct survey *survey)
{
    uint64_t count = 0;
    list_for_each(node, survey->config.children)
        count += !container_of(node, struct child, node)->up;
    return count;
}

static void tell_name(const struct survey *survey, struct facts *facts)
{
    facts_text(facts, "name", "of the instance", survey->config.conf->name);
    facts_text(facts, "role", "what kind of program it is", "gate");
}

static void describe_denials(const void *part, struct facts *facts)
{
    const struct survey *survey = part;
    tell_name(survey, facts);
    denials_describe(survey->denials, survey->file, facts);
}

static void describe_gate(const void *part, struct facts *facts)
{
    const struct survey *survey = part;
    tell_name(survey, facts);
    facts_text(facts, "state", "up, or draining: it ends with its last tunnel", survey->state);
    facts_text(facts, "file", "of the configuration", survey->file);
    facts_gauge(facts, "since", "when it started", FACT_UNIX_SECONDS, (uint64_t)survey->since);
    facts_text(facts, "version", "of the program that runs", version_text);
    facts_gauge(facts, "pid", "of the supervisor", FACT_COUNT, (uint64_t)getpid());
    tell_sockets(&survey->config.conf->listen, "listen", "where portals may connect to", facts);
    if (survey->config.conf->health.count)
        tell_sockets(&survey->config.conf->health, "health", "where balancers are told how it is", facts);
    tell_portals(survey, facts);
    denials_describe(survey->denials, survey->file, facts);
    validity_describe(&renewal_conf(survey->renewal)->validity, (usec_t)time(NULL) * USEC_PER_SEC, facts);
    renewal_describe(survey->renewal, facts);
    trail_describe(survey->config.trail, facts);
    facts_gauge(facts, "unauthenticated", "connections whose portal is not known yet", FACT_COUNT,
                count_unauthenticated(survey));
    facts_group(facts, "admission");
    admission_describe(survey->config.admission, facts);
    facts_end(facts);
    if (!renewal_conf(survey->renewal)->balancers.count)
        return;
    facts_group(facts, "balancers");
    arrivals_describe(survey->config.arrivals, facts);
    facts_end(facts);
}

static void answer(struct survey *survey)
{
    uv_timer_stop(&survey->timer);
    for (size_t i = 0; i < survey->asked_count; i++)
        control_reply(survey->asked[i].request, survey->asked[i].describe, survey);
    survey->asked_count = 0;
}

static void ran_out(uv_timer_t *timer)
{
    answer(timer->data);
}

static bool all_heard(const struct survey *survey)
{
    list_for_each(node, survey->config.children)
        if (container_of(node, struct child, node)->polled)
            return false;
    return true;
}

void survey_heard(struct survey *survey)
{
    if (survey->asked_count && all_heard(survey))
        answer(survey);
}

void survey_denied(struct survey *survey, const struct child *child, const struct channel_denial *denial)
{
    char who[2 * TLS_NAME_SIZE], host[2 * CHANNEL_HOST_SIZE], rule[2 * POLICY_REASON_SIZE];
    const struct denial noted = {
        .who = text_escape(who, sizeof who, child->name),
        .from = denial->from,
        .protocol = denial->protocol,
        .host = text_escape(host, sizeof host, denial->host),
        .to = denial->to,
        .line = denial->line,
        .rule = text_escape(rule, sizeof rule, denial->rule),
        .count = denial->count,
        .first = denial->first,
        .last = denial->last,
    };
    denials_add(survey->denials, &noted);
}

static void ask(struct survey *survey, struct control_request *request, facts_describe *describe)
{
    if (survey->asked_count == REQUESTS_MAX) {
        control_refuse(request, "busy");
        return;
    }
    if (survey->asked_count == 0) {
        list_for_each(node, survey->config.children) {
            struct child *child = container_of(node, struct child, node);
            if (child->up)
                child_poll(child);
        }
        uv_timer_start(&survey->timer, ran_out, PATIENCE_MS, 0);
    }
    survey->asked[survey->asked_count].request = request;
    survey->asked[survey->asked_count++].describe = describe;
    survey_heard(survey);
}

void survey_request(struct survey *survey, struct control_request *request)
{
    ask(survey, request, describe_gate);
}

void survey_request_denials(struct survey *survey, struct control_request *request)
{
    ask(survey, request, describe_denials);
}

static void closed(uv_handle_t *handle)
{
    struct survey *survey = handle->data;
    denials_free(survey->denials);
    free(survey->file);
    free(survey);
}

struct survey *survey_new(uv_loop_t *loop, const struct survey_config *config)
{
    struct survey *survey = memory_new(sizeof *survey);
    survey->config = *config;
    survey->since = time(NULL);
    survey->denials = denials_new();
    survey->file = instance_config_place(config->name_or_file);
    survey->state = "up";
    uv_timer_init(loop, &survey->timer);
    survey->timer.data = survey;
    return survey;
}

void survey_set_renewal(struct survey *survey, const struct renewal *renewal)
{
    survey->renewal = renewal;
}

void survey_set_since(struct survey *survey, time_t since)
{
    survey->since = since;
}

void survey_set_state(struct survey *survey, const char *state)
{
    survey->state = state;
}

void survey_free(struct survey *survey)
{
    if (survey)
        uv_close((uv_handle_t *)&survey->timer, closed);
}
