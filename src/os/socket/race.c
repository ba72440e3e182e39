// SPDX-License-Identifier: GPL-2.0-or-later
// One timer, and one watch an attempt. Everything happens in callbacks of the loop, the first attempt too, and the
// memory goes when libuv has let go of them all. Sockets are marked before they connect: the very first packet could
// otherwise go into the tunnel that they are for.
#include "os/socket/race.h"

#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    ATTEMPT_DELAY_MS = 250, // Connection Attempt Delay, RFC 8305 section 5
    UPLINK_DELAY_MS = 1000, // a SYN is sent again by then, and slow satellites have answered
};

struct attempt {
    struct race *race;
    struct endpoint to;
    unsigned uplink; // 0: as the kernel routes it
    uv_poll_t poll;
    int fd; // -1: not under way
};

struct race {
    uv_timer_t timer;
    void (*done)(void *owner, const struct race_end *end);
    void *owner;
    uint32_t mark;
    struct socket_source source;
    size_t count;         // of attempts
    size_t next;          // the attempt to be made next
    size_t pending;       // attempts under way
    size_t handles;       // of libuv that are not closed yet
    uint64_t deadline_ms; // for all together, on the loop's clock
    int error;            // the most telling failure, and
    size_t error_of;      // whose
    int first_error;      // the first, and
    size_t first_of;      // whose
    struct attempt attempts[];
};

// RFC 8305 section 4: the families alternate, that of the endpoint preferred most leads.
static void interleave(struct race *race, const struct endpoint *to, size_t count)
{
    uint8_t want = to[0].addr.version;
    size_t at[2] = {0, 0}; // next candidate of version 4 and of version 6
    for (race->count = 0; race->count < count; race->count++) {
        size_t *i = &at[want == 6];
        while (*i < count && to[*i].addr.version != want)
            ++*i;
        if (*i == count) { // that family is used up
            want = want == 4 ? 6 : 4;
            i = &at[want == 6];
            while (to[*i].addr.version != want)
                ++*i;
        }
        race->attempts[race->count].to = to[(*i)++];
        want = want == 4 ? 6 : 4;
    }
}

static void closed(uv_handle_t *handle)
{
    struct race *race = handle->data;
    if (--race->handles == 0)
        free(race);
}

// Ends one attempt; its descriptor is the caller's.
static int take(struct attempt *attempt)
{
    int fd = attempt->fd;
    attempt->fd = -1;
    attempt->race->pending--;
    attempt->poll.data = attempt->race;
    uv_close((uv_handle_t *)&attempt->poll, closed);
    return fd;
}

void race_cancel(struct race *race)
{
    if (!race)
        return;
    for (size_t i = 0; i < race->next; i++)
        if (race->attempts[i].fd >= 0)
            close(take(&race->attempts[i]));
    uv_close((uv_handle_t *)&race->timer, closed);
}

static void finish(struct race *race, int fd, size_t which, int error)
{
    const struct race_end end = {
        .fd = fd,
        .to = race->attempts[which].to,
        .error = error,
        .first = race->attempts[race->first_of].to,
        .first_error = race->first_error ? race->first_error : error,
    };
    race_cancel(race); // its memory goes later
    race->done(race->owner, &end);
}

