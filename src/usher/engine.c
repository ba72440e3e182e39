// SPDX-License-Identifier: GPL-2.0-or-later
// The four verbs and how a tunnel ends. Callbacks run inside feed, pull, tick and end, and may call anything: sessions
// that are over, and the loss of all sessions, wait until the outermost of these calls returns.
#include "usher/engine.h"

#include "base/memory.h"
#include "usher/engine_state.h"
#include "usher/eviction.h"
#include "usher/receive.h"
#include "usher/session_state.h"
#include "usher/transmit.h"

#include <assert.h>
#include <stdlib.h>

static bool is_within_bounds(const struct usher_engine_config *config)
{
    return config->max_sessions > 0 && config->max_sessions <= IDS_OWN_MAX &&
           config->window_max >= USHER_WINDOW_START && config->window_max <= USHER_WINDOW_MAX;
}

struct usher_engine *usher_engine_new(const struct usher_engine_config *config, const struct usher_engine_ops *ops,
                                      void *owner, usec_t now)
{
    if (!is_within_bounds(config))
        return NULL;
    struct usher_engine *engine = memory_new(sizeof *engine);
    engine->config = *config;
    engine->ops = ops;
    engine->owner = owner;
    engine->now = now;
    engine->budget.total = config->window_budget;
    engine->budget.window_max = config->window_max;
    ids_init(&engine->ids, config->server);
    list_init(&engine->due);
    scheduler_init(&engine->scheduler);
    intake_init(&engine->intake);
    datagrams_init(&engine->datagrams);
    heartbeat_init(&engine->heartbeat, config->extended, now);
    confirming_init(&engine->confirming);
    bucket_init(&engine->glitches, ENGINE_GLITCHES_PER_SEC, ENGINE_GLITCHES, now);
    bucket_init(&engine->cancelled, ENGINE_CANCELS_PER_SEC, ENGINE_CANCELS, now);
    bucket_init(&engine->given_up, ENGINE_CANCELS_PER_SEC / 2, ENGINE_CANCELS / 2, now);
    bucket_init(&engine->opens, config->opens_per_sec, config->opens_burst, now);
    list_init(&engine->dead);
    return engine;
}

void usher_engine_keep_account(struct usher_engine *engine, const struct usher_account_ops *ops, void *owner)
{
    engine->account = ops;
    engine->accountant = owner;
}

static void free_dead(struct usher_engine *engine)
{
    struct list *node;
    while ((node = list_pop_front(&engine->dead)))
        session_free(container_of(node, struct usher_session, place.link));
}

static void lose_sessions(struct usher_engine *engine)
{
    for (uint32_t id = 0; id < IDS_SPACE && (engine->sessions + engine->refusals > 0 || engine->control); id++) {
        struct usher_session *session = ids_find(&engine->ids, (uint16_t)id);
        if (!session)
            continue;
        if (session->closing.state != SESSION_INACTIVE)
            session_end(session, USHER_ENDED_LOST, USHER_FAILED, engine->reason);
        session_release(session);
    }
}

static void enter(struct usher_engine *engine, usec_t now)
{
    engine->now = now;
    engine->depth++;
}

static enum usher_status leave(struct usher_engine *engine)
{
    if (engine->depth == 1) {
        if (engine->status != USHER_RUNNING)
            lose_sessions(engine);
        free_dead(engine);
    }
    engine->depth--;
    return engine->status;
}

void usher_engine_free(struct usher_engine *engine)
{
    assert(engine->depth == 0);
    enter(engine, engine->now);
    if (engine->status == USHER_RUNNING)
        engine->status = USHER_ENDED;
    leave(engine);
    free(engine->carry);
    intake_fini(&engine->intake);
    origins_fini(&engine->origins);
    ids_fini(&engine->ids);
    free(engine);
}

