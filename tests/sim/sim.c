// SPDX-License-Identifier: GPL-2.0-or-later
// Two engines on a virtual clock, joined by two pipes that split, stall and are cut, for good or with another lane that
// goes on; flows opened by both sides that
// send, finish, reset, refuse and give up by chance. Every byte is checked at its offset, every record against the
// protocol, and in the end nothing may be left.
//
//     usher-sim [--seeds N] [--first S]      runs seeds S .. S + N - 1 and prints the seed that fails
#include "check.h"
#include "side.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEEDS_BY_DEFAULT = 2000,
    FLOWS_MAX = 40,
    STEPS_MAX = 400 * 1000, // a run that has not ended by then never will
    LANES_MAX = 50,         // in a run
};

static uint64_t seed;

void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: %s does not hold; repeat with: usher-sim --seeds 1 --first %llu\n", file, line, what,
            (unsigned long long)seed);
    abort();
}

struct run {
    struct chance chance;
    struct flow_world world;
    struct pipe pipes[2];
    struct side sides[2];
    usec_t now;
    uint32_t to_open; // flows still to be opened
    uint32_t next_key;
    bool will_cut;
    uint32_t lanes_left; // that will be lost
    usec_t lost_at;      // when the lane was whose successor is not greeted yet at both ends; 0: none
};

static struct usher_engine_config draw_config(struct chance *chance, bool server, bool extended)
{
    static const uint64_t budgets[] = {0, 100 * 1000, 3 * 1024 * 1024, 64 * 1024 * 1024};
    static const uint32_t windows[] = {USHER_WINDOW_START, 100 * 1000, USHER_WINDOW_MAX};
    return (struct usher_engine_config){
        .server = server,
        .extended = extended,
        .max_sessions = percent(chance, 20) ? 8 : 1000,
        .max_unanswered = percent(chance, 20) ? 3 : 1000,
        .opens_per_sec = percent(chance, 20) ? 100 : 0,
        .opens_burst = 10,
        .window_budget = budgets[below(chance, sizeof budgets / sizeof budgets[0])],
        .window_max = windows[below(chance, sizeof windows / sizeof windows[0])],
        .held_budget = percent(chance, 15) ? 10 * 1000 + below(chance, 100 * 1000) : 0,
    };
}

// Both ends agree to confirm what they take, before anything else is said.
static void agree(struct run *run)
{
    static const size_t replays[] = {128 * 1024, 256 * 1024, 4 << 20};
    for (int i = 0; i < 2; i++)
        side_go_on_from_now(&run->sides[i], replays[below(&run->chance, 3)], i == 0);
    while (!side_confirms(&run->sides[0]) || !side_confirms(&run->sides[1]))
        for (int i = 0; i < 2; i++) {
            side_send(&run->sides[i], run->now);
            side_receive(&run->sides[1 - i], run->now);
        }
    run->lanes_left = (uint32_t)below(&run->chance, LANES_MAX);
}

static void run_init(struct run *run)
{
    run->chance.state = mix(seed + 1);
    run->world.chance = &run->chance;
    run->now = 1000;
    run->to_open = 1 + (uint32_t)below(&run->chance, FLOWS_MAX);
    run->will_cut = percent(&run->chance, 15);
    bool extended = percent(&run->chance, 80);
    for (int i = 0; i < 2; i++) {
        struct usher_engine_config config = draw_config(&run->chance, i == 1, extended);
        side_init(&run->sides[i], &run->world, &config, run->now);
        run->sides[i].out = &run->pipes[i];
        run->sides[i].in = &run->pipes[1 - i];
    }
    if (extended && percent(&run->chance, 40))
        agree(run);
}

// At any byte, of either direction: what one end has been given and what not is chance.
static void change_lane(struct run *run)
{
    run->lanes_left--;
    run->lost_at = run->lost_at ? run->lost_at : run->now;
    run->world.tally->lanes_lost++;
    for (int i = 0; i < 2; i++)
        side_change_lane(&run->sides[i], run->now);
}

// How long it took from the loss of a lane until both ends went on.
static void note_pause(struct run *run)
{
    struct flow_tally *tally = run->world.tally;
    if (!run->lost_at || stream_is_greeting(&run->sides[0].stream) || stream_is_greeting(&run->sides[1].stream))
        return;
    if (tally->pause_count < PAUSES_MAX)
        tally->pauses[tally->pause_count++] = run->now - run->lost_at;
    run->lost_at = 0;
}

static void maybe_stall(struct run *run)
{
    struct pipe *pipe = &run->pipes[below(&run->chance, 2)];
    if (below(&run->chance, 1000) == 0)
        pipe->stalled_until = run->now + below(&run->chance, 2 * USEC_PER_SEC);
}

