// SPDX-License-Identifier: GPL-2.0-or-later
// See credit.h for the inequalities; every function keeps them.
#include "usher/credit.h"

#include "usher/config.h"

#include <assert.h>

static uint32_t milliseconds(usec_t now)
{
    return (uint32_t)(now / USEC_PER_MSEC);
}

static uint16_t ticks(usec_t now)
{
    return (uint16_t)(now / CREDIT_TICK);
}

void credit_init(struct credit *credit, usec_t now)
{
    *credit = (struct credit){
        .room = USHER_WINDOW_START,
        .allowance = USHER_WINDOW_START,
        .window = USHER_WINDOW_START,
        .moved_ms = milliseconds(now),
        .measured_since = ticks(now),
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
    budget->held -= credit->held;
}

uint32_t credit_held(const struct credit *credit)
{
    return credit->held;
}

uint32_t credit_waited(const struct credit *credit, usec_t now)
{
    return milliseconds(now) - credit->moved_ms;
}

uint32_t credit_room(const struct credit *credit)
{
    return credit->room;
}

bool credit_is_usable(const struct credit *credit)
{
    return credit->room >= CREDIT_CRUMB;
}

void credit_spend(struct credit *credit, uint32_t len)
{
    assert(len <= credit->room);
    credit->room -= len;
    credit->sent += len;
}

bool credit_raise(struct credit *credit, uint16_t size)
{
    if (credit->room + size > CREDIT_OUTSTANDING_MAX)
        return false;
    credit->room += size;
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

// Withholds at most the `len` bytes just consumed, so held + allowance <= window still holds.
static void shrink(struct credit *credit, struct credit_budget *budget, uint64_t len)
{
    uint64_t above = extra(credit) - share(budget);
    set_window(credit, budget, credit->window - (uint32_t)(above < len ? above : len));
}

bool credit_receive(struct credit *credit, struct credit_budget *budget, uint32_t len, usec_t now)
{
    if (len > credit->allowance)
        return false;
    if (credit->held == 0)
        credit->moved_ms = milliseconds(now);
    credit->allowance -= len;
    credit->held += len;
    credit->received += len;
    budget->held += len;
    if (credit->window == USHER_WINDOW_START && credit->received >= CREDIT_EARLY_BYTES)
        grow(credit, budget, CREDIT_EARLY_WINDOW);
    return true;
}

static uint16_t consumed_kib(const struct credit *credit)
{
    return (uint16_t)((credit->received - credit->held) / 1024);
}

// Bytes consumed since the present measurement began. They wrap only while windows shrink, which nobody measures.
static uint32_t measured(const struct credit *credit)
{
    return (uint32_t)(uint16_t)(consumed_kib(credit) - credit->measured_from) * 1024;
}

// A window's worth has been consumed: fast enough, and with little held, to deserve a larger one? A measurement that took
// 18 minutes and up to one second more looks fast, too: that window grows once too often.
static void measure(struct credit *credit, struct credit_budget *budget, usec_t now)
{
    bool fast = (uint16_t)(ticks(now) - credit->measured_since) <= CREDIT_GROW_WITHIN;
    bool keeps_up = credit->held <= credit->window / 4;
    if (fast && keeps_up)
        grow(credit, budget, 2 * (uint64_t)credit->window);
    credit->measured_from = consumed_kib(credit);
    credit->measured_since = ticks(now);
}

void credit_consume(struct credit *credit, struct credit_budget *budget, uint64_t len, usec_t now)
{
    assert(len <= credit->held);
    credit->held -= (uint32_t)len;
    credit->moved_ms = milliseconds(now);
    budget->held -= len;
    if (budget->used > comfort(budget) && extra(credit) > share(budget))
        shrink(credit, budget, len);
    else if (measured(credit) >= credit->window)
        measure(credit, budget, now);
}

uint32_t credit_owed(const struct credit *credit)
{
    return credit->window - credit->held - credit->allowance;
}

bool credit_is_due(const struct credit *credit)
{
    return credit_owed(credit) >= credit->window / 4;
}

void credit_grant(struct credit *credit, uint32_t len)
{
    assert(len <= credit_owed(credit));
    credit->allowance += len;
}
