// SPDX-License-Identifier: GPL-2.0-or-later
// The serving end. A connection owns two handles (pipe and timer) and goes when both are closed and no answer is owed.

#include "cli/control.h"

#include "base/list.h"
#include "base/memory.h"
#include "cli/facts_json.h"
#include "cli/guests.h"
#include "os/sandbox/rights.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 320,  // of a request: a word, or a host name of 255 bytes among words
    CONNECTIONS_MAX = 256, // people and their scripts ask one at a time, programs that open flows one a thread
    BACKLOG = 64,
    LIFETIME_MS = 5000, // of a connection; who asks writes and reads at once
};

struct control {
    uv_pipe_t pipe;
    uv_loop_t *loop;
    control_handler *handler;
    void *owner;
    uid_t starter;   // who ran the program, before it gave its rights away
    pid_t companion; // a process of ours, 0: none
    struct guests guests;
    struct list connections;
    unsigned count;
};

struct control_request {
    struct list node; // in control->connections; unlinked once it is closing
    struct control *control;
    uv_pipe_t pipe;
    uv_timer_t timer;
    uv_write_t write;
    char *answer;
    char line[LINE_MAX_BYTES];
    size_t len;
    unsigned handles;           // not closed yet
    bool is_guest;              // of the group that was let in
    bool is_kin;                // of the service's own user
    bool owed;                  // the handler has the request and has not answered
    control_deserted *deserted; // NULL: nobody wants to know
    void *owner;                // of that
};

static void reclaim(struct control_request *request)
{
    if (request->handles || request->owed)
        return;
    free(request->answer);
    free(request);
}

static void pipe_closed(uv_handle_t *handle)
{
    struct control_request *request = handle->data;
    request->handles--;
    reclaim(request);
}

static void hang_up(struct control_request *request)
{
    if (!list_is_linked(&request->node))
        return;
    list_remove(&request->node);
    request->control->count--;
    uv_close((uv_handle_t *)&request->pipe, pipe_closed);
    uv_close((uv_handle_t *)&request->timer, pipe_closed);
}

static void desert(struct control_request *request)
{
    hang_up(request);
    if (request->owed && request->deserted)
        request->deserted(request->owner);
}

static void expired(uv_timer_t *timer)
{
    desert(timer->data);
}

static void written(uv_write_t *write, int status)
{
    (void)status;
    hang_up(write->data);
}

static void give_any_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct control_request *request = handle->data;
    (void)suggested;
    *buf = uv_buf_init(request->line, sizeof request->line);
}

// What comes behind the line is nothing to us, but its end is.
static void heard_more(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    (void)buf;
    if (len < 0)
        desert(stream->data);
}

void control_expect(struct control_request *request, uint64_t ms, control_deserted *deserted, void *owner)
{
    request->deserted = deserted;
    request->owner = owner;
    uv_timer_start(&request->timer, expired, ms, 0);
    uv_read_start((uv_stream_t *)&request->pipe, give_any_room, heard_more);
}

// The first bytes that go there, and few: so they fit.
static void send_with(struct control_request *request, int fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = request->answer, .iov_len = strlen(request->answer)};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    uv_os_fd_t to;
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    if (uv_fileno((const uv_handle_t *)&request->pipe, &to) == 0) {
        ssize_t sent = sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)sent; // who asked and has gone needs no answer
    }
}

void control_hand_over(struct control_request *request, int fd, facts_describe *describe, const void *part)
{
    request->owed = false;
    request->answer = facts_json(describe, part);
    bool is_there = list_is_linked(&request->node);
    if (is_there)
        send_with(request, fd);
    close(fd);
    if (is_there)
        hang_up(request);
    else
        reclaim(request);
}

void control_reply(struct control_request *request, facts_describe *describe, const void *part)
{
    request->owed = false;
    request->answer = facts_json(describe, part);
    if (!list_is_linked(&request->node)) {
        reclaim(request);
        return;
    }
    uv_buf_t buf = uv_buf_init(request->answer, (unsigned)strlen(request->answer));
    request->write.data = request;
    if (uv_write(&request->write, (uv_stream_t *)&request->pipe, &buf, 1, written) < 0)
        hang_up(request);
}

static void describe_refusal(const void *why, struct facts *facts)
{
    facts_text(facts, "error", "why there is no other answer", why);
}

void control_refuse(struct control_request *request, const char *why)
{
    control_reply(request, describe_refusal, why);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct control_request *request = handle->data;
    (void)suggested;
    *buf = uv_buf_init(request->line + request->len, (unsigned)(sizeof request->line - request->len));
}

// A service manager's commands run as the service's user does.
static const char *refuse_kin(const char *line)
{
    return !strcmp(line, "reload") || !strcmp(line, "upgrade") ? NULL : "only root may do that";
}

static const char *refuse(const struct control_request *request)
{
    if (request->is_kin)
        return refuse_kin(request->line);
    return request->is_guest ? guests_refuse(&request->control->guests, request->line) : NULL;
}

