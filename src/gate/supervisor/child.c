// SPDX-License-Identifier: GPL-2.0-or-later
// A worker as the supervisor sees it. Two handles (channel, timer) belong to it, and the structure goes when all
// are closed. Whatever a worker does against the rules of the channel costs it its life, never the supervisor's.

#include "gate/supervisor/child.h"

#include "base/memory.h"
#include "base/text.h"
#include "gate/channel/worker_start.h"
#include "os/clock.h"
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FAREWELL_MS = 3000 };   // a worker's tunnel_end needs 1 s at most
enum { MESSAGES_BUDGET = 32 }; // of one worker, before others have their turn

void child_close_socket(struct child *child)
{
    if (child->socket_fd >= 0)
        close(child->socket_fd);
    child->socket_fd = -1;
}

static void closed(uv_handle_t *handle)
{
    struct child *child = handle->data;
    if (--child->handles > 0)
        return;
    if (child->channel_fd >= 0)
        close(child->channel_fd);
    child_close_socket(child);
    free(child->facts);
    free(child);
}

void child_kill(struct child *child)
{
    if (!child->gone)
        kill(child->pid, SIGKILL);
}

static enum channel_result hear(struct child *child)
{
    struct channel_message *message = memory_new(sizeof *message);
    enum channel_result result;
    for (unsigned i = 0; (result = channel_receive(child->channel_fd, message)) == CHANNEL_TAKEN; i++) {
        if (!claims_take(child, message))
            result = CHANNEL_BROKEN;
        else if (i < MESSAGES_BUDGET || child->gone)
            continue;
        break;
    }
    free(message);
    return result;
}

static void channel_event(uv_poll_t *poll, int status, int events)
{
    struct child *child = poll->data;
    (void)status;
    (void)events;
    enum channel_result result = hear(child);
    if (result == CHANNEL_EMPTY || result == CHANNEL_TAKEN)
        return;
    uv_poll_stop(poll);
    if (result == CHANNEL_BROKEN)
        log_error("worker %d sent what no worker sends: killed", (int)child->pid);
    child_kill(child); // a process that ends by itself has closed its channel too late to notice
}

void child_catch_up(struct child *child)
{
    if (uv_is_active((uv_handle_t *)&child->channel))
        channel_event(&child->channel, 0, UV_READABLE);
}

static void close_handles(struct child *child)
{
    uv_close((uv_handle_t *)&child->channel, closed);
    uv_close((uv_handle_t *)&child->patience, closed);
}

static void ended(void *owner, int code, int signal)
{
    struct child *child = owner;
    child->gone = true; // its number may be another's by now
    if (uv_is_active((uv_handle_t *)&child->channel))
        hear(child); // its last words
    child_close_socket(child);
    child->ops->ended(child->owner, child, code, signal);
    close_handles(child);
    process_watch_free(child->watch);
}

// One that another version of this program has started understands these, whatever else has changed.
static bool is_known_to_all(const struct channel_message *message)
{
    return message->type == CHANNEL_END || message->type == CHANNEL_DRAIN || message->type == CHANNEL_FORWARDS_OVER;
}

void child_hand(struct child *child, const struct channel_message *message, const int *fds, size_t count)
{
    if (child->stranger && !is_known_to_all(message)) {
        if (!child->ending)
            child_end(child, "the gate was upgraded, and what is to be said now its old worker does not understand");
        return;
    }
    if (channel_send_fds(child->channel_fd, message, fds, count) || errno == EPIPE || errno == ECONNRESET)
        return;
    log_error("worker %d does not listen: killed", (int)child->pid);
    child_kill(child);
}

void child_tell(struct child *child, const struct channel_message *message)
{
    child_hand(child, message, NULL, 0);
}

void child_poll(struct child *child)
{
    static const struct channel_message message = {.type = CHANNEL_POLL};
    if (child->stranger)
        return;
    child->polled = channel_send(child->channel_fd, &message);
}

bool child_ask_flows(struct child *child, const struct channel_place *behind)
{
    if (child->stranger || child->asked_flows || child->gone)
        return false;
    struct channel_message *message = memory_new(sizeof *message);
    message->type = CHANNEL_LIST;
    message->list = child->asked_place = *behind;
    child->asked_flows = channel_try_send(child->channel_fd, message);
    free(message);
    return child->asked_flows;
}

static void lost_patience(uv_timer_t *timer)
{
    struct child *child = timer->data;
    log_warning("worker %d was told to end and did not: killed", (int)child->pid);
    child_kill(child);
}

void child_drain(struct child *child, uint64_t timeout_ms)
{
    struct channel_message *message = memory_new(sizeof *message);
    child->draining = true;
    message->type = CHANNEL_DRAIN;
    message->drain.timeout_ms = timeout_ms;
    child_tell(child, message);
    free(message);
}

void child_end(struct child *child, const char *reason)
{
    if (!child->ending)
        uv_timer_start(&child->patience, lost_patience, FAREWELL_MS, 0);
    struct channel_message *message = memory_new(sizeof *message);
    child->ending = true;
    message->type = CHANNEL_END;
    strncpy(message->text, reason, sizeof message->text - 1);
    child_tell(child, message);
    free(message);
}

static void tell_text(struct facts *facts, const char *name, const char *help, const char *text)
{
    char room[2 * TLS_NAME_SIZE];
    facts_text(facts, name, help, text_escape(room, sizeof room, text));
}

