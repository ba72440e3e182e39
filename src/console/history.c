// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/history.h"

static uint64_t step_of(usec_t now)
{
    return now / (HISTORY_STEP_S * USEC_PER_SEC);
}

static void blank(struct history *history, uint64_t step)
{
    for (unsigned kind = 0; kind < HISTORY_KINDS; kind++)
        history->steps[kind][step % HISTORY_STEPS] = -1;
}

// Steps in which nothing came stay empty.
static void advance(struct history *history, uint64_t step)
{
    uint64_t from = history->begun ? history->step + 1 : step < HISTORY_STEPS ? 0 : step - HISTORY_STEPS + 1;
    if (history->begun && step <= history->step)
        return;
    if (step - from >= HISTORY_STEPS)
        from = step - HISTORY_STEPS + 1;
    for (; from <= step; from++)
        blank(history, from);
    history->step = step;
    history->samples = 0;
    history->begun = true;
}

static void put(struct history *history, enum history_kind kind, float value)
{
    float *mean = &history->steps[kind][history->step % HISTORY_STEPS];
    if (value < 0)
        return;
    *mean = *mean < 0 ? value : *mean + (value - *mean) / (float)history->samples;
}

static float rate(uint64_t before, uint64_t after, usec_t span)
{
    return after < before || !span ? -1 : (float)((double)(after - before) * USEC_PER_SEC / (double)span);
}

void history_add(struct history *history, const struct history_sample *sample, usec_t now)
{
    advance(history, step_of(now));
    history->samples++;
    if (history->at) {
        history->rates[0] = rate(history->bytes[0], sample->bytes_in, now - history->at);
        history->rates[1] = rate(history->bytes[1], sample->bytes_out, now - history->at);
        put(history, HISTORY_IN, history->rates[0]);
        put(history, HISTORY_OUT, history->rates[1]);
    } else {
        history->rates[0] = history->rates[1] = -1;
    }
    put(history, HISTORY_RTT, sample->rtt_us);
    put(history, HISTORY_FLOWS, sample->flows);
    history->bytes[0] = sample->bytes_in;
    history->bytes[1] = sample->bytes_out;
    history->at = now;
}

void history_miss(struct history *history)
{
    history->at = 0;
    history->rates[0] = history->rates[1] = -1;
}

float history_at(const struct history *history, enum history_kind kind, unsigned ago, usec_t now)
{
    uint64_t step = step_of(now);
    if (!history->begun || ago >= HISTORY_STEPS || step < ago || step - ago > history->step ||
        history->step - (step - ago) >= HISTORY_STEPS)
        return -1;
    return history->steps[kind][(step - ago) % HISTORY_STEPS];
}
