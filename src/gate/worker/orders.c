// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/worker/orders.h"

#include "base/memory.h"
#include "gate/channel/channel.h"
#include "gate/channel/worker_start.h"
#include "gate/worker/internal.h"
#include "gate/worker/listing.h"
#include "gate/worker/news.h"
#include "gate/worker/serving.h"
#include "gate/worker/telling.h"
#include "os/log.h"

#include <assert.h>
#include <stdlib.h>

static void act_on(struct worker *worker, const struct channel_message *message, const int *fds, size_t count)
{
    switch (message->type) {
    case CHANNEL_FORWARDS:
        entrances_take_forwards(&worker->entrances, message->forwards.first, fds, count);
        break;
    case CHANNEL_FORWARDS_OVER:
        entrances_release_forwards(&worker->entrances);
        break;
    case CHANNEL_DRAIN:
        departure_begin(&worker->departure, message->drain.timeout_ms);
        node_wake(&worker->node);
        break;
    case CHANNEL_EXPORT:
        assert(count == 1);
        entrances_take_export(&worker->entrances, message, fds[0]);
        break;
    case CHANNEL_EXPORT_BACK:
        entrances_export_back(&worker->entrances);
        break;
    case CHANNEL_NEWS:
        assert(count == 1);
        news_take(worker, message->news.size, fds[0]);
        break;
    case CHANNEL_LOCALS:
        standing_take_locals(&worker->standing, message);
        break;
    case CHANNEL_POLL:
        telling_denials(WORKER_CHANNEL_FD, exchange_denials(worker->node.exchange));
        telling_facts(WORKER_CHANNEL_FD, &worker->node, worker->tunnel);
        break;
    case CHANNEL_LIST:
        listing_tell(WORKER_CHANNEL_FD, worker->node.exchange, worker->standing.policy, &message->list);
        break;
    case CHANNEL_SERVE:
        serving_begin(worker);
        break;
    case CHANNEL_LANE:
        assert(count == 1);
        continuing_take(&worker->continuing, message, fds[0]);
        node_wake(&worker->node);
        break;
    case CHANNEL_END:
        if (worker->has_shown) { // and the connection is another's: nothing is said on it
            uv_stop(&worker->loop);
            break;
        }
        accounting_ends(&worker->accounting, AUDIT_ENDED);
        tunnel_end(worker->tunnel, message->text);
        node_wake(&worker->node);
        break;
    default:
        abort(); // the supervisor is this very program
    }
}

static void event(uv_poll_t *poll, int status, int events)
{
    struct worker *worker = poll->data;
    struct channel_message *message = memory_new(sizeof(*message));
    enum channel_result result;
    int fds[CHANNEL_FDS_MAX];
    size_t count;
    (void)status;
    (void)events;
    while ((result = channel_receive_fds(WORKER_CHANNEL_FD, message, fds, &count)) == CHANNEL_TAKEN)
        act_on(worker, message, fds, count);
    free(message);
    if (result == CHANNEL_EMPTY)
        return;
    log_warning("%s: the supervisor is gone", *worker->who ? worker->who : worker->peer);
    uv_poll_stop(poll);
    uv_stop(&worker->loop);
}

void orders_watch(struct worker *worker)
{
    uv_poll_init(&worker->loop, &worker->channel, WORKER_CHANNEL_FD);
    worker->channel.data = worker;
    uv_poll_start(&worker->channel, UV_READABLE | UV_DISCONNECT, event);
}