// No way to a network, or no address of our own to go from, says less than what a host answered.
static bool is_vague(int error)
{
    return error == 0 || error == ENETUNREACH || error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

static void failed(struct race *race, size_t which, int error)
{
    if (race->first_error == 0) {
        race->first_error = error;
        race->first_of = which;
    }
    if (race->error != 0 && (is_vague(error) || !is_vague(race->error)))
        return;
    race->error = error;
    race->error_of = which;
}

static void try_next(struct race *race);

static void decided(uv_poll_t *poll, int status, int events)
{
    struct attempt *attempt = poll->data;
    struct race *race = attempt->race;
    size_t which = (size_t)(attempt - race->attempts);
    (void)events;
    int error = socket_error(attempt->fd);
    if (error == 0 && status < 0)
        error = ECONNRESET;
    int fd = take(attempt);
    if (error == 0) {
        finish(race, fd, which, 0);
        return;
    }
    close(fd);
    failed(race, which, error);
    try_next(race);
}

static bool watch(struct attempt *attempt, int fd)
{
    struct race *race = attempt->race;
    int rc = uv_poll_init(race->timer.loop, &attempt->poll, fd);
    if (rc < 0) {
        errno = -rc;
        return false;
    }
    attempt->poll.data = attempt;
    attempt->fd = fd;
    uv_poll_start(&attempt->poll, UV_WRITABLE, decided);
    race->handles++;
    race->pending++;
    return true;
}

static bool prepare(const struct attempt *attempt, int fd)
{
    const struct race *race = attempt->race;
    const struct address *from = socket_source_of(&race->source, attempt->to.addr.version);
    return (race->mark == 0 || socket_set_mark(fd, race->mark)) && (!from || socket_bind_stream(fd, from)) &&
           (attempt->uplink == 0 || socket_bind_to_device(fd, attempt->uplink));
}

// Begins one attempt. True when it is under way.
static bool begin(struct attempt *attempt)
{
    struct race *race = attempt->race;
    int fd = socket_stream(attempt->to.addr.version);
    if (fd >= 0 && prepare(attempt, fd) && socket_connect(fd, &attempt->to) >= 0 && watch(attempt, fd))
        return true;
    failed(race, (size_t)(attempt - race->attempts), errno);
    if (fd >= 0)
        close(fd);
    return false;
}

static void on_timer(uv_timer_t *timer)
{
    struct race *race = timer->data;
    if (uv_now(timer->loop) < race->deadline_ms) {
        try_next(race);
        return;
    }
    // A refusal that came meanwhile says more than the silence of the others.
    size_t which = is_vague(race->error) ? 0 : race->error_of;
    finish(race, -1, which, is_vague(race->error) ? ETIMEDOUT : race->error);
}

// Until the next attempt, when the last one has not failed.
static uint64_t delay_of(const struct race *race)
{
    bool other_uplink =
        race->next < race->count && race->attempts[race->next].uplink != race->attempts[race->next - 1].uplink;
    return other_uplink ? UPLINK_DELAY_MS : ATTEMPT_DELAY_MS;
}

static void try_next(struct race *race)
{
    bool begun = false;
    while (race->next < race->count && !begun)
        begun = begin(&race->attempts[race->next++]);
    if (race->pending == 0) {
        finish(race, -1, race->error_of, race->error);
        return;
    }
    uint64_t now = uv_now(race->timer.loop);
    uint64_t left = race->deadline_ms > now ? race->deadline_ms - now : 0;
    uint64_t delay = delay_of(race);
    bool more = race->next < race->count && left > delay;
    uv_timer_start(&race->timer, on_timer, more ? delay : left, 0);
}

struct race *race_new(uv_loop_t *loop, const struct race_config *config,
                      void (*done)(void *owner, const struct race_end *end), void *owner)
{
    size_t count = config->count * (1 + config->uplink_count);
    struct race *race = memory_new(sizeof *race + count * sizeof race->attempts[0]);
    race->done = done;
    race->owner = owner;
    race->mark = config->mark;
    race->source = config->source;
    for (size_t i = 0; i < count; i++)
        race->attempts[i] = (struct attempt){.race = race, .fd = -1};
    interleave(race, config->to, config->count);
    for (; race->count < count; race->count++) {
        struct attempt *attempt = &race->attempts[race->count];
        attempt->to = race->attempts[race->count % config->count].to;
        attempt->uplink = config->uplinks[race->count / config->count - 1];
    }
    uv_timer_init(loop, &race->timer);
    race->timer.data = race;
    race->handles = 1;
    race->deadline_ms = uv_now(loop) + config->timeout_ms;
    uv_timer_start(&race->timer, on_timer, 0, 0);
    return race;
}
