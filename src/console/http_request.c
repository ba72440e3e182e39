// SPDX-License-Identifier: GPL-2.0-or-later
// What is asked, and answers to it: at once, later, or without an end.
#include "console/http_request.h"

#include "base/memory.h"
#include "console/http_internal.h"
#include "os/socket/socket.h"

#include <stdlib.h>
#include <string.h>

// Of a client that does not read: it gets no more.
enum { STREAM_PENDING_MAX = 64 * 1024 };

const char *http_path(const struct http_request *request)
{
    return request->uri;
}

bool http_is_post(const struct http_request *request)
{
    return request->is_post;
}

const struct form *http_query(const struct http_request *request)
{
    return &request->query;
}

const struct form *http_form(const struct http_request *request)
{
    return &request->form;
}

const char *http_header(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

struct endpoint http_peer(const struct http_request *request)
{
    struct endpoint peer = {0};
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info)
        socket_peer(info->connect_fd, &peer);
    return peer;
}

const char *http_peer_name(struct http_request *request, struct fault *why)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (*request->peer_name)
        return request->peer_name;
    if (!info || !request->http->judge) {
        fault_set(why, "it came without TLS");
        return NULL;
    }
    return peer_judge(request->http->judge, info->tls_session, request->peer_name, why) ? request->peer_name : NULL;
}

// Answers

static void add_headers(struct MHD_Response *response)
{
    static const char *const headers[][2] = {
        {"Content-Security-Policy",
         "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src "
         "'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "same-origin"}, // with none at all a form's Origin would be null
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        MHD_add_response_header(response, headers[i][0], headers[i][1]);
}

static void set_response(struct http_request *request, unsigned status, struct MHD_Response *response)
{
    add_headers(response);
    request->status = status;
    request->response = response;
    if (request->suspended)
        http_resume(request);
}

void http_reply(struct http_request *request, const struct http_reply *reply)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(reply->body.len, reply->body.bytes, MHD_RESPMEM_MUST_FREE);
    MHD_add_response_header(response, "Content-Type", reply->type ? reply->type : "text/html; charset=utf-8");
    MHD_add_response_header(response, "Cache-Control", reply->may_keep ? "private, max-age=3600" : "no-store");
    if (reply->location)
        MHD_add_response_header(response, "Location", reply->location);
    if (reply->cookie)
        MHD_add_response_header(response, "Set-Cookie", reply->cookie);
    set_response(request, reply->status, response);
}

void http_refuse(struct http_request *request, unsigned status, const char *why)
{
    struct markup body = {0};
    markup_raw(&body, why);
    markup_raw(&body, "\n");
    http_reply(request, &(struct http_reply){.status = status, .type = "text/plain; charset=utf-8", .body = body});
}

static ssize_t pull_stream(void *cls, uint64_t at, char *room, size_t size)
{
    struct http_request *request = cls;
    struct markup *pending = &request->stream->pending;
    (void)at;
    if (request->stopping)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (!pending->len) {
        request->suspended = true;
        MHD_suspend_connection(request->connection);
        return 0;
    }
    size_t len = pending->len < size ? pending->len : size;
    memcpy(room, pending->bytes, len);
    memmove(pending->bytes, pending->bytes + len, pending->len - len);
    pending->len -= len;
    return (ssize_t)len;
}

struct http_stream *http_begin_stream(struct http_request *request,
                                      void (*gone)(void *owner, struct http_stream *stream), void *owner)
{
    struct http *http = request->http;
    if (http->streams == HTTP_STREAMS_MAX) {
        http_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "Too many pages are open.");
        return NULL;
    }
    http->streams++;
    struct http_stream *stream = memory_new(sizeof *stream);
    *stream = (struct http_stream){.request = request, .gone = gone, .owner = owner};
    request->stream = stream;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, pull_stream, request, NULL);
    MHD_add_response_header(response, "Content-Type", "text/event-stream");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    set_response(request, MHD_HTTP_OK, response);
    return stream;
}

void http_stream_send(struct http_stream *stream, const char *text)
{
    struct http_request *request = stream->request;
    if (stream->pending.len > STREAM_PENDING_MAX)
        return;
    markup_raw(&stream->pending, text);
    if (request->suspended)
        http_resume(request);
}
