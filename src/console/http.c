// SPDX-License-Identifier: GPL-2.0-or-later
// The library waits in an epoll instance of its own, which is one descriptor for our loop. A request that waits for its
// answer, and a stream that has nothing to say, are suspended; so they cost no time, and their ends are noticed when they
// are written to.

#include "console/http.h"

#include "base/memory.h"
#include "console/http_internal.h"
#include "os/clock.h"
#include "os/socket/socket.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BACKLOG = 64,
    CONNECTIONS_OF_ONE = 48, // address, where others than this host come
    URI_MAX = 2048,
    IDLE_SECONDS = 60,
    SWEEP_MS = 1000,
};

// A TCP connection: when its present request must be whole.
struct line {
    struct list node;
    int fd;
    usec_t due; // 0: nothing has begun, or all is there
};

// The loop

static void ran_out(uv_timer_t *timer);

static void run(struct http *http)
{
    MHD_UNSIGNED_LONG_LONG ms;
    MHD_run(http->daemon);
    if (MHD_get_timeout(http->daemon, &ms) == MHD_YES)
        uv_timer_start(&http->timer, ran_out, ms, 0);
}

static void ran_out(uv_timer_t *timer)
{
    run(timer->data);
}

// The library looks at it in its next run.
void http_resume(struct http_request *request)
{
    request->suspended = false;
    MHD_resume_connection(request->connection);
    uv_timer_start(&request->http->timer, ran_out, 0, 0);
}

static void ready(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run(poll->data);
}

static void sweep(uv_timer_t *timer)
{
    struct http *http = timer->data;
    usec_t now = clock_now();
    list_for_each(node, &http->lines) {
        struct line *line = container_of(node, struct line, node);
        if (line->due && now > line->due)
            shutdown(line->fd, SHUT_RDWR);
    }
    run(http); // whoever waited for a place: the library listens again only in the run after the one that freed it
}

// What the library calls

static struct line *line_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

// Before anything else of a request; what it returns is the request's in the calls that follow.
static void *begin(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct http *http = cls;
    struct http_request *request = memory_new(sizeof *request);
    request->http = http;
    request->connection = connection;
    request->uri = memory_text(strlen(uri) > URI_MAX ? "" : uri);
    char *query = strchr(request->uri, '?');
    if (query)
        *query++ = '\0';
    struct line *line = line_of(connection);
    if (line && !line->due)
        line->due = clock_now() + HTTP_REQUEST_SECONDS * USEC_PER_SEC;
    request->is_bad = *request->uri != '/' || (query && !form_read(&request->query, query, strlen(query)));
    list_push_back(&http->requests, &request->node);
    return request;
}

static void take_body(struct http_request *request, const char *data, size_t len)
{
    if (len > sizeof request->body - request->body_len) {
        request->is_bad = true;
        return;
    }
    memcpy(request->body + request->body_len, data, len);
    request->body_len += len;
}

