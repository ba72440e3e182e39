// SPDX-License-Identifier: GPL-2.0-or-later
// A session is on at most one of `sparse` and `bulk` (session.ready). It is placed when it becomes ready; while it has a
// backlog it never returns from bulk to sparse, else a slow link would make every flow look sparse.
#include "usher/scheduler.h"

#include "usher/session_internal.h"

void scheduler_init(struct scheduler *scheduler)
{
    list_init(&scheduler->control);
    list_init(&scheduler->sparse);
    list_init(&scheduler->bulk);
    scheduler->sparse_run = 0;
    scheduler->sparse_until = 0;
}

bool scheduler_has_work(const struct scheduler *scheduler)
{
    return !list_is_empty(&scheduler->control) || !list_is_empty(&scheduler->sparse) ||
           !list_is_empty(&scheduler->bulk);
}

bool scheduler_is_interactive(const struct scheduler *scheduler, usec_t now)
{
    return !list_is_empty(&scheduler->sparse) || now < scheduler->sparse_until;
}

void scheduler_add_control(struct scheduler *scheduler, struct usher_session *session)
{
    if (!list_is_linked(&session->control))
        list_push_back(&scheduler->control, &session->control);
}

// Once in a minute the clock's 16 bits make an old burst look fresh: a turn on the wrong list, no more.
static void roll_burst(struct usher_session *session, usec_t now)
{
    uint16_t now_ms = (uint16_t)(now / USEC_PER_MSEC);
    if ((uint16_t)(now_ms - session->burst_ms) < SCHEDULER_SPARSE_WINDOW / USEC_PER_MSEC)
        return;
    session->burst_ms = now_ms;
    session->burst = 0;
}

static void add_burst(struct usher_session *session, uint32_t len)
{
    uint32_t burst = session->burst + len;
    session->burst = burst < UINT16_MAX ? (uint16_t)burst : UINT16_MAX;
}

static void join_bulk(struct scheduler *scheduler, struct usher_session *session)
{
    session->flags |= SESSION_BULK;
    session->deficit = SCHEDULER_QUANTUM;
    list_push_back(&scheduler->bulk, &session->ready);
}

static void join(struct scheduler *scheduler, struct usher_session *session, usec_t now)
{
    roll_burst(session, now);
    if (session->burst >= SCHEDULER_SPARSE_BYTES) {
        join_bulk(scheduler, session);
        return;
    }
    session->flags &= (uint16_t)~SESSION_BULK;
    list_push_back(&scheduler->sparse, &session->ready);
}

void scheduler_update(struct scheduler *scheduler, struct usher_session *session, usec_t now)
{
    if (!session_wants_turn(session))
        list_remove(&session->ready);
    else if (!list_is_linked(&session->ready))
        join(scheduler, session, now);
}

void scheduler_remove(struct usher_session *session)
{
    list_remove(&session->ready);
}

struct usher_session *scheduler_next_control(const struct scheduler *scheduler)
{
    if (list_is_empty(&scheduler->control))
        return NULL;
    return container_of(scheduler->control.next, struct usher_session, control);
}

struct usher_session *scheduler_next(const struct scheduler *scheduler)
{
    bool bulk_is_due = scheduler->sparse_run >= SCHEDULER_QUANTUM && !list_is_empty(&scheduler->bulk);
    bool use_bulk = bulk_is_due || list_is_empty(&scheduler->sparse);
    const struct list *list = use_bulk ? &scheduler->bulk : &scheduler->sparse;
    if (list_is_empty(list))
        return NULL;
    return container_of(list->next, struct usher_session, ready);
}

static void charge_bulk(struct scheduler *scheduler, struct usher_session *session, uint32_t len)
{
    scheduler->sparse_run = 0;
    session->deficit -= (int32_t)len;
    if (session->deficit > 0)
        return;
    // What the last record took too much is paid in the next turn.
    session->deficit += SCHEDULER_QUANTUM;
    list_remove(&session->ready);
    list_push_back(&scheduler->bulk, &session->ready);
}

void scheduler_charge(struct scheduler *scheduler, struct usher_session *session, uint32_t len, usec_t now)
{
    roll_burst(session, now);
    add_burst(session, len);
    if ((session->flags & SESSION_BULK) != 0) {
        charge_bulk(scheduler, session, len);
        return;
    }
    scheduler->sparse_run += len;
    list_remove(&session->ready);
    if (session->burst >= SCHEDULER_SPARSE_BYTES) {
        join_bulk(scheduler, session);
        return;
    }
    scheduler->sparse_until = now + SCHEDULER_SPARSE_WINDOW;
    list_push_back(&scheduler->sparse, &session->ready);
}
