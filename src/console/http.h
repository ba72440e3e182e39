// SPDX-License-Identifier: GPL-2.0-or-later
// libmicrohttpd on our loop: one thread, one listening socket, bounds on everything.
#ifndef CONSOLE_HTTP_H
#define CONSOLE_HTTP_H

#include "console/http_request.h"

#include <uv.h>

struct http;
struct peer_judge; // console/peer.h

enum {
    HTTP_CONNECTIONS_MAX = 128,
    HTTP_REQUEST_SECONDS = 15,   // for a request to be whole, however slowly it comes
    HTTP_HEADER_MAX = 16 * 1024, // bytes of the request line and all headers
};

struct http_config {
    struct endpoint listen;
    const char *certificate, *key; // PEM; NULL: no TLS
    struct peer_judge *judge;      // of clients' certificates
    http_handler *handler;
    void *owner;
};

struct http *http_new(uv_loop_t *loop, const struct http_config *config, struct fault *fault);
void http_free(struct http *http);
struct endpoint http_where(const struct http *http); // with the port that the kernel has chosen, where 0 was asked for

#endif
