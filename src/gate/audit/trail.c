// SPDX-License-Identifier: GPL-2.0-or-later
// Lines gather during a turn of the loop and go in packets before it sleeps. What a writer has not confirmed when it dies is
// counted as lost.
#include "gate/audit/trail.h"

#include "base/memory.h"
#include "gate/audit/writer.h"
#include "os/clock.h"
#include "os/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    WAITING_MAX = 1 << 20, // bytes of lines for which the writer has no room yet: two seconds of a very busy gate
    FAREWELL_MS = 2000,    // what the last lines may take
};

#define RESTART_PAUSE USEC_PER_SEC

// One process that writes.
struct scribe {
    struct trail *trail; // NULL: it is left to itself
    uv_process_t process;
    uv_poll_t poll;
    int fd;
    uint64_t owed; // lines that were sent and not confirmed
    unsigned handles;
};

struct trail {
    uv_loop_t *loop;
    uv_prepare_t flush;
    char *gate, *file;
    char *path;            // NULL: off
    struct scribe *scribe; // NULL: none runs
    usec_t not_before;     // another one starts
    char *bytes;           // whole lines that wait
    size_t len, size;
    char *room; // for one line
    uint64_t written, lost;
    uint64_t dropped; // of the lost: those that no line tells of yet
    int error;        // what the log was told last
};

static void closed(uv_handle_t *handle)
{
    struct scribe *scribe = handle->data;
    if (--scribe->handles == 0)
        free(scribe);
}

// What it has is written all the same.
static void let_go(struct scribe *scribe)
{
    struct trail *trail = scribe->trail;
    if (trail) {
        trail->scribe = NULL;
        trail->lost += scribe->owed;
        trail->dropped += scribe->owed;
        scribe->trail = NULL;
    }
    if (scribe->fd < 0)
        return;
    uv_close((uv_handle_t *)&scribe->poll, closed);
    close(scribe->fd);
    scribe->fd = -1;
}

static void exited(uv_process_t *process, int64_t code, int signal)
{
    struct scribe *scribe = process->data;
    if (scribe->trail)
        log_error("Audit: what writes %s has ended (code %d, signal %d), and is started again", scribe->trail->path,
                  (int)code, signal);
    let_go(scribe);
    uv_close((uv_handle_t *)process, closed);
}

static void tell_error(struct trail *trail, int error)
{
    if (error == trail->error)
        return;
    if (error)
        log_error("Audit: %s: %s: what happens is not recorded until that is mended; tunnels go on", trail->path,
                  strerror(error));
    else
        log_info("Audit: %s is written again; lines lost so far: %llu", trail->path, (unsigned long long)trail->lost);
    trail->error = error;
}

static void hear(struct scribe *scribe)
{
    struct trail *trail = scribe->trail;
    struct audit_written news;
    while (recv(scribe->fd, &news, sizeof news, MSG_DONTWAIT) == sizeof news) {
        uint64_t lines = (uint64_t)news.lines + news.lost;
        scribe->owed -= lines < scribe->owed ? lines : scribe->owed;
        trail->written += news.lines;
        trail->lost += news.lost;
        tell_error(trail, news.error);
    }
}

static void send_waiting(struct trail *trail);

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct scribe *scribe = poll->data;
    (void)status;
    hear(scribe);
    if (events & UV_DISCONNECT)
        uv_poll_stop(poll); // its end is heard of as a process's
    else if (events & UV_WRITABLE)
        send_waiting(scribe->trail);
}

