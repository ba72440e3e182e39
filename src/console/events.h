// SPDX-License-Identifier: GPL-2.0-or-later
// Pages that are open hear that there is something new, and fetch themselves.
#ifndef CONSOLE_EVENTS_H
#define CONSOLE_EVENTS_H

#include "console/http_request.h"

struct events {
    struct http_stream *streams[HTTP_STREAMS_MAX];
    size_t count;
};

void events_join(struct events *events, struct http_request *request);
void events_tell(struct events *events, unsigned round);

#endif
