// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/events.h"

#include <stdio.h>

static void gone(void *owner, struct http_stream *stream)
{
    struct events *events = owner;
    for (size_t i = 0; i < events->count; i++)
        if (events->streams[i] == stream)
            events->streams[i--] = events->streams[--events->count];
}

void events_join(struct events *events, struct http_request *request)
{
    struct http_stream *stream = http_begin_stream(request, gone, events);
    if (!stream)
        return;
    events->streams[events->count++] = stream;
    http_stream_send(stream, "retry: 3000\n\n");
}

void events_tell(struct events *events, unsigned round)
{
    char text[64];
    snprintf(text, sizeof text, "data: %u\n\n", round);
    for (size_t i = 0; i < events->count; i++)
        http_stream_send(events->streams[i], text);
}
