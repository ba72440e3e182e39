// SPDX-License-Identifier: GPL-2.0-or-later
// What a browser asks, and the answer, which is given at once or later; streams are answers without an end.
#ifndef CONSOLE_HTTP_REQUEST_H
#define CONSOLE_HTTP_REQUEST_H

#include "base/address.h"
#include "base/fault.h"
#include "console/form.h"
#include "console/markup.h"

#include <stdbool.h>

struct http_request;
struct http_stream;

enum { HTTP_STREAMS_MAX = 32 };

// To be answered by http_reply or http_stream, once, now or later.
typedef void http_handler(void *owner, struct http_request *request);

const char *http_path(const struct http_request *request);
bool http_is_post(const struct http_request *request);
const struct form *http_query(const struct http_request *request);
const struct form *http_form(const struct http_request *request);              // of a POST
const char *http_header(const struct http_request *request, const char *name); // NULL: none
struct endpoint http_peer(const struct http_request *request);
// Whom the client's certificate names, once it was judged; NULL with the reason: it has none that counts.
const char *http_peer_name(struct http_request *request, struct fault *why);

struct http_reply {
    unsigned status;
    const char *type;     // NULL: text/html
    struct markup body;   // taken over
    const char *location; // NULL: none
    const char *cookie;   // Set-Cookie; NULL: none
    bool may_keep;        // the browser, for an hour
};

void http_reply(struct http_request *request, const struct http_reply *reply);
// Server-sent events. `gone` is told once when the client is. NULL, and the request is answered, where there are too many.
struct http_stream *http_begin_stream(struct http_request *request,
                                      void (*gone)(void *owner, struct http_stream *stream), void *owner);
void http_stream_send(struct http_stream *stream, const char *text);

#endif
