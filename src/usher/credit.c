// SPDX-License-Identifier: GPL-2.0-or-later
// See credit.h for the three inequalities; every function keeps them.
#include "usher/credit.h"

#include "usher/config.h"

#include <assert.h>

static uint32_t milliseconds(usec_t now)
{
    return (uint32_t)(now / USEC_PER_MSEC);
}

void credit_init(struct credit *credit, usec_t now)
{
    *credit = (struct credit){
        .limit = USHER_WINDOW_START,
        .granted = USHER_WINDOW_START,
        .measured_ms = milliseconds(now),
        .moved_ms = milliseconds(now),
        .window = USHER_WINDOW_START,
    };
}

static uint64_t extra(const struct credit *credit)
{
    return credit->window - USHER_WINDOW_START;
}

static void set_window(struct credit *credit, struct credit_budget *budget, uint32_t window)
{
    budget->used -= extra(credit);
    budget->grown -= extra(credit) > 0;
    credit->window = window;
    budget->used += extra(credit);
    budget->grown += extra(credit) > 0;
}

void credit_fini(struct credit *credit, struct credit_budget *budget)
{
    set_window(credit, budget, USHER_WINDOW_START);
    budget->held -= credit_held(credit);
}

uint64_t credit_held(const struct credit *credit)
{
    return credit->received - credit->consumed;
}

uint32_t credit_waited(const struct credit *credit, usec_t now)
{
    return milliseconds(now) - credit->moved_ms;
}

uint64_t credit_room(const struct credit *credit)
{
    return credit->limit - credit->sent;
}

bool credit_is_usable(const struct credit *credit)
{
    return credit_room(credit) >= CREDIT_CRUMB;
}

void credit_spend(struct credit *credit, uint32_t len)
{
    assert(len <= credit_room(credit));
    credit->sent += len;
}

bool credit_raise(struct credit *credit, uint16_t size)
{
    if (credit_room(credit) + size > CREDIT_OUTSTANDING_MAX)
        return false;
    credit->limit += size;
    return true;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

// Above seven eighths the budget is short: the last eighth is for sessions that have less than an equal share.
static uint64_t comfort(const struct credit_budget *budget)
{
    return budget->total - budget->total / 8;
}

// One share more than there are sessions that have something: for whoever comes next.
static uint64_t share(const struct credit_budget *budget)
{
    return budget->total / (budget->grown + 1);
}

static uint64_t spare(const struct credit *credit, const struct credit_budget *budget)
{
    uint64_t to_comfort = minus(comfort(budget), budget->used);
    uint64_t to_share = minus(share(budget), extra(credit));
    uint64_t to_total = minus(budget->total, budget->used);
    if (to_share > to_total)
        to_share = to_total;
    return to_comfort > to_share ? to_comfort : to_share;
}

// Grows to `window`, or as far towards it as the budget allows.
static void grow(struct credit *credit, struct credit_budget *budget, uint64_t window)
{
    uint64_t bound = credit->window + spare(credit, budget);
    if (window > budget->window_max)
        window = budget->window_max;
    if (window > bound)
        window = bound;
    if (window > credit->window)
        set_window(credit, budget, (uint32_t)window);
}

// Withholds at most the `len` bytes just consumed, so granted <= consumed + window still holds.
static void shrink(struct credit *credit, struct credit_budget *budget, uint64_t len)
{
    uint64_t above = extra(credit) - share(budget);
    set_window(credit, budget, credit->window - (uint32_t)(above < len ? above : len));
}

bool credit_receive(struct credit *credit, struct credit_budget *budget, uint32_t len, usec_t now)
{
    if (len > credit->granted - credit->received)
        return false;
    if (credit_held(credit) == 0)
        credit->moved_ms = milliseconds(now);
    credit->received += len;
    budget->held += len;
    if (credit->window == USHER_WINDOW_START && credit->received >= CREDIT_EARLY_BYTES)
        grow(credit, budget, CREDIT_EARLY_WINDOW);
    return true;
}

// A window's worth has been consumed: fast enough, and with little held, to deserve a larger one?
static void measure(struct credit *credit, struct credit_budget *budget, usec_t now)
{
    bool fast = milliseconds(now) - credit->measured_ms <= CREDIT_GROW_WITHIN_MS;
    bool keeps_up = credit_held(credit) <= credit->window / 4;
    if (fast && keeps_up)
        grow(credit, budget, 2 * (uint64_t)credit->window);
    credit->measured = 0;
    credit->measured_ms = milliseconds(now);
}

void credit_consume(struct credit *credit, struct credit_budget *budget, uint64_t len, usec_t now)
{
    assert(len <= credit_held(credit));
    credit->consumed += len;
    credit->moved_ms = milliseconds(now);
    budget->held -= len;
    credit->measured += (uint32_t)len; // it may wrap only while windows shrink, which nobody measures
    if (budget->used > comfort(budget) && extra(credit) > share(budget))
        shrink(credit, budget, len);
    else if (credit->measured >= credit->window)
        measure(credit, budget, now);
}

uint64_t credit_owed(const struct credit *credit)
{
    return credit->consumed + credit->window - credit->granted;
}

bool credit_is_due(const struct credit *credit)
{
    return credit_owed(credit) >= credit->window / 4;
}

void credit_grant(struct credit *credit, uint64_t len)
{
    assert(len <= credit_owed(credit));
    credit->granted += len;
}