static void handle(struct http_request *request, const char *method)
{
    request->is_post = !strcmp(method, MHD_HTTP_METHOD_POST);
    if (request->is_post)
        request->is_bad |= !form_read(&request->form, request->body, request->body_len);
    if (request->is_bad)
        http_refuse(request, MHD_HTTP_BAD_REQUEST, "That is no request of a page of this console.");
    else if (!request->is_post && strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
        http_refuse(request, MHD_HTTP_METHOD_NOT_ALLOWED, "There is GET, HEAD and POST.");
    else
        request->http->handler(request->http->owner, request);
}

static enum MHD_Result asked(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                             const char *version, const char *data, size_t *len, void **context)
{
    struct http_request *request = *context;
    struct line *line = line_of(connection);
    (void)cls;
    (void)url;
    (void)version;
    if (*len) {
        take_body(request, data, *len);
        *len = 0;
        return MHD_YES;
    }
    if (!request->begun) {
        request->begun = true; // the first call comes before the body: to answer now would end the connection
        return MHD_YES;
    }
    if (line)
        line->due = 0;
    if (!request->handled) {
        request->handled = true;
        handle(request, method);
    }
    if (!request->response) {
        request->suspended = true;
        MHD_suspend_connection(connection);
        return MHD_YES;
    }
    enum MHD_Result queued = MHD_queue_response(connection, request->status, request->response);
    MHD_destroy_response(request->response);
    request->response = NULL;
    return queued;
}

static void completed(void *cls, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode how)
{
    struct http_request *request = *context;
    struct line *line = line_of(connection);
    (void)cls;
    (void)how;
    if (!request)
        return;
    *context = NULL;
    if (line)
        line->due = 0;
    if (request->stream) {
        request->http->streams--;
        request->stream->gone(request->stream->owner, request->stream);
        markup_free(&request->stream->pending);
        free(request->stream);
    }
    if (request->response)
        MHD_destroy_response(request->response);
    list_remove(&request->node);
    free(request->uri);
    free(request);
}

// A connection begins or ends. One that has said nothing yet must say all of its first request in time.
static void notice(void *cls, struct MHD_Connection *connection, void **context,
                   enum MHD_ConnectionNotificationCode what)
{
    struct http *http = cls;
    struct line *line = *context;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (line)
            list_remove(&line->node);
        free(line);
        *context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    line = memory_new(sizeof *line);
    line->fd = info ? info->connect_fd : -1;
    line->due = clock_now() + HTTP_REQUEST_SECONDS * USEC_PER_SEC;
    list_push_back(&http->lines, &line->node);
    *context = line;
}

// Beginning and end

static bool start_daemon(struct http *http, const struct http_config *config, int fd, struct fault *fault)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (config->key ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)config->certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)config->key},
        {MHD_OPTION_HTTPS_MEM_TRUST, 0, config->judge ? (void *)peer_judge_authorities(config->judge) : NULL},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, CONNECTIONS_OF_ONE, NULL},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)"SECURE128:-VERS-ALL:+VERS-TLS1.3"},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    http->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, asked, http, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK,
                         begin, http, MHD_OPTION_NOTIFY_COMPLETED, completed, http, MHD_OPTION_NOTIFY_CONNECTION,
                         notice, http, MHD_OPTION_CONNECTION_LIMIT, HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                         IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_HEADER_MAX, MHD_OPTION_ARRAY,
                         config->key ? tls : none, MHD_OPTION_END);
    return http->daemon || fault_set(fault, "the web server does not start%s",
                                     config->key ? ": Certificate and Key do not fit, or are none" : "");
}

static void closed(uv_handle_t *handle)
{
    struct http *http = handle->data;
    if (!--http->handles)
        free(http);
}

static bool watch(struct http *http)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info || uv_poll_init(http->loop, &http->poll, info->listen_fd) < 0)
        return false;
    uv_timer_init(http->loop, &http->timer);
    uv_timer_init(http->loop, &http->sweep);
    http->handles = 3;
    http->poll.data = http->timer.data = http->sweep.data = http;
    uv_poll_start(&http->poll, UV_READABLE, ready);
    uv_timer_start(&http->timer, ran_out, 0, 0);
    uv_timer_start(&http->sweep, sweep, SWEEP_MS, SWEEP_MS);
    return true;
}

struct http *http_new(uv_loop_t *loop, const struct http_config *config, struct fault *fault)
{
    struct http *http = memory_new(sizeof *http);
    http->handler = config->handler;
    http->owner = config->owner;
    http->judge = config->judge;
    http->loop = loop;
    list_init(&http->requests);
    list_init(&http->lines);
    int fd = socket_listen(&config->listen, BACKLOG, fault);
    bool ok = fd >= 0 && socket_local(fd, &http->where) && start_daemon(http, config, fd, fault);
    if (fd >= 0 && !ok)
        close(fd);
    if (ok && !watch(http)) {
        MHD_stop_daemon(http->daemon);
        ok = fault_set(fault, "the web server cannot be watched");
    }
    if (ok)
        return http;
    free(http);
    return NULL;
}

struct endpoint http_where(const struct http *http)
{
    return http->where;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    uv_poll_stop(&http->poll);
    list_for_each(node, &http->requests) {
        struct http_request *request = container_of(node, struct http_request, node);
        request->stopping = true;
        if (request->suspended && !request->stream)
            http_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "This console is ending.");
        else if (request->suspended)
            http_resume(request);
    }
    MHD_run(http->daemon);
    MHD_stop_daemon(http->daemon);
    uv_close((uv_handle_t *)&http->poll, closed);
    uv_close((uv_handle_t *)&http->timer, closed);
    uv_close((uv_handle_t *)&http->sweep, closed);
}
