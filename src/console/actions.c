// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/actions.h"

#include "base/list.h"
#include "base/memory.h"
#include "cli/runtime.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OUTPUT_MAX = 400, // bytes of what the service manager says
    START_MS = 90000, // that it may take
};

struct actions {
    uv_loop_t *loop;
    struct list running; // of job
    unsigned count;
};

struct job {
    struct list node;
    struct actions *actions; // NULL: nobody wants to know
    actions_done *done;
    void *owner;
    struct ask *ask;
    // Of up:
    uv_process_t process;
    uv_pipe_t output;
    uv_timer_t timer;
    unsigned handles;
    char text[OUTPUT_MAX + 1];
    size_t len;
    char rest[256]; // what is more than that
    bool exited, silent;
    int64_t code;
};

// A portal's name that fits a line of the control socket.
static bool is_portal(const char *name)
{
    return name && *name && strlen(name) < SOURCE_PEER_NAME_SIZE && !strpbrk(name, "\r\n");
}

// One that cannot be taken for anything else in the name of a unit.
static bool is_unit(const char *name)
{
    for (const char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("_.-", *at))
            return false;
    return *name && *name != '-' && *name != '.';
}

const char *actions_question(const struct action *action)
{
    bool is_gate = action->instance->role == SOURCE_GATE, runs = action->instance->root;
    if (!strcmp(action->deed, "down") && runs)
        return is_gate ? "The gate ends. Every portal loses its tunnel, and every flow is reset."
                       : "The portal ends, and its flows are reset. What it captures goes where this machine sends it "
                         "without it.";
    if (!strcmp(action->deed, "reload") && runs)
        return "Its files are read again, and what is good in them is put in force. What is not concerned goes on.";
    if (!strcmp(action->deed, "up") && !runs && is_unit(action->instance->name) &&
        action->instance->role != SOURCE_UNKNOWN)
        return is_gate ? "The service manager starts the gate." : "The service manager starts the portal.";
    if (!strcmp(action->deed, "end") && runs && is_gate && is_portal(action->portal))
        return "Its tunnels end now and its flows are reset. It may log in again, as it does by itself: to keep it "
               "out, "
               "revoke its certificate.";
    return NULL;
}

static void tell(struct job *job, bool ok, const char *outcome)
{
    if (!job->actions)
        return;
    list_remove(&job->node);
    job->actions->count--;
    job->actions = NULL;
    job->done(job->owner, ok, outcome);
}

// ------------------------------------------------------------------------------------------------------ by control socket

static void tell_answer(struct job *job, const struct told *answer)
{
    char outcome[700];
    size_t len = 0;
    const struct told *messages = told_part(answer, "messages");
    double ended = told_number(answer, "ended"), done = told_number(answer, "done");
    if (ended >= 0)
        len = (size_t)snprintf(outcome, sizeof outcome, "tunnels ended: %.0f", ended);
    else
        len = (size_t)snprintf(outcome, sizeof outcome, done == 0 ? "not all of it is in force" : "done");
    for (size_t i = 0; i < told_count(messages) && len < sizeof outcome; i++)
        len +=
            (size_t)snprintf(outcome + len, sizeof outcome - len, "%s %s", i ? ";" : ":", told_item_text(messages, i));
    tell(job, ended && done, outcome);
}

static void answered(void *owner, const struct told *answer, const struct fault *why)
{
    struct job *job = owner;
    if (answer)
        tell_answer(job, answer);
    else
        tell(job, false, why->text);
    told_free(answer);
    free(job);
}

static void ask_instance(struct actions *actions, const struct action *action, struct job *job)
{
    char path[RUNTIME_PATH_SIZE], line[SOURCE_PEER_NAME_SIZE + 8];
    bool is_end = !strcmp(action->deed, "end");
    snprintf(line, sizeof line, "%s%s%s", action->deed, is_end ? " " : "", is_end ? action->portal : "");
    runtime_path(path, action->instance->root, action->instance->name, "control");
    job->ask = ask_start(actions->loop, path, line, answered, job);
}

// ---------------------------------------------------------------------------------------------------- by service manager

