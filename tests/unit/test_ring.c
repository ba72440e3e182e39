// SPDX-License-Identifier: GPL-2.0-or-later
// The ring against a model that keeps everything: the whole stream of records, and where each of them begins.
#include "unit.h"

#include "base/chunk.h"
#include "link/tunnel/ring.h"
#include "usher/record.h"

#include <stdlib.h>
#include <string.h>

enum { STREAM_MAX = 64 << 20, RECORDS_MAX = 1 << 20, LIMIT = 4 * RING_BLOCK_SIZE };
enum { PIECE = CHUNK_SIZE - USHER_HEADER_SIZE };

struct model {
    struct ring ring;
    uint8_t *stream;
    size_t *starts;   // of each record in the stream
    size_t records;   // that begin in the stream
    size_t made;      // bytes of the stream
    size_t pulled;    // bytes of it that were given to the ring
    size_t confirmed; // records
    uint32_t random;
    bool short_pulls; // some of CHUNK_SIZE
};

static uint32_t random_below(struct model *model, uint32_t bound)
{
    model->random = model->random * 1664525 + 1013904223;
    return (model->random >> 8) % bound;
}

static struct model *model_new(size_t limit, uint32_t seed)
{
    struct model *model = calloc(1, sizeof *model);
    model->stream = malloc(STREAM_MAX);
    model->starts = malloc(RECORDS_MAX * sizeof(size_t));
    model->random = seed;
    ring_init(&model->ring, limit);
    return model;
}

static void model_free(struct model *model)
{
    ring_fini(&model->ring);
    free(model->stream);
    free(model->starts);
    free(model);
}

// A record with a body of `len` bytes at the end of the stream.
static void make(struct model *model, size_t len)
{
    struct writer w = writer_over(model->stream + model->made, USHER_HEADER_SIZE);
    record_send_header_encode(&w, 7, len);
    model->starts[model->records++] = model->made;
    for (size_t i = 0; i < len; i++)
        model->stream[model->made + USHER_HEADER_SIZE + i] = (uint8_t)(model->records * 31 + i);
    model->made += USHER_HEADER_SIZE + len;
}

// As an engine does: whole records, but for those that fit no room, which are cut where it ends. False when there is none.
static bool pull(struct model *model)
{
    size_t most;
    uint8_t *room = ring_room(&model->ring, RING_ANY, &most);
    assert_true(ring_has_room(&model->ring, RING_ANY) == (room != NULL));
    if (!room)
        return false;
    assert_in_range(most, CHUNK_SIZE, RING_PULL_MAX);
    if (model->short_pulls && random_below(model, 2))
        most = CHUNK_SIZE;
    size_t end = model->pulled, first = 0;
    while (first < model->records && model->starts[first] < model->pulled)
        first++;
    if (first == model->records || model->starts[first] > model->pulled)
        end = first < model->records ? model->starts[first] : model->made; // the rest of one that was cut
    for (; first < model->records; first++) {
        size_t next = first + 1 < model->records ? model->starts[first + 1] : model->made;
        if (next - model->pulled > most && end > model->pulled)
            break;
        end = next;
    }
    size_t len = end - model->pulled < most ? end - model->pulled : most;
    assert_true(len > 0);
    memcpy(room, model->stream + model->pulled, len);
    ring_added(&model->ring, len);
    model->pulled += len;
    return true;
}

static size_t start_of(const struct model *model, size_t record)
{
    return record < model->records ? model->starts[record] : model->made;
}

static size_t whole_before(const struct model *model, size_t at)
{
    size_t record = model->confirmed;
    while (record < model->records && start_of(model, record + 1) <= at)
        record++;
    return record;
}

static void confirm(struct model *model, size_t records)
{
    assert_true(ring_confirm(&model->ring, records));
    model->confirmed += records;
}

// Another lane gets what is not confirmed, from the first byte of its first record on: up to `bytes` of it, or all.
static size_t send_again(struct model *model, size_t bytes)
{
    size_t len, at = start_of(model, model->confirmed), begin = at;
    ring_rewind(&model->ring);
    assert_true(ring_is_behind(&model->ring) == (at < model->pulled));
    while (at - begin < bytes && ring_is_behind(&model->ring)) {
        const uint8_t *piece = ring_next(&model->ring, &len);
        assert_true(len > 0 && len <= CHUNK_SIZE && at + len <= model->pulled);
        assert_memory_equal(piece, model->stream + at, len);
        at += len;
    }
    if (!ring_is_behind(&model->ring))
        assert_true(at == model->pulled && !ring_next(&model->ring, &len));
    return at;
}

static void test_nothing_kept(void **state)
{
    (void)state;
    size_t len, size;
    struct model *model = model_new(0, 1);
    for (int i = 0; i < 1000; i++)
        make(model, 8192);
    const uint8_t *slot = ring_room(&model->ring, RING_ANY, &size);
    while (model->pulled < model->made) {
        assert_ptr_equal(ring_room(&model->ring, RING_ANY, &size), slot);
        assert_int_equal(size, RING_PULL_MAX);
        assert_true(pull(model));
    }
    assert_int_equal(model->ring.held, 0);
    assert_false(ring_is_behind(&model->ring) || ring_next(&model->ring, &len));
    assert_false(ring_confirm(&model->ring, 1));
    ring_trim(&model->ring);
    assert_null(model->ring.slot);
    model_free(model);
}

