// SPDX-License-Identifier: GPL-2.0-or-later
// There is no socket before the answer, so one that is refused costs none.
#include "edge/listen/handed/internal.h"

#include "os/socket/pair.h"
#include "os/socket/socket.h"

#include <errno.h>
#include <string.h>

static void abandon(struct relay_flow *flow)
{
    handed_tell(handed_flow_of(flow), -1, ECONNABORTED, "the portal is going down");
    relay_stream_close((struct relay_stream *)flow, true);
}

static void refused(struct relay_flow *flow, enum usher_word word, const char *text)
{
    handed_tell_refused(handed_flow_of(flow), word, text);
    relay_stream_close((struct relay_stream *)flow, true);
}

static void fail(struct relay_flow *flow, int error)
{
    handed_tell(handed_flow_of(flow), -1, error, strerror(error));
    relay_flow_reset(flow, error);
    relay_stream_close((struct relay_stream *)flow, true);
}

static void opened(struct relay_flow *flow)
{
    struct relay_stream *stream = (struct relay_stream *)flow;
    int ends[2];
    if (!pair_stream(ends)) {
        fail(flow, errno);
        return;
    }
    socket_set_nodelay(ends[1]);
    if (relay_stream_join(stream, ends[0])) {
        relay_stream_placed(stream);
        handed_tell_opened(handed_flow_of(flow), ends[1]);
        return;
    }
    int error = errno;
    socket_close_reset(ends[1]);
    fail(flow, error);
}

void handed_streams_init(struct handed *handed)
{
    handed->streams = (struct relay_kind){
        .relay = handed->front.relay,
        .expired = relay_stream_expired,
        .abandon = abandon,
        .inside = handed_inside,
        .host = handed_host,
        .opened = opened,
        .refused = refused,
    };
}