static int spawn(struct scribe *scribe, const struct trail *trail, int fd)
{
    char *args[] = {"usher-gate", AUDIT_WRITER_COMMAND, trail->path, trail->gate, NULL};
    uv_stdio_container_t fds[] = {
        [STDIN_FILENO] = {.flags = UV_IGNORE},
        [STDOUT_FILENO] = {.flags = UV_IGNORE},
        [STDERR_FILENO] = {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
        [AUDIT_WRITER_FD] = {.flags = UV_INHERIT_FD, .data.fd = fd},
    };
    const uv_process_options_t options = {
        .file = "/proc/self/exe", .args = args, .stdio = fds, .stdio_count = AUDIT_WRITER_FD + 1, .exit_cb = exited};
    return uv_spawn(trail->loop, &scribe->process, &options);
}

static void begin(struct trail *trail)
{
    int ends[2];
    usec_t now = clock_now();
    if (now < trail->not_before)
        return;
    trail->not_before = now + RESTART_PAUSE;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        tell_error(trail, errno);
        return;
    }
    struct scribe *scribe = memory_new(sizeof *scribe);
    *scribe = (struct scribe){.trail = trail, .fd = ends[0], .handles = 2};
    scribe->process.data = scribe->poll.data = scribe;
    int error = spawn(scribe, trail, ends[1]);
    close(ends[1]);
    uv_poll_init(trail->loop, &scribe->poll, scribe->fd); // non-blocking from here on, at our end alone
    trail->scribe = scribe;
    if (error) {
        tell_error(trail, -error);
        let_go(scribe);
        uv_close((uv_handle_t *)&scribe->process, closed);
        return;
    }
    uv_poll_start(&scribe->poll, UV_READABLE | UV_DISCONNECT, on_event);
}

static uint64_t count_lines(const char *bytes, size_t len)
{
    uint64_t count = 0;
    for (const char *at = bytes; (at = memchr(at, '\n', len - (size_t)(at - bytes))); at++)
        count++;
    return count;
}

// As many whole lines as one packet holds.
static size_t packet_of(const struct trail *trail, size_t from)
{
    size_t left = trail->len - from;
    if (left <= AUDIT_PACKET_MAX)
        return left;
    const char *last = memrchr(trail->bytes + from, '\n', AUDIT_PACKET_MAX);
    return (size_t)(last - (trail->bytes + from)) + 1;
}

