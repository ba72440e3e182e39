// SPDX-License-Identifier: GPL-2.0-or-later
// A place is on at most one of `sparse` and `bulk`. It is judged when it is taken; while there is a backlog it never
// returns from bulk to sparse, else a slow link would make every flow look sparse.
#include "usher/scheduler.h"

#include <assert.h>

static_assert(SCHEDULER_QUANTUM <= UINT16_MAX + 1, "place.spent holds what is below a quantum");

void scheduler_init(struct scheduler *scheduler)
{
    list_init(&scheduler->sparse);
    list_init(&scheduler->bulk);
    scheduler->sparse_run = 0;
    scheduler->sparse_until = 0;
}

bool scheduler_has_work(const struct scheduler *scheduler)
{
    return !list_is_empty(&scheduler->sparse) || !list_is_empty(&scheduler->bulk);
}

bool scheduler_is_interactive(const struct scheduler *scheduler, usec_t now)
{
    return !list_is_empty(&scheduler->sparse) || now < scheduler->sparse_until;
}

struct place *scheduler_next(const struct scheduler *scheduler)
{
    bool bulk_is_due = scheduler->sparse_run >= SCHEDULER_QUANTUM && !list_is_empty(&scheduler->bulk);
    bool use_bulk = bulk_is_due || list_is_empty(&scheduler->sparse);
    const struct list *list = use_bulk ? &scheduler->bulk : &scheduler->sparse;
    return list_is_empty(list) ? NULL : container_of(list->next, struct place, link);
}

static uint16_t milliseconds(usec_t now)
{
    return (uint16_t)(now / USEC_PER_MSEC);
}

void place_init(struct place *place, usec_t now)
{
    *place = (struct place){.burst_ms = milliseconds(now)};
    list_init(&place->link);
}

bool place_is_taken(const struct place *place)
{
    return list_is_linked(&place->link);
}

// Once in a minute the clock's 16 bits make an old burst look fresh: a turn on the wrong list, no more.
static void roll_burst(struct place *place, usec_t now)
{
    uint16_t now_ms = milliseconds(now);
    if ((uint16_t)(now_ms - place->burst_ms) < SCHEDULER_SPARSE_WINDOW / USEC_PER_MSEC)
        return;
    place->burst_ms = now_ms;
    place->burst = 0;
}

static void add_burst(struct place *place, uint32_t len)
{
    uint32_t burst = place->burst + len;
    place->burst = burst < UINT16_MAX ? (uint16_t)burst : UINT16_MAX;
}

static void join_bulk(struct place *place, struct scheduler *scheduler)
{
    place->bulk = true;
    place->spent = 0;
    list_push_back(&scheduler->bulk, &place->link);
}

static void join_sparse(struct place *place, struct scheduler *scheduler)
{
    place->bulk = false;
    list_push_back(&scheduler->sparse, &place->link);
}

void place_take(struct place *place, struct scheduler *scheduler, usec_t now)
{
    if (place_is_taken(place))
        return;
    roll_burst(place, now);
    if (place->burst >= SCHEDULER_SPARSE_BYTES)
        join_bulk(place, scheduler);
    else
        join_sparse(place, scheduler);
}

void place_leave(struct place *place)
{
    list_remove(&place->link);
}

static void charge_bulk(struct place *place, struct scheduler *scheduler, uint32_t len)
{
    uint32_t spent = place->spent + len;
    scheduler->sparse_run = 0;
    if (spent >= SCHEDULER_QUANTUM) {
        spent -= SCHEDULER_QUANTUM; // what the last record took too much is paid in the next turn
        list_remove(&place->link);
        list_push_back(&scheduler->bulk, &place->link);
    }
    place->spent = (uint16_t)spent;
}

void place_charge(struct place *place, struct scheduler *scheduler, uint32_t len, usec_t now)
{
    assert(len <= SCHEDULER_QUANTUM);
    roll_burst(place, now);
    add_burst(place, len);
    if (place->bulk) {
        charge_bulk(place, scheduler, len);
        return;
    }
    scheduler->sparse_run += len;
    list_remove(&place->link);
    if (place->burst >= SCHEDULER_SPARSE_BYTES) {
        join_bulk(place, scheduler);
        return;
    }
    scheduler->sparse_until = now + SCHEDULER_SPARSE_WINDOW;
    join_sparse(place, scheduler);
}
