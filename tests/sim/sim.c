// SPDX-License-Identifier: GPL-2.0-or-later
// A portal and a gate on a virtual clock: two engines joined by two pipes that split, stall and are cut, for good or with another
// lane that goes on; flows opened by both sides that send, finish, reset, refuse and give up by chance. The gate may ask to be
// left, for a further tunnel that serves what is new while the old one lives for what it has; it may find that the portal is not
// to be let in any more, which is the end of all its tunnels until it is again. Every byte is checked at its offset, every record
// against the protocol, each session ends once, and in the end nothing may be left.
//
//     usher-sim [--seeds N] [--first S]      runs seeds S .. S + N - 1 and prints the seed that fails
#include "check.h"
#include "tunnel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEEDS_BY_DEFAULT = 2000,
    FLOWS_MAX = 40,
    STEPS_MAX = 600 * 1000, // a run that has not ended by then never will
    TUNNELS_MAX = 6,        // in a run
    DRAINS_MAX = 3,
    REVOCATIONS_MAX = 3,
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
    struct flow_tally *tally;
    struct tunnel *tunnels; // of TUNNELS_MAX
    uint32_t count;
    struct tunnel *current; // for what is new; NULL: the portal has none
    usec_t now;
    usec_t allowed_at; // the portal is let in
    uint32_t to_open;  // flows still to be opened
    uint32_t next_key;
    uint32_t drains_left;
    uint32_t revocations_left;
    bool will_cut;
};

static void log_in(struct run *run)
{
    run->current = &run->tunnels[run->count++];
    tunnel_init(run->current, &run->chance, run->tally, run->now);
}

static void run_init(struct run *run, struct flow_tally *tally)
{
    static struct tunnel tunnels[TUNNELS_MAX];
    *run = (struct run){.chance.state = mix(seed + 1), .tally = tally, .tunnels = tunnels, .now = 1000};
    run->to_open = 1 + (uint32_t)below(&run->chance, FLOWS_MAX);
    run->will_cut = percent(&run->chance, 15);
    run->drains_left = percent(&run->chance, 60) ? 1 + (uint32_t)below(&run->chance, DRAINS_MAX) : 0;
    run->revocations_left = percent(&run->chance, 30) ? 1 + (uint32_t)below(&run->chance, REVOCATIONS_MAX) : 0;
    log_in(run);
}

static bool has_room(const struct run *run)
{
    return run->count < TUNNELS_MAX;
}

// The last tunnel of a run is there to stay, so that it ends.
static void maybe_drain(struct run *run)
{
    struct tunnel *tunnel = run->current;
    if (run->drains_left == 0 || !tunnel || !tunnel->goes_on || tunnel->draining || !has_room(run) ||
        below(&run->chance, 500) != 0)
        return;
    run->drains_left--;
    usec_t patience = percent(&run->chance, 30) ? below(&run->chance, 2 * USEC_PER_SEC) : 600 * USEC_PER_SEC;
    tunnel_drain(tunnel, patience, run->now);
}

static void maybe_revoke(struct run *run)
{
    if (run->revocations_left == 0 || !has_room(run) || below(&run->chance, 1200) != 0)
        return;
    run->revocations_left--;
    run->allowed_at = run->now + below(&run->chance, 2 * USEC_PER_SEC);
    for (uint32_t i = 0; i < run->count; i++)
        tunnel_revoke(&run->tunnels[i], percent(&run->chance, 40));
}

// What ended has no successor yet. A lane for the old tunnel is refused as a login is, or is one: nobody knows the ticket.
static void maybe_log_in(struct run *run)
{
    if (run->current && run->current->life != TUNNEL_UP)
        run->current = NULL;
    bool to_leave = run->current && tunnel_is_asked_to_leave(run->current) && has_room(run);
    if ((run->current && !to_leave) || below(&run->chance, 100) != 0)
        return;
    if (run->now < run->allowed_at) {
        run->tally->refusals++;
        return;
    }
    struct tunnel *before = run->current;
    CHECK(has_room(run));
    log_in(run);
    if (before)
        tunnel_leave(before);
    for (uint32_t i = 0; i < run->count; i++)
        if (run->tunnels[i].life == TUNNEL_SILENT && percent(&run->chance, 80))
            tunnel_give_up(&run->tunnels[i]);
}

// The gate opens in the old tunnel as well, until it has heard that it was left.
static void open_flow(struct run *run)
{
    if (run->to_open == 0 || !run->current)
        return;
    struct tunnel *tunnel = run->current;
    int side = (int)below(&run->chance, 2);
    for (uint32_t i = 0; i < run->count && side == GATE; i++)
        if (run->tunnels[i].life == TUNNEL_UP && !run->tunnels[i].sides[GATE].talk.left && percent(&run->chance, 30))
            tunnel = &run->tunnels[i];
    run->to_open--;
    side_open(&tunnel->sides[side], run->next_key++);
}

static void step(struct run *run)
{
    switch (below(&run->chance, 8)) {
    case 0:
        open_flow(run);
        break;
    case 1:
        run->now += below(&run->chance, 5 * USEC_PER_MSEC);
        break;
    default:
        tunnel_step(&run->tunnels[below(&run->chance, run->count)], run->now);
    }
    maybe_drain(run);
    maybe_revoke(run);
    maybe_log_in(run);
}

static bool is_quiet(const struct run *run)
{
    if (!run->current || run->current->life != TUNNEL_UP || run->to_open > 0)
        return false;
    for (uint32_t i = 0; i < run->count; i++)
        if (!tunnel_is_quiet(&run->tunnels[i]) && run->tunnels[i].life != TUNNEL_SILENT)
            return false;
    return true;
}

static bool is_done(const struct run *run)
{
    for (uint32_t i = 0; i < run->count; i++)
        if (run->tunnels[i].life == TUNNEL_UP && run->tunnels[i].draining)
            return false;
    return is_quiet(run);
}

static void cut(struct run *run)
{
    for (uint32_t i = 0; i < run->count; i++)
        if (run->tunnels[i].life != TUNNEL_OVER)
            tunnel_cut(&run->tunnels[i], run->now);
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
        if (is_quiet(run))
            run->now += USEC_PER_SEC; // what drains waits for nothing but time
    }
}

static void run_seed(struct flow_tally *tally)
{
    struct run run;
    run_init(&run, tally);
    run_to_end(&run);
    bool rests = percent(&run.chance, 5);
    for (uint32_t i = 0; i < run.count; i++) {
        struct tunnel *tunnel = &run.tunnels[i];
        if (tunnel->life == TUNNEL_SILENT)
            tunnel_give_up(tunnel);
        if (rests)
            tunnel_rest(tunnel, run.now);
        tunnel_check(tunnel);
        tunnel_fini(tunnel);
    }
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

static void report_tunnels(const struct flow_tally *tally)
{
    printf("%llu tunnels: %llu drained, %llu ended for lack of patience, %llu revoked; %llu times not let in\n",
           (unsigned long long)tally->tunnels, (unsigned long long)tally->drained, (unsigned long long)tally->impatient,
           (unsigned long long)tally->revoked, (unsigned long long)tally->refusals);
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
    report_tunnels(&tally);
    report_pauses(&tally);
    return EXIT_SUCCESS;
}