void child_describe(const struct child *child, struct facts *facts)
{
    char address[ENDPOINT_TEXT_SIZE];
    tell_text(facts, "identity", "of the portal, by its certificate", child->name);
    tell_text(facts, "serial", "of the portal's certificate", child->serial);
    tell_text(facts, "cipher", "that was agreed", child->cipher);
    facts_gauge(facts, "expires", "when the portal's certificate is out of date", FACT_UNIX_SECONDS,
                child->expires / USEC_PER_SEC);
    facts_text(facts, "address", "where the portal comes from", endpoint_text(&child->peer, address));
    facts_gauge(facts, "since", "when it logged in", FACT_UNIX_SECONDS, (uint64_t)child->since);
    if (child->draining)
        facts_gauge(facts, "draining", "it ends with its last session: what is new goes to another one", FACT_SWITCH,
                    1);
    facts_gauge(facts, "pid", "of its worker", FACT_COUNT, (uint64_t)child->pid);
    facts_gauge(facts, "sessions", "sessions that are open", FACT_COUNT, child->sessions);
    facts_counter(facts, "bytes_in", "payload from the portal", FACT_BYTES, child->bytes_in);
    facts_counter(facts, "bytes_out", "payload to the portal", FACT_BYTES, child->bytes_out);
    if (!child->facts)
        return;
    struct reader r = reader_over(child->facts, child->facts_len);
    facts_wire_read(&r, facts); // was checked when it came
}

// The worker counts on each.
static pid_t spawn(struct template *template, int socket_fd, int channel_fd, int handover_fd, struct fault *fault)
{
    int hosts = open("/etc/hosts", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (hosts < 0)
        hosts = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int fds[WORKER_HANDED] = {socket_fd, channel_fd, handover_fd, hosts};
    if (hosts < 0) {
        fault_errno(fault, errno, "start a worker");
        return 0;
    }
    pid_t pid = template_fork(template, fds, fault);
    close(hosts);
    return pid;
}

static void tell_peer(struct child *child)
{
    struct channel_message *message = memory_new(sizeof *message);
    message->type = CHANNEL_PEER;
    message->peer = child->peer;
    child_tell(child, message);
    free(message);
}

// What it lacks to be one: its channel's end is open, and its process runs.
static struct child *watch(struct child *child, uv_loop_t *loop, struct fault *fault)
{
    child->watch = process_watch_new(loop, child->pid, ended, child, fault);
    if (!child->watch) {
        free(child);
        return NULL;
    }
    list_init(&child->node);
    claims_init(child);
    child->channel.data = child->patience.data = child;
    child->handles = 2;
    uv_timer_init(loop, &child->patience);
    uv_poll_init(loop, &child->channel, child->channel_fd); // non-blocking from here on, at our end alone
    uv_poll_start(&child->channel, UV_READABLE | UV_DISCONNECT, channel_event);
    return child;
}

struct child *child_new(uv_loop_t *loop, struct template *template, int fd, int handover_fd,
                        const struct endpoint *peer, const struct channel_message *locals, const struct child_ops *ops,
                        void *owner, struct fault *fault)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        fault_errno(fault, errno, "channel to a worker");
        close(fd);
        return NULL;
    }
    pid_t pid = spawn(template, fd, ends[1], handover_fd, fault);
    close(ends[1]);
    struct child *child = pid ? memory_new(sizeof *child) : NULL;
    if (child) {
        *child = (struct child){.peer = *peer,
                                .since = time(NULL),
                                .pid = pid,
                                .channel_fd = ends[0],
                                .socket_fd = fd,
                                .ops = ops,
                                .owner = owner};
        child = watch(child, loop, fault);
    }
    if (!child) {
        close(ends[0]); // by which a worker that nobody watches ends
        close(fd);
        return NULL;
    }
    child_tell(child, locals);
    tell_peer(child);
    return child;
}

struct child *child_adopt(uv_loop_t *loop, const struct state_child *was, bool stranger, const struct child_ops *ops,
                          void *owner, struct fault *fault)
{
    struct child *child = memory_new(sizeof *child);
    *child = (struct child){
        .peer = was->peer,
        .since = (time_t)was->since,
        .up = was->up,
        .ending = was->ending,
        .draining = was->draining,
        .wants_to_leave = was->wants_to_leave,
        .listens = was->listens,
        .captures = was->captures,
        .replacements = was->replacements,
        .expires = was->expires,
        .inherited = true,
        .owes_facts = true,
        .owes_flows = true,
        .stranger = stranger || was->stranger,
        .pid = (pid_t)was->pid,
        .channel_fd = was->channel,
        .socket_fd = was->socket,
        .ops = ops,
        .owner = owner,
    };
    strcpy(child->name, was->name);
    strcpy(child->serial, was->serial);
    strcpy(child->cipher, was->cipher);
    child = watch(child, loop, fault);
    if (child && child->ending)
        uv_timer_start(&child->patience, lost_patience, FAREWELL_MS, 0);
    return child;
}

void child_save(const struct child *child, struct state_child *out)
{
    *out = (struct state_child){
        .pid = (uint32_t)child->pid,
        .channel = child->channel_fd,
        .socket = child->socket_fd,
        .peer = child->peer,
        .since = (uint64_t)child->since,
        .up = child->up,
        .ending = child->ending,
        .draining = child->draining,
        .wants_to_leave = child->wants_to_leave,
        .listens = child->listens,
        .captures = child->captures,
        .stranger = child->stranger,
        .replacements = child->replacements,
        .expires = child->expires,
    };
    strcpy(out->name, child->name);
    strcpy(out->serial, child->serial);
    strcpy(out->cipher, child->cipher);
    for (size_t i = 0; i < STATE_TICKETS_MAX; i++)
        if (child->holder.slots[i].holder)
            memcpy(out->tickets[out->ticket_count++], child->holder.slots[i].number, TLS_TICKET_SIZE);
}
