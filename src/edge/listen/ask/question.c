// SPDX-License-Identifier: GPL-2.0-or-later
// Watched for edges, since what is only looked at stays readable.
#include "edge/listen/ask/question.h"

#include "base/memory.h"
#include "edge/listen/ask/answer.h"
#include "edge/listen/ask/line.h"
#include "edge/listen/place.h"
#include "edge/listen/say.h"
#include "os/socket/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    QUESTION_MS = 60000, // a person looks the name up first
    ANSWERS_MAX = 3,
};

enum step { STEP_ON, STEP_WAIT, STEP_OVER };

struct question {
    struct timed timed; // in ask->unanswered; `own`: how many answers were wrong
    struct poller_watch watch;
    struct ask *ask;
    struct endpoint client;
};

static const char PROMPT[] = "host port: ";

#define SAY(fd, text) say(fd, text, sizeof(text) - 1)

static struct question *question_of(struct timed *timed)
{
    return container_of(timed, struct question, timed);
}

// Its socket, which is the caller's now.
static int finish(struct question *question)
{
    int fd = question->watch.fd;
    list_remove(&question->timed.node);
    question->ask->unanswered_count--;
    poller_forget(question->ask->config.poller, &question->watch);
    free(question);
    return fd;
}

static enum step hang_up(struct question *question)
{
    say_no_more(question->watch.fd);
    close(finish(question));
    return STEP_OVER;
}

// Takes a line off the socket, which was looked at.
static void consume(const struct question *question, size_t len)
{
    uint8_t room[LINE_BYTES_MAX];
    ssize_t taken = recv(question->watch.fd, room, len, MSG_DONTWAIT);
    (void)taken; // nobody else reads
}

static enum step object(struct question *question)
{
    question->ask->counters.ask_wrong++;
    SAY(question->watch.fd, "That is no host and port, such as: www.example.net 80\r\n");
    if (++question->timed.own >= ANSWERS_MAX)
        return hang_up(question);
    SAY(question->watch.fd, PROMPT);
    return STEP_ON;
}

static enum step on_line(struct question *question, const char *text)
{
    struct usher_open open = {.protocol = USHER_TCP};
    struct ask *ask = question->ask;
    struct endpoint client = question->client;
    if (!place_parse(&open, text))
        return object(question);
    poller_delete(ask->config.poller, &question->watch);
    answer_begin(ask, finish(question), &client, &open);
    return STEP_OVER;
}

static enum step look(struct question *question)
{
    uint8_t bytes[LINE_BYTES_MAX];
    char text[LINE_TEXT_SIZE];
    ssize_t n = recv(question->watch.fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return STEP_WAIT;
    if (n <= 0)
        return hang_up(question);
    size_t taken = line_take(text, bytes, (size_t)n);
    if (taken > 0) {
        consume(question, taken);
        return on_line(question, text);
    }
    if (n < LINE_BYTES_MAX)
        return STEP_WAIT;
    SAY(question->watch.fd, "That line is too long.\r\n");
    return hang_up(question);
}

static void on_event(struct poller_watch *watch, uint32_t events)
{
    struct question *question = container_of(watch, struct question, watch);
    enum step step = STEP_ON;
    while (step == STEP_ON)
        step = look(question);
    if (step == STEP_WAIT && (events & EPOLLRDHUP))
        hang_up(question); // the rest will never come
}

static void drop(struct question *question)
{
    question->ask->counters.ask_unanswered++;
    SAY(question->watch.fd, "\r\nNobody has answered in time.\r\n");
    hang_up(question);
}

void question_begin(struct ask *ask, int fd, const struct endpoint *client)
{
    if (ask->unanswered_count >= ASK_UNANSWERED_MAX)
        drop(question_of(timeline_pop(&ask->unanswered)));
    struct question *question = memory_new(sizeof *question);
    question->ask = ask;
    question->client = *client;
    list_init(&question->timed.node);
    timeline_put(&ask->unanswered, &question->timed, (uint32_t)uv_now(ask->loop));
    ask->unanswered_count++;
    socket_set_nodelay(fd);
    SAY(fd, PROMPT);
    if (!poller_add(ask->config.poller, &question->watch, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, on_event))
        drop(question);
    else
        edge_wake(&ask->front.edge); // which sets the alarm
}

void questions_expire(struct ask *ask, usec_t now)
{
    for (struct timed *timed; (timed = timeline_expired(&ask->unanswered, timeline_moment(now)));)
        drop(question_of(timed));
    alarm_set(&ask->alarm, timelines_deadline(&ask->unanswered, 1, now), now);
}

void questions_end_all(struct ask *ask)
{
    for (struct timed *timed; (timed = timeline_pop(&ask->unanswered));)
        hang_up(question_of(timed));
}

void questions_init(struct ask *ask)
{
    timeline_init(&ask->unanswered, QUESTION_MS);
}
