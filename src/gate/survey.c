// SPDX-License-Identifier: GPL-2.0-or-later
// `status` asks every worker for its numbers and waits for the slowest, but not for long. Requests that come meanwhile
// share the answer.

#include "gate/survey.h"

#include "base/memory.h"
#include "base/text.h"
#include "cli/moment.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 500, // a worker that is merely busy answers within a turn of its loop
    REQUESTS_MAX = 16, // the control socket serves no more at once
};

struct survey {
    uv_timer_t timer;
    const struct gate_conf *conf;
    const struct list *children;
    struct control_request *requests[REQUESTS_MAX];
    size_t request_count;
    time_t since;
};

static void set_text(json_t *object, const char *key, const char *text)
{
    char room[2 * TLS_NAME_SIZE];
    json_object_set_new(object, key, json_string(text_escape(room, sizeof(room), text)));
}

static json_t *describe(const struct child *child)
{
    char text[ENDPOINT_TEXT_SIZE], since[MOMENT_TEXT_SIZE], expires[MOMENT_TEXT_SIZE];
    json_t *portal = json_object();
    json_t *dial = json_object();
    set_text(portal, "identity", child->name);
    set_text(portal, "serial", child->serial);
    set_text(portal, "cipher", child->cipher);
    set_text(portal, "expires", moment_text(expires, (time_t)(child->expires / USEC_PER_SEC)));
    set_text(portal, "address", endpoint_text(&child->peer, text));
    set_text(portal, "since", moment_text(since, child->since));
    json_object_set_new(portal, "pid", json_integer(child->process.pid));
    json_object_set_new(portal, "sessions", json_integer(child->sessions));
    json_object_set_new(portal, "bytes_in", json_integer((json_int_t)child->bytes_in));
    json_object_set_new(portal, "bytes_out", json_integer((json_int_t)child->bytes_out));
#define ADD(name, help) json_object_set_new(dial, #name, json_integer((json_int_t)child->dial.name));
    DIAL_COUNTERS(ADD)
#undef ADD
    json_object_set_new(portal, "counters", dial);
    return portal;
}

static json_t *describe_all(const struct survey *survey)
{
    char text[ENDPOINT_TEXT_SIZE], since[MOMENT_TEXT_SIZE];
    json_t *listen = json_array();
    json_t *portals = json_array();
    unsigned unauthenticated = 0;
    for (size_t i = 0; i < survey->conf->listen.count; i++)
        json_array_append_new(listen, json_string(endpoint_text(&survey->conf->listen.items[i], text)));
    list_for_each(node, survey->children) {
        const struct child *child = container_of(node, struct child, node);
        if (child->up)
            json_array_append_new(portals, describe(child));
        else
            unauthenticated++;
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:i}", "name", survey->conf->name, "role", "gate", "state",
                     "up", "since", moment_text(since, survey->since), "pid", (int)getpid(), "listen", listen,
                     "portals", portals, "unauthenticated", (int)unauthenticated);
}

static void answer(struct survey *survey)
{
    uv_timer_stop(&survey->timer);
    for (size_t i = 0; i < survey->request_count; i++)
        control_reply(survey->requests[i], describe_all(survey));
    survey->request_count = 0;
}

static void ran_out(uv_timer_t *timer)
{
    answer(timer->data);
}

static bool all_heard(const struct survey *survey)
{
    list_for_each(node, survey->children)
        if (container_of(node, struct child, node)->polled)
            return false;
    return true;
}

void survey_heard(struct survey *survey)
{
    if (survey->request_count && all_heard(survey))
        answer(survey);
}

void survey_request(struct survey *survey, struct control_request *request)
{
    if (survey->request_count == REQUESTS_MAX) {
        control_reply(request, json_pack("{s:s}", "error", "busy"));
        return;
    }
    if (survey->request_count == 0) {
        list_for_each(node, survey->children) {
            struct child *child = container_of(node, struct child, node);
            if (child->up)
                child_poll(child);
        }
        uv_timer_start(&survey->timer, ran_out, PATIENCE_MS, 0);
    }
    survey->requests[survey->request_count++] = request;
    survey_heard(survey);
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct survey *survey_new(uv_loop_t *loop, const struct gate_conf *conf, const struct list *children)
{
    struct survey *survey = memory_new(sizeof(*survey));
    survey->conf = conf;
    survey->children = children;
    survey->since = time(NULL);
    uv_timer_init(loop, &survey->timer);
    survey->timer.data = survey;
    return survey;
}

void survey_free(struct survey *survey)
{
    if (survey)
        uv_close((uv_handle_t *)&survey->timer, closed);
}
