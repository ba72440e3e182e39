// SPDX-License-Identifier: GPL-2.0-or-later
// The herald is believed no more than a stranger: it can say wrong things of balancers' connections, which is what it was
// given, and nothing else. Its handles have a structure of their own, as one may be on its way out when the next begins.
#include "gate/supervisor/arrivals.h"

#include "base/list.h"
#include "base/memory.h"
#include "gate/channel/channel.h"
#include "gate/herald/herald.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/socket/socket.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SILENCE_MS = 3000, // beyond the time of a header, until a herald that says nothing of it is ended
    PAUSE_MS = 1000,   // before another one is started
};

struct herald_process {
    uv_process_t process;
    uv_poll_t channel;
    unsigned handles;
    int fd;
    struct arrivals *arrivals; // NULL: it is nobody's any more
};

struct waiting {
    struct list node; // in arrivals->waiting, the oldest first
    int fd;
    uint32_t id;
    struct endpoint balancer;
    usec_t until; // it is to be known by then
};

struct arrivals {
    struct arrivals_config config;
    struct herald_process *herald; // NULL: none
    usec_t not_before;             // that another is started
    struct list waiting;
    size_t count;
    uint32_t last_id;
    uint64_t passed, refused;
};

// Out of the list, and freed; its connection is the caller's.
static int leave(struct arrivals *arrivals, struct waiting *waiting)
{
    int fd = waiting->fd;
    list_remove(&waiting->node);
    arrivals->count--;
    free(waiting);
    return fd;
}

static void refuse(struct arrivals *arrivals, struct waiting *waiting, const char *why)
{
    struct endpoint balancer = waiting->balancer;
    arrivals->refused++;
    arrivals->config.refused(arrivals->config.owner, leave(arrivals, waiting), &balancer, why);
}

static void refuse_all(struct arrivals *arrivals, const char *why)
{
    while (arrivals->count)
        refuse(arrivals, container_of(arrivals->waiting.next, struct waiting, node), why);
}

static void closed(uv_handle_t *handle)
{
    struct herald_process *herald = handle->data;
    if (--herald->handles > 0)
        return;
    close(herald->fd);
    free(herald);
}

static void part_with(struct herald_process *herald)
{
    if (herald->arrivals)
        herald->arrivals->herald = NULL;
    herald->arrivals = NULL;
    uv_close((uv_handle_t *)&herald->process, closed);
    uv_close((uv_handle_t *)&herald->channel, closed);
}

static void exited(uv_process_t *process, int64_t code, int signal)
{
    struct herald_process *herald = process->data;
    struct arrivals *arrivals = herald->arrivals;
    part_with(herald);
    log_error("the herald, which reads PROXY headers, ended: %s %d", signal ? "signal" : "code",
              signal ? signal : (int)code);
    arrivals->not_before = clock_now() + PAUSE_MS * USEC_PER_MSEC;
    refuse_all(arrivals, "the process that reads PROXY headers has ended");
}

// One that is unknown gave way.
static struct waiting *find(const struct arrivals *arrivals, uint32_t id)
{
    list_for_each(node, &arrivals->waiting) {
        struct waiting *waiting = container_of(node, struct waiting, node);
        if (waiting->id == id)
            return waiting;
    }
    return NULL;
}

static void learn(struct arrivals *arrivals, const struct channel_message *message)
{
    struct waiting *waiting = find(arrivals, message->whose.id);
    enum forwarded found = message->whose.found;
    if (!waiting)
        return;
    if (found == FORWARDED_PEER || found == FORWARDED_OWN) {
        struct endpoint peer = found == FORWARDED_PEER ? message->whose.peer : waiting->balancer;
        arrivals->passed++;
        arrivals->config.came(arrivals->config.owner, leave(arrivals, waiting), &peer);
    } else if (found == FORWARDED_ENDED) {
        close(leave(arrivals, waiting)); // a balancer that asks whether we are there: not a word of that
    } else {
        refuse(arrivals, waiting, forwarded_why(found));
    }
}

static void hear(uv_poll_t *poll, int status, int events)
{
    struct herald_process *herald = poll->data;
    struct channel_message *message = memory_new(sizeof *message);
    enum channel_result result;
    (void)status;
    (void)events;
    while ((result = channel_receive(herald->fd, message)) == CHANNEL_TAKEN && message->type == CHANNEL_WHOSE)
        learn(herald->arrivals, message);
    free(message);
    if (result == CHANNEL_EMPTY)
        return;
    uv_poll_stop(poll);
    uv_process_kill(&herald->process, SIGKILL);
}

