// SPDX-License-Identifier: GPL-2.0-or-later
// Records go from one engine to the other through a chunk, as they would through a lane: so a byte that the edge keeps is
// kept by reference, and back-pressure is credit, as everywhere.
#include "exchange/inner.h"

#include "base/memory.h"
#include "os/clock.h"

#include <assert.h>
#include <stdlib.h>

enum {
    SESSIONS_MAX = 4096,            // at once: a resolver's clients and their random ports
    BATCH = 64,                     // chunks a turn and direction, 1 MiB: then others have their turn
    CACHED = 4,                     // free chunks kept
    WINDOW_MAX = 256 * 1024,        // bytes of credit: nothing is far away in here
    WINDOW_BUDGET = 4 * 1024 * 1024 // bytes of credit beyond the first 64 KiB of each session
};

struct inner {
    struct usher_engine *opens;  // the entrance's end
    struct usher_engine *adopts; // the edge's end
    struct edge *serves;
    struct chunk_pool *pool;
    void (*wake)(void *owner);
    void *owner;
};

static void on_wake(void *owner)
{
    struct inner *inner = owner;
    inner->wake(inner->owner);
}

static void on_opened(void *owner, struct usher_session *session, const struct usher_open *open)
{
    struct inner *inner = owner;
    inner->serves->kind->adopt(inner->serves, session, open);
}

// An edge that only serves opens nothing here.
static void on_opened_back(void *owner, struct usher_session *session, const struct usher_open *open)
{
    (void)owner, (void)session, (void)open; // left unattached: refused
}

static struct usher_engine *make_end(struct inner *inner, bool server)
{
    static const struct usher_engine_ops opens = {.opened = on_opened_back, .wake = on_wake};
    static const struct usher_engine_ops adopts = {.opened = on_opened, .wake = on_wake};
    const struct usher_engine_config config = {
        .server = server,
        .max_sessions = SESSIONS_MAX,
        .max_unanswered = SESSIONS_MAX,
        .window_budget = WINDOW_BUDGET,
        .window_max = WINDOW_MAX,
    };
    struct usher_engine *engine = usher_engine_new(&config, server ? &adopts : &opens, inner, clock_now());
    assert(engine);
    return engine;
}

struct inner *inner_new(struct edge *serves, void (*wake)(void *owner), void *owner)
{
    struct inner *inner = memory_new(sizeof *inner);
    inner->serves = serves;
    inner->wake = wake;
    inner->owner = owner;
    inner->pool = chunk_pool_new(CACHED);
    inner->opens = make_end(inner, false);
    inner->adopts = make_end(inner, true);
    return inner;
}

void inner_free(struct inner *inner)
{
    if (!inner)
        return;
    usher_engine_free(inner->opens);
    usher_engine_free(inner->adopts);
    chunk_pool_free(inner->pool);
    free(inner);
}

struct usher_engine *inner_engine(const struct inner *inner)
{
    return inner->opens;
}

static size_t carry_one(struct inner *inner, struct usher_engine *from, struct usher_engine *to, usec_t now)
{
    struct chunk *chunk = chunk_new(inner->pool);
    size_t len = usher_engine_pull(from, chunk->bytes, CHUNK_SIZE, now);
    const struct slice slice = {.chunk = chunk, .bytes = chunk->bytes, .len = (uint32_t)len};
    enum usher_status status = usher_engine_feed(to, &slice, now);
    assert(status == USHER_RUNNING); // the peer is our own engine
    (void)status;
    chunk_drop(chunk);
    return len;
}

static bool has_work(const struct inner *inner)
{
    return usher_engine_has_work(inner->opens) || usher_engine_has_work(inner->adopts);
}

void inner_turn(struct inner *inner, usec_t now)
{
    for (unsigned i = 0; i < BATCH && has_work(inner); i++) {
        size_t len = carry_one(inner, inner->opens, inner->adopts, now);
        len += carry_one(inner, inner->adopts, inner->opens, now);
        if (len == 0)
            return; // what there is waits for credit
    }
    if (has_work(inner))
        inner->wake(inner->owner);
}