// Confirmed wholly, in part, or not at all: what comes again begins with the first record that is not.
static void test_rewind(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t count, len, confirmed;
    } cases[] = {
        {"nothing was sent", 0, 0, 0},
        {"one record, not confirmed", 1, 10, 0},
        {"one record, confirmed", 1, 10, 1},
        {"none of many", 1000, 100, 0},
        {"the middle of a piece", 1000, 100, 77},
        {"all but one", 1000, 100, 999},
        {"all", 1000, 100, 1000},
        {"records that fill a pull each", 8, USHER_SEND_MAX, 5},
        {"a block's last record", 8, USHER_SEND_MAX, 4},
        {"records of one piece", 12, PIECE, 5},
        {"a block's last one", 12, PIECE, 6},
        {"records without a body", 5000, 0, 1234},
        {"datagrams over several pieces", 3, 65507, 0},
        {"the second of them", 3, 65507, 1},
        {"the last of them", 3, 65507, 2},
        {"all of them", 3, 65507, 3},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct model *model = model_new(LIMIT, 1);
        for (size_t k = 0; k < cases[i].count; k++)
            make(model, cases[i].len);
        while (model->pulled < model->made)
            CASE(cases[i].name, pull(model));
        CASE(cases[i].name, ring_confirm(&model->ring, cases[i].confirmed));
        model->confirmed = cases[i].confirmed;
        CASE(cases[i].name, send_again(model, STREAM_MAX) == model->made);
        CASE(cases[i].name, !ring_confirm(&model->ring, cases[i].count - cases[i].confirmed + 1));
        confirm(model, cases[i].count - cases[i].confirmed);
        CASE(cases[i].name, send_again(model, STREAM_MAX) == model->made);
        ring_trim(&model->ring);
        CASE(cases[i].name, model->ring.held == 0 && list_is_empty(&model->ring.blocks));
        model_free(model);
    }
}

static void test_full(void **state)
{
    (void)state;
    struct model *model = model_new(LIMIT, 1);
    for (int i = 0; i < 100; i++)
        make(model, USHER_SEND_MAX);
    while (pull(model))
        continue;
    assert_int_equal(model->pulled, LIMIT);
    assert_int_equal(model->ring.held, LIMIT);
    confirm(model, 1); // a block has two of them
    assert_false(pull(model));
    confirm(model, 1);
    assert_true(pull(model) && pull(model));
    assert_false(pull(model));
    assert_int_equal(send_again(model, STREAM_MAX), model->pulled);
    // Full or not: the end of a tunnel goes out.
    ring_keep_no_more(&model->ring);
    size_t size;
    assert_true(ring_has_room(&model->ring, RING_ANY) && ring_room(&model->ring, RING_ANY, &size));
    model_free(model);
}

// Small records share their memory: a chatty tunnel may have many thousands on their way.
static void test_small_records(void **state)
{
    (void)state;
    struct model *model = model_new(LIMIT, 1);
    for (int i = 0; i < 2000; i++) {
        make(model, 56);
        assert_true(pull(model));
    }
    assert_true(model->ring.held <= 3 * RING_BLOCK_SIZE);
    model_free(model);
}

// Nothing is confirmed that has not been sent on this lane, so what is still to be sent again never goes.
static void test_confirmed_too_soon(void **state)
{
    (void)state;
    size_t len;
    struct model *model = model_new(LIMIT, 1);
    for (int i = 0; i < 8; i++) {
        make(model, PIECE);
        assert_true(pull(model));
    }
    ring_rewind(&model->ring);
    assert_false(ring_confirm(&model->ring, 1));
    assert_non_null(ring_next(&model->ring, &len));
    assert_true(ring_confirm(&model->ring, 1));
    assert_false(ring_confirm(&model->ring, 1));
    assert_false(ring_confirm(&model->ring, UINT64_MAX));
    model_free(model);

    // Nor is a datagram of which only a part was pulled.
    model = model_new(LIMIT, 1);
    make(model, 65507);
    assert_true(pull(model) && !ring_confirm(&model->ring, 1));
    while (model->pulled < model->made)
        assert_true(pull(model));
    assert_true(ring_confirm(&model->ring, 1));
    model_free(model);
}

// For a long while everything at once: the ring comes round many times, lanes are lost in the middle of what they send
// again, and no byte is lost, twice or out of order.
static void test_long_life(void **state)
{
    (void)state;
    static const uint32_t lens[] = {0, 4, 100, 1400, PIECE, USHER_SEND_MAX, 65507};
    for (uint32_t seed = 1; seed <= 20; seed++) {
        struct model *model = model_new(LIMIT, seed);
        size_t sent = 0; // bytes that the present lane has got
        model->short_pulls = seed % 2;
        while (model->made < 8 << 20) {
            uint32_t what = random_below(model, 100);
            if (what < 60) {
                if (model->pulled == model->made)
                    make(model, lens[random_below(model, COUNT(lens))]);
                if (!ring_is_behind(&model->ring) && pull(model))
                    sent = model->pulled;
            } else if (what < 90) {
                size_t most = whole_before(model, sent) - model->confirmed;
                assert_false(ring_confirm(&model->ring, most + 1));
                confirm(model, most - (what < 70 && most > 0 ? random_below(model, (uint32_t)most) : 0));
            } else if (what < 95) {
                sent = send_again(model, what < 93 ? random_below(model, LIMIT) : STREAM_MAX);
            } else {
                ring_trim(&model->ring);
            }
            assert_true(model->ring.held <= LIMIT);
        }
        model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_kept), cmocka_unit_test(test_rewind),
        cmocka_unit_test(test_full),         cmocka_unit_test(test_small_records),
        cmocka_unit_test(test_long_life),    cmocka_unit_test(test_confirmed_too_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