static void send_waiting(struct trail *trail)
{
    struct scribe *scribe = trail->scribe;
    size_t done = 0;
    while (done < trail->len) {
        size_t len = packet_of(trail, done);
        if (send(scribe->fd, trail->bytes + done, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
            break;
        scribe->owed += count_lines(trail->bytes + done, len);
        done += len;
    }
    trail->len -= done;
    memmove(trail->bytes, trail->bytes + done, trail->len);
    uv_poll_start(&scribe->poll, UV_READABLE | UV_DISCONNECT | (trail->len ? UV_WRITABLE : 0), on_event);
}

static void add(struct trail *trail, size_t len)
{
    if (trail->len + len > trail->size) {
        trail->size = trail->len + len > 2 * trail->size ? trail->len + len : 2 * trail->size;
        trail->bytes = memory_resize(trail->bytes, trail->size);
    }
    memcpy(trail->bytes + trail->len, trail->room, len);
    trail->len += len;
}

// What nobody has told of yet comes first.
static void tell_dropped(struct trail *trail)
{
    if (!trail->dropped)
        return;
    add(trail, audit_line_lost(trail->room, trail->gate, NULL, trail->dropped, "the writer of this file was behind"));
    trail->dropped = 0;
}

static void put(struct trail *trail, size_t len)
{
    if (trail->len + len <= WAITING_MAX) {
        add(trail, len);
        return;
    }
    if (!trail->dropped)
        log_warning("Audit: %s: lines are lost, as they come faster than they are written", trail->path);
    trail->lost++;
    trail->dropped++;
}

static void on_turn(uv_prepare_t *prepare)
{
    struct trail *trail = prepare->data;
    if (!trail->path)
        return;
    if (trail->len < WAITING_MAX / 2)
        tell_dropped(trail);
    if (trail->len && !trail->scribe)
        begin(trail);
    if (trail->len && trail->scribe)
        send_waiting(trail);
}

struct trail *trail_new(uv_loop_t *loop, const char *gate, const char *file)
{
    struct trail *trail = memory_new(sizeof *trail);
    trail->loop = loop;
    trail->gate = memory_text(gate);
    trail->file = memory_text(file);
    uv_prepare_init(loop, &trail->flush);
    trail->flush.data = trail;
    uv_prepare_start(&trail->flush, on_turn);
    uv_unref((uv_handle_t *)&trail->flush);
    return trail;
}

// Until its end, but not for long.
static void await_end(struct trail *trail)
{
    struct scribe *scribe = trail->scribe;
    usec_t until = clock_now() + FAREWELL_MS * USEC_PER_MSEC;
    struct pollfd fds = {.fd = scribe->fd, .events = trail->len ? POLLOUT : 0};
    while (trail->len && clock_now() < until && poll(&fds, 1, FAREWELL_MS / 10) >= 0 && !(fds.revents & POLLHUP))
        send_waiting(trail);
    shutdown(scribe->fd, SHUT_WR);
    fds.events = 0;
    poll(&fds, 1, FAREWELL_MS);
    hear(scribe);
}

void trail_pause(struct trail *trail)
{
    struct scribe *scribe = trail->scribe;
    if (trail->path)
        on_turn(&trail->flush);
    scribe = trail->scribe;
    if (!scribe)
        return;
    await_end(trail);
    for (unsigned ms = 0; waitpid(scribe->process.pid, NULL, WNOHANG) == 0 && ms < FAREWELL_MS / 4; ms++)
        usleep(1000);
    let_go(scribe);
    uv_close((uv_handle_t *)&scribe->process, closed);
    trail->not_before = 0;
}

void trail_set(struct trail *trail, const char *path)
{
    if (trail->path && path && !strcmp(trail->path, path))
        return;
    if (trail->scribe) {
        send_waiting(trail);
        trail->scribe->owed = 0;
        let_go(trail->scribe);
    }
    free(trail->path);
    trail->path = path ? memory_text(path) : NULL;
    trail->error = 0;
    trail->not_before = 0;
    if (path && !trail->room)
        trail->room = memory_new(AUDIT_LINE_MAX);
    if (path)
        begin(trail); // at once: whether it can write is said by its first word
}

static void freed(uv_handle_t *handle)
{
    struct trail *trail = handle->data;
    free(trail->gate);
    free(trail->file);
    free(trail->path);
    free(trail->bytes);
    free(trail->room);
    free(trail);
}

void trail_free(struct trail *trail)
{
    if (!trail)
        return;
    trail_pause(trail);
    uv_close((uv_handle_t *)&trail->flush, freed);
}

void trail_record(struct trail *trail, const struct audit_tunnel *tunnel, const struct audit_record *record)
{
    const struct audit_place place = {trail->gate, trail->file};
    if (trail->path)
        put(trail, audit_line_record(trail->room, &place, tunnel, record));
}

void trail_tunnel(struct trail *trail, const struct audit_tunnel *tunnel, const char *event, const char *cipher)
{
    const struct audit_place place = {trail->gate, trail->file};
    if (trail->path)
        put(trail, audit_line_tunnel(trail->room, &place, tunnel, event, cipher));
}

void trail_act(struct trail *trail, const char *act, uint32_t uid, const char *portal)
{
    const struct audit_place place = {trail->gate, trail->file};
    if (trail->path)
        put(trail, audit_line_act(trail->room, &place, act, uid, portal));
}

void trail_lost(struct trail *trail, const char *portal, uint64_t lines)
{
    if (!trail->path || !lines)
        return;
    trail->lost += lines;
    put(trail, audit_line_lost(trail->room, trail->gate, portal, lines, "there were more than are told of at a time"));
}

void trail_describe(const struct trail *trail, struct facts *facts)
{
    if (!trail->path)
        return;
    facts_group(facts, "audit");
    facts_text(facts, "file", "that each session is written to", trail->path);
    facts_counter(facts, "lines", "that were written to it", FACT_COUNT, trail->written);
    facts_counter(facts, "lines_lost", "that could not be written to it", FACT_COUNT, trail->lost);
    if (trail->error)
        facts_text(facts, "error", "why it is not written now", strerror(trail->error));
    facts_end(facts);
}