enum usher_status usher_engine_feed(struct usher_engine *engine, const struct slice *in, usec_t now)
{
    enter(engine, now);
    if (engine->status == USHER_RUNNING && in->len > 0) {
        engine->counters.bytes_received += in->len;
        heartbeat_received(&engine->heartbeat, now);
        receive_feed(engine, *in);
        confirming_received(&engine->confirming, engine->intake.taken, in->len, now);
        if (engine->confirming.due)
            engine_wake(engine);
        eviction_run(engine);
    }
    return leave(engine);
}

static size_t pull(struct usher_engine *engine, transmit *transmit, uint8_t *room, size_t size, usec_t now)
{
    assert(size >= USHER_PULL_MIN);
    enter(engine, now);
    size_t len = transmit(engine, room, size);
    engine->counters.bytes_sent += len;
    if (len > 0)
        heartbeat_sent(&engine->heartbeat, now);
    leave(engine);
    engine->awake = usher_engine_has_work(engine);
    return len;
}

size_t usher_engine_pull(struct usher_engine *engine, uint8_t *room, size_t size, usec_t now)
{
    return pull(engine, transmit_pull, room, size, now);
}

size_t usher_engine_pull_confirmation(struct usher_engine *engine, uint8_t *room, size_t size, usec_t now)
{
    return pull(engine, transmit_pull_confirmation, room, size, now);
}

bool usher_engine_has_confirmation(const struct usher_engine *engine)
{
    return engine->status == USHER_RUNNING && engine->confirming.due;
}

bool usher_engine_has_work(const struct usher_engine *engine)
{
    if (engine->status == USHER_ENDED)
        return false;
    if (engine->carry)
        return true;
    if (engine->status == USHER_ENDING)
        return !engine->end_sent;
    if (engine->heartbeat.due || engine->confirming.due)
        return true;
    return !list_is_empty(&engine->due) || scheduler_has_work(&engine->scheduler);
}

bool usher_engine_is_interactive(const struct usher_engine *engine, usec_t now)
{
    return scheduler_is_interactive(&engine->scheduler, now);
}

usec_t usher_engine_deadline(const struct usher_engine *engine)
{
    if (engine->status != USHER_RUNNING)
        return USEC_NEVER;
    usec_t record = intake_deadline(&engine->intake), confirmation = confirming_deadline(&engine->confirming);
    usec_t first = record < confirmation ? record : confirmation, heartbeat = heartbeat_deadline(&engine->heartbeat);
    return heartbeat < first ? heartbeat : first;
}

enum usher_status usher_engine_tick(struct usher_engine *engine, usec_t now)
{
    enter(engine, now);
    if (engine->status == USHER_RUNNING) {
        bool alive = heartbeat_check(&engine->heartbeat, now);
        if (!alive)
            engine_stop(engine, "timeout: nothing came from the peer for 30 s");
        else if (now >= intake_deadline(&engine->intake))
            engine_stop(engine, "timeout: a record took more than 30 s");
        confirming_check(&engine->confirming, now);
        if (engine->heartbeat.due || engine->confirming.due)
            engine_wake(engine);
        intake_trim(&engine->intake);
    }
    return leave(engine);
}

void usher_engine_resumed(struct usher_engine *engine, usec_t now)
{
    heartbeat_received(&engine->heartbeat, now);
    intake_begin_again(&engine->intake);
}

uint64_t usher_engine_taken(const struct usher_engine *engine)
{
    return engine->intake.taken;
}

void usher_engine_end(struct usher_engine *engine, const char *reason)
{
    enter(engine, engine->now);
    engine_stop(engine, reason);
    leave(engine);
}

bool usher_engine_is_running(const struct usher_engine *engine)
{
    return engine->status == USHER_RUNNING;
}

bool usher_engine_is_extended(const struct usher_engine *engine)
{
    return engine->config.extended;
}

const char *usher_engine_reason(const struct usher_engine *engine)
{
    return engine->reason;
}

const struct usher_counters *usher_engine_counters(const struct usher_engine *engine)
{
    return &engine->counters;
}

uint32_t usher_engine_sessions(const struct usher_engine *engine)
{
    return engine->sessions;
}

uint64_t usher_engine_window_used(const struct usher_engine *engine)
{
    return engine->budget.used;
}
