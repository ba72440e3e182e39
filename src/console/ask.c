// SPDX-License-Identifier: GPL-2.0-or-later
// An ask owns two handles and goes when both are closed.

#include "console/ask.h"

#include "base/memory.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum {
    LINE_SIZE = 320,
    ANSWER_MAX = 64 * 1024 * 1024, // bytes: a hundred times what 1,000 portals, or 10,000 flows, take
    PATIENCE_MS = 10000,
};

struct ask {
    uv_pipe_t pipe;
    uv_timer_t timer;
    uv_connect_t connect;
    uv_write_t write;
    char line[LINE_SIZE];
    char *text;
    size_t len, size;
    unsigned handles;
    ask_done *done; // NULL: was told, or nobody wants to know
    void *owner;
};

static void closed(uv_handle_t *handle)
{
    struct ask *ask = handle->data;
    if (--ask->handles)
        return;
    free(ask->text);
    free(ask);
}

void ask_cancel(struct ask *ask)
{
    ask->done = NULL;
    if (uv_is_closing((uv_handle_t *)&ask->pipe))
        return;
    uv_close((uv_handle_t *)&ask->pipe, closed);
    uv_close((uv_handle_t *)&ask->timer, closed);
}

static void finish(struct ask *ask, const struct told *answer, const struct fault *why)
{
    ask_done *done = ask->done;
    if (!done)
        return;
    ask_cancel(ask);
    done(ask->owner, answer, why);
}

static void fail(struct ask *ask, const char *why)
{
    struct fault fault;
    fault_set(&fault, "%s", why);
    finish(ask, NULL, &fault);
}

static void ran_out(uv_timer_t *timer)
{
    fail(timer->data, "it does not answer");
}

static void judge(struct ask *ask)
{
    const struct told *answer = ask->len ? told_parse(ask->text, ask->len) : NULL;
    const char *error = told_text(answer, "error");
    if (!answer) {
        fail(ask, ask->len ? "its answer is not understood" : "it hung up: this console may not ask it");
    } else if (error) {
        char shown[256];
        fail(ask, text_escape(shown, sizeof shown, error));
        told_free(answer);
    } else {
        finish(ask, answer, NULL);
    }
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct ask *ask = handle->data;
    if (ask->size - ask->len < suggested / 2 && ask->size < ANSWER_MAX) {
        ask->size = ask->size ? 2 * ask->size : suggested;
        ask->text = memory_resize(ask->text, ask->size);
    }
    *buf = uv_buf_init(ask->text + ask->len, (unsigned)(ask->size - ask->len));
}

static void received(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct ask *ask = stream->data;
    (void)buf;
    if (len > 0)
        ask->len += (size_t)len;
    else if (len == UV_EOF)
        judge(ask);
    else if (len < 0)
        fail(ask, len == UV_ENOBUFS ? "its answer is too long" : uv_strerror((int)len));
}

static void written(uv_write_t *write, int status)
{
    struct ask *ask = write->data;
    if (status < 0 && status != UV_ECANCELED && status != UV_EPIPE) // with the last one it may have said why
        fail(ask, uv_strerror(status));
}

static void connected(uv_connect_t *connect, int status)
{
    struct ask *ask = connect->data;
    uv_buf_t buf = uv_buf_init(ask->line, (unsigned)strlen(ask->line));
    ask->write.data = ask;
    if (status == UV_ECANCELED)
        return;
    if (status == UV_ECONNREFUSED || status == UV_ENOENT)
        fail(ask, ASK_ABSENT);
    else if (status == UV_EACCES || status == UV_EPERM)
        fail(ask, "this console may not ask it: ControlGroup in its configuration says who may");
    else if (status < 0 || uv_write(&ask->write, (uv_stream_t *)&ask->pipe, &buf, 1, written) < 0 ||
             uv_read_start((uv_stream_t *)&ask->pipe, give_room, received) < 0)
        fail(ask, status < 0 ? uv_strerror(status) : "it cannot be asked");
}

struct ask *ask_start(uv_loop_t *loop, const char *path, const char *line, ask_done *done, void *owner)
{
    struct ask *ask = memory_new(sizeof *ask);
    ask->handles = 2;
    ask->done = done;
    ask->owner = owner;
    size_t len = strlen(line);
    if (len > sizeof ask->line - 2)
        len = sizeof ask->line - 2; // callers have judged it; what is cut is refused there
    memcpy(ask->line, line, len);
    ask->line[len] = '\n';
    uv_pipe_init(loop, &ask->pipe, 0);
    uv_timer_init(loop, &ask->timer);
    ask->pipe.data = ask->timer.data = ask->connect.data = ask;
    uv_timer_start(&ask->timer, ran_out, PATIENCE_MS, 0);
    uv_pipe_connect(&ask->connect, &ask->pipe, path, connected); // tells failures there as well
    return ask;
}
