// SPDX-License-Identifier: GPL-2.0-or-later
// Watched for edges, since what is only looked at stays readable.
//
// Wrong passwords are answered after a pause, and of one source only few may wait for that at once; more are closed without
// a look at what they say. So guessing is slow (4 a second) and right ones of other sources are not.
#include "edge/listen/socks/handshake.h"

#include "base/memory.h"
#include "edge/listen/say.h"
#include "edge/listen/socks/connect.h"
#include "edge/listen/socks/reply.h"
#include "edge/listen/socks/udp.h"
#include "os/socket/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    HANDSHAKE_MS = 10000, // a person who types the messages may; nobody else needs a tenth of it
    GUESS_PAUSE_MS = 2000,
    GUESSES_OF_ONE = 8, // an application that has the wrong password opens some connections at once
};

enum line { LINE_UNDER_WAY, LINE_GUESS };

enum state { GREETING, PASSWORD, REQUEST, GUESSED };

enum step { STEP_ON, STEP_WAIT, STEP_OVER };

struct handshake {
    struct timed timed; // in socks->lines; `own`: which of them
    struct poller_watch watch;
    struct socks *socks;
    struct endpoint client;
    enum state state;
};

static struct handshake *handshake_of(struct timed *timed)
{
    return container_of(timed, struct handshake, timed);
}

// Life

static void put(struct handshake *handshake, enum line line)
{
    struct socks *socks = handshake->socks;
    handshake->timed.own = line;
    socks->waiting[line]++;
    timeline_put(&socks->lines[line], &handshake->timed, (uint32_t)uv_now(socks->loop));
}

static void take_off(struct handshake *handshake)
{
    list_remove(&handshake->timed.node);
    handshake->socks->waiting[handshake->timed.own]--;
}

// Its socket, which is the caller's now.
static int finish(struct handshake *handshake)
{
    int fd = handshake->watch.fd;
    take_off(handshake);
    poller_forget(handshake->socks->config.poller, &handshake->watch);
    free(handshake);
    return fd;
}

static enum step hang_up(struct handshake *handshake)
{
    close(finish(handshake));
    return STEP_OVER;
}

static enum step refuse(struct handshake *handshake, uint8_t version, enum socks_outcome outcome)
{
    reply_refused(handshake->watch.fd, version, outcome);
    return hang_up(handshake);
}

static enum step dismiss(struct handshake *handshake, const uint8_t answer[2])
{
    say(handshake->watch.fd, answer, 2);
    say_no_more(handshake->watch.fd);
    return hang_up(handshake);
}

// Takes a message off the socket, of which the beginning was looked at.
static void consume(const struct handshake *handshake, size_t len)
{
    uint8_t room[SOCKS_MESSAGE_MAX];
    ssize_t taken = recv(handshake->watch.fd, room, len, MSG_DONTWAIT);
    (void)taken; // nobody else reads
    explicit_bzero(room, sizeof room);
}

// Messages

static enum step on_greeting(struct handshake *handshake, const uint8_t *bytes, size_t len)
{
    const struct socks *socks = handshake->socks;
    struct socks_greeting greeting;
    size_t used;
    enum socks_parsed parsed = socks_greeting_parse(&greeting, bytes, len, &used);
    if (parsed != SOCKS_WHOLE)
        return parsed == SOCKS_PARTIAL ? STEP_WAIT : hang_up(handshake);
    consume(handshake, used);
    uint8_t method = socks->has_password ? SOCKS_METHOD_PASSWORD : SOCKS_METHOD_NONE;
    if (!(socks->has_password ? greeting.offers_password : greeting.offers_none))
        return dismiss(handshake, (const uint8_t[]){5, SOCKS_METHOD_UNACCEPTABLE});
    say(handshake->watch.fd, (const uint8_t[]){5, method}, 2);
    handshake->state = socks->has_password ? PASSWORD : REQUEST;
    return STEP_ON;
}

// In a time that does not tell how much of it is right.
static bool is_right(const struct socks *socks, const struct socks_password *password)
{
    const uint8_t *a = (const uint8_t *)password, *b = (const uint8_t *)&socks->password;
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < sizeof *password; i++)
        difference |= a[i] ^ b[i];
    return difference == 0;
}

static bool may_guess(const struct handshake *handshake)
{
    const struct socks *socks = handshake->socks;
    unsigned of_one = 0;
    list_for_each(node, &socks->lines[LINE_GUESS].waiting) {
        const struct handshake *other = handshake_of(container_of(node, struct timed, node));
        of_one += address_equal(&other->client.addr, &handshake->client.addr);
    }
    return of_one < GUESSES_OF_ONE && socks->waiting[LINE_GUESS] < SOCKS_GUESSES_MAX;
}

