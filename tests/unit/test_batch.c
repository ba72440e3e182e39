// SPDX-License-Identifier: GPL-2.0-or-later
// Which datagrams go together.
#include "unit.h"

#include "edge/relay/batch.h"

#include <stdlib.h>
#include <string.h>

static struct datagram_batch *batch;
static uint8_t bytes[65536];
static int owner, other;
static const struct endpoint here = {.addr = {.version = 4, .bytes = {10, 1, 0, 2}}, .port = 5000};
static const struct endpoint there = {.addr = {.version = 4, .bytes = {10, 2, 0, 3}}, .port = 53};

static int setup(void **state)
{
    (void)state;
    batch_clear(batch);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31);
    return 0;
}

static bool join(size_t len)
{
    const struct usher_datagram datagram = {.from = here, .to = there, .bytes = bytes, .len = len};
    return batch_join(batch, &owner, &datagram);
}

static void test_lengths(void **state)
{
    static const struct {
        const char *name;
        size_t lens[4];
        unsigned joined; // how many of them, from the first
    } cases[] = {
        {"equal ones", {100, 100, 100, 100}, 4},
        {"the last is shorter", {100, 100, 1}, 3},
        {"nothing follows a shorter one", {100, 99, 99}, 2},
        {"a longer one does not follow", {100, 101}, 1},
        {"nothing is no piece", {0}, 0},
        {"nothing does not follow", {100, 0}, 1},
        {"the largest alone", {BATCH_SIZE, 1}, 1},
        {"too large", {BATCH_SIZE + 1}, 0},
        {"to the last byte", {BATCH_SIZE - 32000, 32000, 1}, 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        setup(state);
        size_t len = 0;
        for (unsigned k = 0; k < COUNT(cases[i].lens) && (k == 0 || cases[i].lens[k - 1] > 0); k++) {
            bool joined = join(cases[i].lens[k]);
            CASE(cases[i].name, joined == (k < cases[i].joined));
            if (!joined)
                break;
            assert_memory_equal(batch->bytes + len, bytes, cases[i].lens[k]);
            len += cases[i].lens[k];
        }
        CASE(cases[i].name, batch->count == cases[i].joined && batch->len == len);
        CASE(cases[i].name, batch->count == 0 || batch->piece == cases[i].lens[0]);
    }
}

static void test_one_way_only(void **state)
{
    static const struct endpoint elsewhere = {.addr = {.version = 4, .bytes = {10, 2, 0, 4}}, .port = 53};
    static const struct endpoint other_port = {.addr = {.version = 4, .bytes = {10, 2, 0, 3}}, .port = 54};
    const struct {
        const char *name;
        void *owner;
        struct endpoint from, to;
        bool joins;
    } cases[] = {
        {"the same way", &owner, here, there, true},          {"another's", &other, here, there, false},
        {"from elsewhere", &owner, elsewhere, there, false},  {"to elsewhere", &owner, here, elsewhere, false},
        {"to another port", &owner, here, other_port, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        setup(state);
        assert_true(join(10));
        const struct usher_datagram datagram = {.from = cases[i].from, .to = cases[i].to, .bytes = bytes, .len = 10};
        CASE(cases[i].name, batch_join(batch, cases[i].owner, &datagram) == cases[i].joins);
        CASE(cases[i].name, batch->count == (cases[i].joins ? 2 : 1));
    }
}

static void test_no_more_than_the_kernel_takes(void **state)
{
    (void)state;
    for (int i = 0; i < BATCH_PIECES; i++)
        assert_true(join(3));
    assert_false(join(3));
    batch_clear(batch);
    assert_null(batch->owner);
    assert_true(join(7));
    assert_int_equal(batch->piece, 7);
}

static int enter(void **state)
{
    (void)state;
    batch = batch_new();
    return 0;
}

static int leave(void **state)
{
    (void)state;
    batch_free(batch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lengths, setup),
        cmocka_unit_test_setup(test_one_way_only, setup),
        cmocka_unit_test_setup(test_no_more_than_the_kernel_takes, setup),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