static void received(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct control_request *request = stream->data;
    (void)buf;
    if (len < 0) {
        hang_up(request);
        return;
    }
    request->len += (size_t)len;
    char *end = memchr(request->line, '\n', request->len);
    if (end) {
        *end = '\0';
        uv_read_stop(stream);
        request->owed = true;
        const char *objection = refuse(request);
        if (objection)
            control_refuse(request, objection);
        else
            request->control->handler(request->control->owner, request->line, request);
    } else if (request->len == sizeof request->line) {
        hang_up(request);
    }
}

static bool is_companion(const struct control_request *request, const struct ucred *peer)
{
    return peer->pid == request->control->companion && peer->uid == getuid();
}

static bool is_welcome(struct control_request *request)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)&request->pipe, &fd) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return false;
    if (peer.uid == 0 || peer.uid == request->control->starter || is_companion(request, &peer))
        return true;
    request->is_kin = peer.uid == getuid() && rights_are_the_machines();
    request->is_guest = !request->is_kin;
    return request->is_kin || guests_have(&request->control->guests, fd);
}

static void connected(uv_stream_t *server, int status)
{
    struct control *control = server->data;
    if (status < 0)
        return;
    struct control_request *request = memory_new(sizeof *request);
    request->control = control;
    request->handles = 2;
    list_push_back(&control->connections, &request->node);
    control->count++;
    uv_pipe_init(control->loop, &request->pipe, 0);
    uv_timer_init(control->loop, &request->timer);
    request->pipe.data = request->timer.data = request;
    if (uv_accept(server, (uv_stream_t *)&request->pipe) < 0 || control->count > CONNECTIONS_MAX ||
        !is_welcome(request) || uv_read_start((uv_stream_t *)&request->pipe, give_room, received) < 0) {
        hang_up(request);
        return;
    }
    uv_timer_start(&request->timer, expired, LIFETIME_MS, 0);
}

static void server_closed(uv_handle_t *handle)
{
    free(handle->data);
}

// Of a service's user there may be other processes, which are not to steer each other.
static uid_t starter(void)
{
    return rights_are_the_machines() ? 0 : getuid();
}

static struct control *make(uv_loop_t *loop, control_handler *handler, void *owner)
{
    struct control *control = memory_new(sizeof *control);
    *control = (struct control){.loop = loop, .handler = handler, .owner = owner, .starter = starter()};
    list_init(&control->connections);
    uv_pipe_init(loop, &control->pipe, 0);
    control->pipe.data = control;
    return control;
}

struct control *control_adopt(uv_loop_t *loop, int fd, control_handler *handler, void *owner, struct fault *fault)
{
    struct control *control = make(loop, handler, owner);
    int error = uv_pipe_open(&control->pipe, fd);
    if (!error)
        error = uv_listen((uv_stream_t *)&control->pipe, BACKLOG, connected);
    if (!error)
        return control;
    fault_errno(fault, -error, "control socket");
    control_free(control);
    return NULL;
}

int control_fd(const struct control *control)
{
    uv_os_fd_t fd;
    return uv_fileno((const uv_handle_t *)&control->pipe, &fd) == 0 ? fd : -1;
}

int control_request_fd(const struct control_request *request)
{
    uv_os_fd_t fd;
    return list_is_linked(&request->node) && uv_fileno((const uv_handle_t *)&request->pipe, &fd) == 0 ? fd : -1;
}

// Few bytes, and the first that go there.
void control_answer(int fd, facts_describe *describe, const void *part)
{
    char *answer = facts_json(describe, part);
    ssize_t sent = send(fd, answer, strlen(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; // who asked and has gone needs no answer
    free(answer);
    close(fd);
}

struct control *control_new(uv_loop_t *loop, const char *path, control_handler *handler, void *owner,
                            struct fault *fault)
{
    struct control *control = make(loop, handler, owner);
    mode_t mask = umask(0177); // no moment with a wider mode
    int error = uv_pipe_bind(&control->pipe, path);
    umask(mask);
    if (!error)
        error = uv_listen((uv_stream_t *)&control->pipe, BACKLOG, connected);
    if (error) {
        fault_errno(fault, -error, "control socket %s", path);
        control_free(control);
        return NULL;
    }
    return control;
}

void control_trust(struct control *control, pid_t companion)
{
    control->companion = companion;
}

bool control_admit(struct control *control, const struct control_group *group, struct fault *fault)
{
    char path[108]; // of a socket
    size_t len = sizeof path;
    int error = uv_pipe_getsockname(&control->pipe, path, &len);
    if (error)
        return fault_errno(fault, -error, "control socket");
    path[len] = '\0';
    return guests_admit(&control->guests, group, path, fault);
}

void control_free(struct control *control)
{
    if (!control)
        return;
    list_for_each(node, &control->connections) {
        struct control_request *request = container_of(node, struct control_request, node);
        request->owed = false;
        hang_up(request);
    }
    uv_close((uv_handle_t *)&control->pipe, server_closed);
}
