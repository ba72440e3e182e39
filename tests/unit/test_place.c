// SPDX-License-Identifier: GPL-2.0-or-later
// The scheduler's order over places alone; what it means for sessions is in test_scheduler.c.
#include "usher/scheduler.h"

#include "unit.h"

#include <string.h>

enum { PLACES = 3, RECORD = 16 * 1024 };

struct fixture {
    struct scheduler scheduler;
    struct place places[PLACES];
    usec_t now;
};

static void fixture_init(struct fixture *f)
{
    scheduler_init(&f->scheduler);
    f->now = USEC_PER_SEC;
    for (size_t i = 0; i < PLACES; i++)
        place_init(&f->places[i], f->now);
}

// One step a letter: A, B, C take a place, a, b, c leave it; 1 sends a small record for whoever is next, 9 a large one,
// of which four are a quantum; t: the window passes. What was sent is told by who was next: `order`.
static void play(struct fixture *f, const char *steps, char *order)
{
    for (; *steps; steps++) {
        if (*steps >= 'A' && *steps <= 'C') {
            place_take(&f->places[*steps - 'A'], &f->scheduler, f->now);
        } else if (*steps >= 'a' && *steps <= 'c') {
            place_leave(&f->places[*steps - 'a']);
        } else if (*steps == 't') {
            f->now += SCHEDULER_SPARSE_WINDOW;
        } else {
            struct place *next = scheduler_next(&f->scheduler);
            *order++ = next ? (char)('A' + (next - f->places)) : '-';
            if (next)
                place_charge(next, &f->scheduler, *steps == '1' ? 100 : RECORD, f->now);
        }
    }
    *order = '\0';
}

static void turns(void **state)
{
    static const struct {
        const char *steps;
        const char *order;
    } cases[] = {
        {"1", "-"},
        {"A11", "AA"},
        {"AB1111", "ABAB"}, // sparse: record by record
        {"Aa1", "-"},
        {"AB9999999999", "ABAAAABBBB"},   // bulk: a quantum each
        {"AB99C9", "ABC"},                // a new one goes first
        {"AB99C1111", "ABCCCC"},          // and stays in front while it is sparse
        {"AB99C99999", "ABCAAAA"},        // until it is not
        {"A9aA9B1", "AAB"},               // back within the window: bulk still
        {"A9atAB11", "AAB"},              // after it: sparse again
        {"A9AAA999", "AAAA"},             // taking twice is taking once
        {"AB9999a9A99999", "ABAABBBBAA"}, // who leaves and comes back goes behind
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture f;
        char order[32];
        fixture_init(&f);
        play(&f, cases[i].steps, order);
        if (strcmp(order, cases[i].order) != 0)
            fail_msg("%s: %s instead of %s", cases[i].steps, order, cases[i].order);
    }
}

// What a turn took too much is paid in the next: over many turns all send the same.
static void odd_records_share_alike(void **state)
{
    struct fixture f;
    uint64_t sent[PLACES] = {0};
    static const uint32_t lengths[PLACES] = {65527, 16384, 9001};
    (void)state;
    fixture_init(&f);
    for (size_t i = 0; i < PLACES; i++)
        place_take(&f.places[i], &f.scheduler, f.now);
    for (int i = 0; i < 10000; i++) {
        size_t next = (size_t)(scheduler_next(&f.scheduler) - f.places);
        place_charge(&f.places[next], &f.scheduler, lengths[next], f.now);
        sent[next] += lengths[next];
        assert_true(place_is_taken(&f.places[next]));
    }
    for (size_t i = 1; i < PLACES; i++) {
        assert_true(sent[i] + 3 * SCHEDULER_QUANTUM > sent[0]);
        assert_true(sent[i] < sent[0] + 3 * SCHEDULER_QUANTUM);
    }
}

// Sparse ones that never end leave bulk a record after each quantum.
static void sparse_does_not_starve_bulk(void **state)
{
    struct fixture f;
    int bulk = 0;
    (void)state;
    fixture_init(&f);
    place_take(&f.places[0], &f.scheduler, f.now);
    place_charge(&f.places[0], &f.scheduler, RECORD, f.now);
    for (int i = 0; i < 1000; i++) {
        f.now += SCHEDULER_SPARSE_WINDOW;
        place_take(&f.places[1], &f.scheduler, f.now);
        size_t next = (size_t)(scheduler_next(&f.scheduler) - f.places);
        place_charge(&f.places[next], &f.scheduler, next == 0 ? RECORD : 1024, f.now);
        bulk += next == 0;
    }
    assert_in_range(bulk, 1000 / 66, 1000 / 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns),
        cmocka_unit_test(odd_records_share_alike),
        cmocka_unit_test(sparse_does_not_starve_bulk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