static int spawn(const struct arrivals *arrivals, struct herald_process *herald, int channel)
{
    char *args[] = {"usher-gate", HERALD_COMMAND, (char *)arrivals->config.user, NULL};
    uv_stdio_container_t fds[HERALD_FDS] = {
        [STDIN_FILENO] = {.flags = UV_IGNORE},
        [STDOUT_FILENO] = {.flags = UV_IGNORE},
        [STDERR_FILENO] = {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
        [HERALD_CHANNEL_FD] = {.flags = UV_INHERIT_FD, .data.fd = channel},
    };
    const uv_process_options_t options = {
        .file = "/proc/self/exe", .args = args, .stdio = fds, .stdio_count = HERALD_FDS, .exit_cb = exited};
    return uv_spawn(arrivals->config.loop, &herald->process, &options);
}

static bool start(struct arrivals *arrivals)
{
    int ends[2];
    if (clock_now() < arrivals->not_before)
        return false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        log_error("channel to the herald: %s", strerror(errno));
        return false;
    }
    struct herald_process *herald = memory_new(sizeof *herald);
    *herald = (struct herald_process){.handles = 2, .fd = ends[0], .arrivals = arrivals};
    herald->process.data = herald->channel.data = herald;
    int error = spawn(arrivals, herald, ends[1]);
    close(ends[1]);
    uv_poll_init(arrivals->config.loop, &herald->channel, ends[0]); // non-blocking from here on, at our end alone
    if (error) {
        log_error("start the herald: %s", uv_strerror(error));
        part_with(herald);
        return false;
    }
    uv_poll_start(&herald->channel, UV_READABLE | UV_DISCONNECT, hear);
    arrivals->herald = herald;
    return true;
}

static bool ask(const struct arrivals *arrivals, const struct waiting *waiting, uint64_t timeout_ms)
{
    struct channel_message *message = memory_new(sizeof *message);
    message->type = CHANNEL_CAME;
    message->came.id = waiting->id;
    message->came.timeout_ms = (uint32_t)timeout_ms;
    bool sent = channel_send_fds(arrivals->herald->fd, message, &waiting->fd, 1);
    free(message);
    return sent;
}

// What the herald still has of it ends by this, too.
static void give_way(struct arrivals *arrivals, struct waiting *oldest)
{
    shutdown(oldest->fd, SHUT_RDWR);
    refuse(arrivals, oldest, "its PROXY header had not come, and it gave way to another");
}

static void look_at_oldest(struct arrivals *arrivals, usec_t now)
{
    if (!arrivals->count)
        return;
    struct waiting *oldest = container_of(arrivals->waiting.next, struct waiting, node);
    if (oldest->until + SILENCE_MS * USEC_PER_MSEC < now) {
        log_error("the herald, which reads PROXY headers, does not answer: killed");
        arrivals_rest(arrivals);
    } else if (arrivals->count == ARRIVALS_MAX) {
        give_way(arrivals, oldest);
    }
}

void arrivals_take(struct arrivals *arrivals, int fd, const struct endpoint *balancer, uint64_t timeout_ms)
{
    usec_t now = clock_now();
    look_at_oldest(arrivals, now);
    struct waiting *waiting = memory_new(sizeof *waiting);
    *waiting = (struct waiting){
        .fd = fd, .id = ++arrivals->last_id, .balancer = *balancer, .until = now + timeout_ms * USEC_PER_MSEC};
    list_init(&waiting->node);
    list_push_back(&arrivals->waiting, &waiting->node);
    arrivals->count++;
    if (!arrivals->herald && !start(arrivals))
        refuse(arrivals, waiting, "there is no process that reads PROXY headers");
    else if (!ask(arrivals, waiting, timeout_ms))
        refuse(arrivals, waiting, "the process that reads PROXY headers does not take it");
}

void arrivals_rest(struct arrivals *arrivals)
{
    struct herald_process *herald = arrivals->herald;
    if (herald) {
        pid_t pid = herald->process.pid;
        part_with(herald);
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    refuse_all(arrivals, "it had not said whose it is when the gate stopped to ask");
}

struct arrivals *arrivals_new(const struct arrivals_config *config)
{
    struct arrivals *arrivals = memory_new(sizeof *arrivals);
    *arrivals = (struct arrivals){.config = *config};
    list_init(&arrivals->waiting);
    return arrivals;
}

void arrivals_free(struct arrivals *arrivals)
{
    if (!arrivals)
        return;
    arrivals_rest(arrivals);
    free(arrivals);
}

void arrivals_describe(const struct arrivals *arrivals, struct facts *facts)
{
    facts_gauge(facts, "waiting", "connections of balancers that have not said whose they are", FACT_COUNT,
                arrivals->count);
    facts_counter(facts, "passed", "connections that balancers have passed on", FACT_COUNT, arrivals->passed);
    facts_counter(facts, "refused", "connections of balancers that said it wrongly, or not in time", FACT_COUNT,
                  arrivals->refused);
}
