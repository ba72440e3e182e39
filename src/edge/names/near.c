// SPDX-License-Identifier: GPL-2.0-or-later
// Questions for the servers that this machine had anyway: each has a socket of its own, and so, by UDP, a port that is hard
// to guess beside its id. What is routed into the tunnel goes into the tunnel, as it would have gone from anybody else.
#include "edge/names/framed.h"
#include "edge/names/internal.h"

#include "base/memory.h"
#include "os/random.h"
#include "os/socket/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct near {
    struct poller_watch watch; // first
    struct names *names;
    struct names_question *question;
    struct names_framed framed; // of TCP
};

// Without a word to the question, which is returned.
static struct names_question *release(struct near *near)
{
    struct names_question *question = near->question;
    question->asking = NULL;
    poller_forget(near->names->config.poller, &near->watch);
    close(near->watch.fd);
    names_framed_fini(&near->framed);
    free(near);
    return question;
}

static void fail(struct near *near)
{
    struct names *names = near->names;
    names->failed(release(near), false);
}

static void udp_ready(struct poller_watch *watch, uint32_t events)
{
    struct near *near = (struct near *)watch;
    struct names *names = near->names;
    (void)events;
    for (;;) {
        ssize_t len = recv(watch->fd, names->message, sizeof names->message, 0);
        if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
            return;
        if (len < 0) {
            fail(near);
            return;
        }
        // The socket goes with its question.
        if (len >= DNS_HEADER_SIZE && names->heard(near->question, names->message, (size_t)len))
            return;
    }
}

static bool write_rest(struct near *near)
{
    uint8_t room[NAMES_QUESTION_MAX + 2];
    const struct names_question *question = near->question;
    size_t len = names_framed_next(&near->framed, question->bytes, question->len, room, sizeof room);
    while (len > 0) {
        ssize_t put = send(near->watch.fd, room, len, MSG_NOSIGNAL);
        if (put < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOTCONN;
        near->framed.sent += (size_t)put;
        len = names_framed_next(&near->framed, question->bytes, question->len, room, sizeof room);
    }
    return true;
}

// 1: the answer is whole; 0: not yet; -1: it will not come.
static int read_some(struct near *near)
{
    uint8_t room[4096];
    for (;;) {
        ssize_t len = recv(near->watch.fd, room, sizeof room, 0);
        if (len < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOTCONN ? 0 : -1;
        if (len == 0)
            return -1;
        if (names_framed_take(&near->framed, room, (size_t)len))
            return 1;
    }
}

static void tcp_ready(struct poller_watch *watch, uint32_t events)
{
    struct near *near = (struct near *)watch;
    struct names *names = near->names;
    (void)events;
    int got = write_rest(near) ? read_some(near) : -1;
    if (got == 0)
        return;
    size_t len = names_framed_len(&near->framed);
    uint8_t *answer = near->framed.answer;
    near->framed.answer = NULL;
    struct names_question *question = release(near);
    if (got < 0 || !names->heard(question, answer, len))
        names->failed(question, false);
    free(answer);
}

static bool begin(struct names_question *question, int fd, const struct endpoint *server, poller_ready *ready)
{
    struct names *names = question->client->names;
    if (fd < 0)
        return false;
    struct near *near = memory_new(sizeof *near);
    near->names = names;
    near->question = question;
    question->asking = near;
    question->id = (uint16_t)random_number();
    dns_set_id(question->bytes, question->id);
    bool ok = socket_connect(fd, server) >= 0;
    if (poller_add(names->config.poller, &near->watch, fd, EPOLLIN | EPOLLOUT | EPOLLET, ready) && ok)
        return true;
    release(near);
    return false;
}

static bool ask_udp(struct names_question *question, size_t server)
{
    const struct endpoint *to = &question->client->names->rest[server];
    if (!begin(question, socket_datagram(to->addr.version), to, udp_ready))
        return false;
    const struct near *near = question->asking;
    if (send(near->watch.fd, question->bytes, question->len, MSG_NOSIGNAL) >= 0)
        return true;
    release(question->asking);
    return false;
}

static bool ask_tcp(struct names_question *question, size_t server)
{
    const struct endpoint *to = &question->client->names->rest[server];
    return begin(question, socket_stream(to->addr.version), to, tcp_ready);
}

static void drop(struct names_question *question)
{
    release(question->asking);
}

static bool is_held(const struct names_question *question)
{
    (void)question;
    return false;
}

const struct names_way names_near_udp = {.near = true, .ask = ask_udp, .drop = drop, .is_held = is_held};
const struct names_way names_near_tcp = {.near = true, .tcp = true, .ask = ask_tcp, .drop = drop, .is_held = is_held};
