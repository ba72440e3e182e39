// SPDX-License-Identifier: GPL-2.0-or-later
// A connection is the supervisor's; here is a copy of it, which is closed before a word is said of it, since whoever goes on
// with it is not to share it.
#include "gate/herald/herald.h"

#include "base/list.h"
#include "base/memory.h"
#include "gate/channel/channel.h"
#include "gate/channel/forwarded.h"
#include "os/log.h"
#include "os/sandbox/sandbox.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <uv.h>

enum { DESCRIPTORS = 1024 }; // more than the supervisor has under way at a time

struct herald {
    uv_loop_t loop;
    uv_poll_t channel;
};

struct arrival {
    uv_poll_t poll;
    uv_timer_t patience;
    unsigned handles;
    int fd;
    uint32_t id;
    enum forwarded found;
    struct endpoint peer;
    size_t have, size; // bytes of the header, and how many it has at least
    uint8_t bytes[FORWARDED_MAX];
};

static void tell(const struct arrival *arrival)
{
    struct channel_message *message = memory_new(sizeof *message);
    message->type = CHANNEL_WHOSE;
    message->whose.id = arrival->id;
    message->whose.found = arrival->found;
    message->whose.peer = arrival->peer;
    channel_send(HERALD_CHANNEL_FD, message);
    free(message);
}

static void closed(uv_handle_t *handle)
{
    struct arrival *arrival = handle->data;
    if (--arrival->handles > 0)
        return;
    close(arrival->fd);
    tell(arrival);
    free(arrival);
}

static void finish(struct arrival *arrival, enum forwarded found)
{
    arrival->found = found;
    if (found != FORWARDED_PEER)
        arrival->peer = (struct endpoint){0};
    uv_close((uv_handle_t *)&arrival->poll, closed);
    uv_close((uv_handle_t *)&arrival->patience, closed);
}

static void lost_patience(uv_timer_t *timer)
{
    finish(timer->data, FORWARDED_SLOW);
}

// A balancer that asks whether the gate is there has nothing to say behind its header, and goes.
static void await_more(struct arrival *arrival)
{
    uint8_t byte;
    ssize_t len = recv(arrival->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (len > 0)
        finish(arrival, FORWARDED_OWN);
    else if (len == 0 || (errno != EAGAIN && errno != EINTR))
        finish(arrival, FORWARDED_ENDED);
}

static void ready(uv_poll_t *poll, int status, int events)
{
    struct arrival *arrival = poll->data;
    struct forwarded_header header;
    (void)status;
    (void)events;
    while (arrival->found == FORWARDED_PARTIAL) {
        ssize_t len = recv(arrival->fd, arrival->bytes + arrival->have, arrival->size - arrival->have, MSG_DONTWAIT);
        if (len < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (len <= 0) {
            finish(arrival, FORWARDED_ENDED);
            return;
        }
        arrival->have += (size_t)len;
        arrival->found = forwarded_read(arrival->bytes, arrival->have, &header);
        arrival->size = header.size;
        arrival->peer = header.peer;
    }
    if (arrival->found == FORWARDED_OWN)
        await_more(arrival);
    else
        finish(arrival, arrival->found);
}

static void take(struct herald *herald, const struct channel_message *message, int fd)
{
    struct arrival *arrival = memory_new(sizeof *arrival);
    arrival->fd = fd;
    arrival->id = message->came.id;
    arrival->found = FORWARDED_PARTIAL;
    arrival->size = FORWARDED_FIRST;
    arrival->handles = 2;
    arrival->poll.data = arrival->patience.data = arrival;
    uv_poll_init(&herald->loop, &arrival->poll, fd);
    uv_timer_init(&herald->loop, &arrival->patience);
    uv_poll_start(&arrival->poll, UV_READABLE | UV_DISCONNECT, ready);
    uv_timer_start(&arrival->patience, lost_patience, message->came.timeout_ms, 0);
}

static void hear(uv_poll_t *poll, int status, int events)
{
    struct herald *herald = poll->data;
    struct channel_message *message = memory_new(sizeof *message);
    enum channel_result result;
    int fds[CHANNEL_FDS_MAX];
    size_t count;
    (void)status;
    (void)events;
    while ((result = channel_receive_fds(HERALD_CHANNEL_FD, message, fds, &count)) == CHANNEL_TAKEN) {
        assert(message->type == CHANNEL_CAME && count == 1);
        take(herald, message, fds[0]);
    }
    free(message);
    if (result != CHANNEL_EMPTY)
        uv_stop(poll->loop); // the supervisor has none to ask about any more
}

static bool set_up(struct herald *herald, const char *user, struct fault *fault)
{
    log_set_name("usher-gate herald");
    sandbox_limits(DESCRIPTORS);
    if (!sandbox_refuse_io_uring(fault))
        return false;
    int result = uv_loop_init(&herald->loop);
    if (result < 0)
        return fault_set(fault, "cannot make an event loop: %s", uv_strerror(result));
    herald->channel.data = herald;
    uv_poll_init(&herald->loop, &herald->channel, HERALD_CHANNEL_FD);
    uv_poll_start(&herald->channel, UV_READABLE | UV_DISCONNECT, hear);
    if (!sandbox_drop(user, false, fault))
        return false;
    // A change of identity clears this, so it comes after.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return fault_set(fault, "no signal when the supervisor dies");
    return sandbox_seal_worker(fault);
}

int herald_main(const char *user)
{
    static struct herald herald;
    struct fault fault;
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (!set_up(&herald, user, &fault)) {
        log_error("herald: %s", fault.text);
        return 1;
    }
    uv_run(&herald.loop, UV_RUN_DEFAULT);
    return 0; // what is open goes with the process
}