static void closed(uv_handle_t *handle)
{
    struct job *job = handle->data;
    char outcome[OUTPUT_MAX + 100];
    if (--job->handles)
        return;
    while (job->len && isspace((unsigned char)job->text[job->len - 1]))
        job->text[--job->len] = '\0';
    if (job->code)
        snprintf(outcome, sizeof outcome, "systemctl ended with status %d%s%s", (int)job->code, job->len ? ": " : "",
                 job->text);
    tell(job, !job->code, job->code ? outcome : "done");
    free(job);
}

static void close_all(struct job *job)
{
    if (uv_is_closing((uv_handle_t *)&job->process))
        return;
    uv_close((uv_handle_t *)&job->process, closed);
    uv_close((uv_handle_t *)&job->output, closed);
    uv_close((uv_handle_t *)&job->timer, closed);
}

static void exited(uv_process_t *process, int64_t code, int number)
{
    struct job *job = process->data;
    job->code = number ? 128 + number : code;
    job->exited = true;
    if (job->silent)
        close_all(job);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct job *job = handle->data;
    (void)suggested;
    size_t room = OUTPUT_MAX - job->len;
    *buf = room ? uv_buf_init(job->text + job->len, (unsigned)room) : uv_buf_init(job->rest, sizeof job->rest);
}

static void received(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct job *job = stream->data;
    if (len > 0 && buf->base == job->text + job->len)
        job->len += (size_t)len;
    else if (len < 0)
        job->silent = true;
    if (job->silent && job->exited)
        close_all(job);
}

static void took_too_long(uv_timer_t *timer)
{
    struct job *job = timer->data;
    job->silent = true; // whoever else may hold its output
    if (job->exited)
        close_all(job);
    else
        uv_process_kill(&job->process, SIGKILL);
}

static void start_unit(struct actions *actions, const struct action *action, struct job *job)
{
    char unit[INSTANCE_NAME_MAX + 32];
    char *argv[] = {"systemctl", "--no-ask-password", "start", "--", unit, NULL};
    snprintf(unit, sizeof unit, "usher-%s@%s.service", action->instance->role == SOURCE_GATE ? "gate" : "tun",
             action->instance->name);
    uv_pipe_init(actions->loop, &job->output, 0);
    uv_timer_init(actions->loop, &job->timer);
    uv_stdio_container_t stdio[] = {
        {.flags = UV_IGNORE},
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&job->output},
    };
    const uv_process_options_t options = {
        .file = argv[0], .args = argv, .exit_cb = exited, .stdio = stdio, .stdio_count = 3};
    job->process.data = job->output.data = job->timer.data = job;
    job->handles = 3;
    int error = uv_spawn(actions->loop, &job->process, &options);
    if (error) {
        job->code = 127;
        job->len = (size_t)snprintf(job->text, sizeof job->text, "%s", uv_strerror(error));
        close_all(job);
        return;
    }
    uv_read_start((uv_stream_t *)&job->output, give_room, received);
    uv_timer_start(&job->timer, took_too_long, START_MS, 0);
}

void actions_do(struct actions *actions, const struct action *action, actions_done *done, void *owner)
{
    if (actions->count == ACTIONS_MAX || !actions_question(action)) {
        done(owner, false, actions->count == ACTIONS_MAX ? "too much is being done already" : "there is nothing to do");
        return;
    }
    struct job *job = memory_new(sizeof *job);
    *job = (struct job){.actions = actions, .done = done, .owner = owner};
    list_push_back(&actions->running, &job->node);
    actions->count++;
    if (!strcmp(action->deed, "up"))
        start_unit(actions, action, job);
    else
        ask_instance(actions, action, job);
}

struct actions *actions_new(uv_loop_t *loop)
{
    struct actions *actions = memory_new(sizeof *actions);
    actions->loop = loop;
    list_init(&actions->running);
    return actions;
}

void actions_free(struct actions *actions)
{
    if (!actions)
        return;
    list_for_each(node, &actions->running) {
        struct job *job = container_of(node, struct job, node);
        list_remove(node);
        job->actions = NULL;
        if (job->ask) {
            ask_cancel(job->ask);
            free(job);
        } else {
            close_all(job);
        }
    }
    free(actions);
}