// The link breaks: each side hears of it in its own way.
static void cut(struct run *run)
{
    run->world.cut = true;
    for (int i = 0; i < 2; i++) {
        if (percent(&run->chance, 50))
            usher_engine_end(run->sides[i].engine, "cut");
        while (side_has_more(&run->sides[i]) && pipe_room(run->sides[i].out) >= PIPE_ROOM / 2)
            side_send(&run->sides[i], run->now);
        if (percent(&run->chance, 50))
            side_receive(&run->sides[1 - i], run->now);
    }
}

static void step(struct run *run)
{
    struct side *side = &run->sides[below(&run->chance, 2)];
    if (run->lanes_left > 0 && below(&run->chance, 300) == 0)
        change_lane(run);
    switch (below(&run->chance, 8)) {
    case 0:
        if (run->to_open > 0) {
            run->to_open--;
            side_open(side, run->next_key++);
        }
        break;
    case 1:
        side_act(side);
        break;
    case 2:
        run->now += below(&run->chance, 5 * USEC_PER_MSEC);
        maybe_stall(run);
        break;
    case 3:
        side_tick(side, run->now);
        break;
    case 4:
    case 5:
        side_send(side, run->now);
        break;
    default:
        side_receive(side, run->now);
    }
}

static bool is_done(const struct run *run)
{
    return run->to_open == 0 && side_is_done(&run->sides[0]) && side_is_done(&run->sides[1]);
}

static void run_to_end(struct run *run)
{
    uint64_t cut_at = run->will_cut ? below(&run->chance, 3000) : UINT64_MAX;
    for (uint64_t steps = 0; !is_done(run); steps++) {
        if (steps == cut_at) {
            cut(run);
            return;
        }
        CHECK(steps < STEPS_MAX);
        step(run);
        note_pause(run);
    }
}

// Nothing is left to say, so for an hour nothing but heartbeats is said, and both sides live.
static void rest(struct run *run)
{
    for (int second = 0; second < 3600; second++) {
        run->now += USEC_PER_SEC;
        for (int i = 0; i < 2; i++) {
            side_tick(&run->sides[i], run->now);
            side_send(&run->sides[i], run->now);
            side_receive(&run->sides[1 - i], run->now);
        }
    }
}

static void run_seed(struct flow_tally *tally)
{
    static struct run run;
    memset(&run, 0, sizeof run);
    run.world.tally = tally;
    run_init(&run);
    run_to_end(&run);
    if (!run.world.cut) {
        if (percent(&run.chance, 5))
            rest(&run);
        side_check(&run.sides[0]);
        side_check(&run.sides[1]);
    }
    side_match(&run.sides[0], &run.sides[1]);
    side_match(&run.sides[1], &run.sides[0]);
    // Flows look at one another when they are checked: the engines go first, then both sides' flows.
    for (int i = 0; i < 2; i++)
        side_end(&run.sides[i]);
    for (int i = 0; i < 2; i++)
        side_fini(&run.sides[i]);
}

static int compare(const void *one, const void *two)
{
    usec_t a = *(const usec_t *)one, b = *(const usec_t *)two;
    return (a > b) - (a < b);
}

static void report_pauses(struct flow_tally *tally)
{
    size_t count = tally->pause_count;
    if (count == 0)
        return;
    qsort(tally->pauses, count, sizeof *tally->pauses, compare);
    printf("%zu pauses: p50 %.1f ms, p99 %.1f ms, bytes lost 0\n", count,
           (double)tally->pauses[count / 2] / USEC_PER_MSEC, (double)tally->pauses[count * 99 / 100] / USEC_PER_MSEC);
}

static void report(uint64_t seeds, const struct flow_tally *tally)
{
    printf(
        "%llu seeds, all well: %llu ends of flows, %llu complete, %llu closed, %llu refused, %llu reset by the other "
        "end, %llu of them evicted, %llu by their own, %llu lost; %llu bytes and %llu datagrams; %llu lanes lost, %llu "
        "bytes sent again\n",
        (unsigned long long)seeds, (unsigned long long)tally->flows, (unsigned long long)tally->complete,
        (unsigned long long)tally->by_ending[USHER_ENDED_CLOSED],
        (unsigned long long)tally->by_ending[USHER_ENDED_REFUSED],
        (unsigned long long)tally->by_ending[USHER_ENDED_RESET], (unsigned long long)tally->evicted,
        (unsigned long long)tally->reset_here, (unsigned long long)tally->by_ending[USHER_ENDED_LOST],
        (unsigned long long)tally->bytes, (unsigned long long)tally->datagrams, (unsigned long long)tally->lanes_lost,
        (unsigned long long)tally->bytes_again);
}

int main(int argc, char **argv)
{
    uint64_t first = 1;
    uint64_t seeds = SEEDS_BY_DEFAULT;
    static struct flow_tally tally;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seeds") == 0)
            seeds = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--first") == 0)
            first = strtoull(argv[i + 1], NULL, 10);
    }
    for (seed = first; seed < first + seeds; seed++)
        run_seed(&tally);
    report(seeds, &tally);
    report_pauses(&tally);
    return EXIT_SUCCESS;
}