static enum step on_password(struct handshake *handshake, const uint8_t *bytes, size_t len)
{
    struct socks_password password;
    size_t used;
    enum socks_parsed parsed = socks_password_parse(&password, bytes, len, &used);
    if (parsed == SOCKS_PARTIAL)
        return STEP_WAIT;
    if (parsed == SOCKS_BROKEN || !may_guess(handshake))
        return hang_up(handshake);
    consume(handshake, used);
    bool right = is_right(handshake->socks, &password);
    explicit_bzero(&password, sizeof password);
    if (right) {
        say(handshake->watch.fd, (const uint8_t[]){1, 0}, 2);
        handshake->state = REQUEST;
        return STEP_ON;
    }
    handshake->socks->counters.socks_wrong_passwords++;
    take_off(handshake);
    put(handshake, LINE_GUESS);
    handshake->state = GUESSED;
    return STEP_WAIT;
}

static enum step serve(struct handshake *handshake, const struct socks_request *request)
{
    struct socks *socks = handshake->socks;
    struct endpoint client = handshake->client;
    bool udp = request->version == 5 && request->command == SOCKS_UDP_ASSOCIATE;
    if (request->command != SOCKS_CONNECT && !udp)
        return refuse(handshake, request->version, SOCKS_NO_COMMAND);
    poller_delete(socks->config.poller, &handshake->watch);
    int fd = finish(handshake);
    if (udp)
        udp_begin(socks, fd, &client, request->target.port);
    else
        connect_begin(socks, fd, &client, request);
    return STEP_OVER;
}

static enum step on_request(struct handshake *handshake, uint8_t version, const uint8_t *bytes, size_t len)
{
    struct socks_request request;
    size_t used;
    if (bytes[0] != version)
        return hang_up(handshake);
    enum socks_parsed parsed = socks_request_parse(&request, bytes, len, &used);
    if (parsed == SOCKS_PARTIAL)
        return STEP_WAIT;
    if (parsed == SOCKS_BROKEN)
        return refuse(handshake, version, SOCKS_FAILED);
    consume(handshake, used);
    return serve(handshake, &request);
}

static enum step on_bytes(struct handshake *handshake, const uint8_t *bytes, size_t len)
{
    switch (handshake->state) {
    case GREETING:
        if (bytes[0] != 4)
            return on_greeting(handshake, bytes, len);
        if (handshake->socks->has_password) // which version 4 has no words for
            return refuse(handshake, 4, SOCKS_DENIED);
        return on_request(handshake, 4, bytes, len);
    case PASSWORD:
        return on_password(handshake, bytes, len);
    case REQUEST:
        return on_request(handshake, 5, bytes, len);
    default:
        return STEP_WAIT;
    }
}

static enum step look(struct handshake *handshake)
{
    uint8_t bytes[SOCKS_MESSAGE_MAX];
    ssize_t n = recv(handshake->watch.fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return STEP_WAIT;
    return n > 0 ? on_bytes(handshake, bytes, (size_t)n) : hang_up(handshake);
}

// A wrong password waits for its answer whether its client does or not.
static void on_event(struct poller_watch *watch, uint32_t events)
{
    struct handshake *handshake = container_of(watch, struct handshake, watch);
    enum step step = handshake->state == GUESSED ? STEP_WAIT : STEP_ON;
    while (step == STEP_ON)
        step = look(handshake);
    if (step == STEP_WAIT && handshake->state != GUESSED && (events & EPOLLRDHUP))
        hang_up(handshake); // the rest will never come
}

// Ends

static void drop(struct handshake *handshake)
{
    handshake->socks->counters.socks_unfinished++;
    socket_close_reset(finish(handshake));
}

void handshake_begin(struct socks *socks, int fd, const struct endpoint *client)
{
    if (socks->waiting[LINE_UNDER_WAY] >= SOCKS_UNFINISHED_MAX)
        drop(handshake_of(timeline_pop(&socks->lines[LINE_UNDER_WAY])));
    struct handshake *handshake = memory_new(sizeof *handshake);
    handshake->socks = socks;
    handshake->client = *client;
    list_init(&handshake->timed.node);
    put(handshake, LINE_UNDER_WAY);
    if (!poller_add(socks->config.poller, &handshake->watch, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, on_event))
        drop(handshake);
}

void handshake_expire(struct socks *socks, usec_t now)
{
    static const uint8_t wrong[] = {1, 1}; // RFC 1929 section 2
    uint32_t moment = timeline_moment(now);
    for (struct timed *timed; (timed = timeline_expired(&socks->lines[LINE_UNDER_WAY], moment));)
        drop(handshake_of(timed));
    for (struct timed *timed; (timed = timeline_expired(&socks->lines[LINE_GUESS], moment));)
        dismiss(handshake_of(timed), wrong);
    alarm_set(&socks->alarm, timelines_deadline(socks->lines, HANDSHAKE_LINES, now), now);
}

void handshake_end_all(struct socks *socks)
{
    for (int line = 0; line < HANDSHAKE_LINES; line++)
        for (struct timed *timed; (timed = timeline_pop(&socks->lines[line]));)
            hang_up(handshake_of(timed));
}

void handshake_init(struct socks *socks)
{
    timeline_init(&socks->lines[LINE_UNDER_WAY], HANDSHAKE_MS);
    timeline_init(&socks->lines[LINE_GUESS], GUESS_PAUSE_MS);
}
