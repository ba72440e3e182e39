// SPDX-License-Identifier: GPL-2.0-or-later
// What a web server consists of: for the files that make it up, and nobody else.
#ifndef CONSOLE_HTTP_INTERNAL_H
#define CONSOLE_HTTP_INTERNAL_H

#include "base/address.h"
#include "base/list.h"
#include "console/form.h"
#include "console/markup.h"
#include "console/peer.h"

#include <microhttpd.h>
#include <uv.h>

struct http_request;

struct http {
    struct MHD_Daemon *daemon;
    void (*handler)(void *owner, struct http_request *request);
    void *owner; // of the handler
    struct peer_judge *judge;
    struct endpoint where;
    uv_loop_t *loop;
    uv_poll_t poll;
    uv_timer_t timer, sweep;
    struct list requests;
    struct list lines; // connections
    unsigned streams, handles;
};

struct http_stream {
    struct http_request *request;
    struct markup pending;
    void (*gone)(void *owner, struct http_stream *stream);
    void *owner;
};

struct http_request {
    struct list node;
    struct http *http;
    struct MHD_Connection *connection;
    char *uri;
    bool is_bad, is_post, begun, handled, suspended, stopping;
    struct form query, form;
    char body[FORM_MAX];
    size_t body_len;
    char peer_name[PEER_NAME_SIZE];
    struct MHD_Response *response; // to be queued
    unsigned status;
    struct http_stream *stream;
};

// Of a request that is suspended.
void http_resume(struct http_request *request);
// One sentence, as text.
void http_refuse(struct http_request *request, unsigned status, const char *why);

#endif
