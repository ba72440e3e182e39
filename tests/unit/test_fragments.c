// SPDX-License-Identifier: GPL-2.0-or-later
// Reassembly: what becomes a datagram, what ends one, and the bounds. Every case runs for IPv4 and for IPv6.
#include "edge/capture/fragments.h"

#include "base/checksum.h"
#include "unit.h"

#include <arpa/inet.h>
#include <string.h>

enum { NEVER = -1, PARTS_MAX = 12, UDP = 17 };

static const struct hash_key key = {1, 2};
static uint64_t dropped;

struct part {
    uint32_t offset;
    uint32_t len;
    bool more;
    uint8_t twist; // xor-ed into the content: 0 is what the datagram really holds
};

static uint8_t content(uint32_t offset)
{
    return (uint8_t)(offset * 7 + offset / 251);
}

// Writes a fragment as it would come from the device; returns its length.
static size_t build(uint8_t *out, uint8_t version, uint32_t id, uint8_t source, const struct part *part)
{
    size_t header = version == 4 ? 20 : 48;
    uint16_t field =
        (uint16_t)(version == 4 ? part->offset / 8 | (part->more ? 0x2000 : 0) : part->offset | part->more);
    memset(out, 0, header);
    if (version == 4) {
        out[0] = 0x45;
        *(uint16_t *)(out + 2) = htons((uint16_t)(header + part->len));
        *(uint16_t *)(out + 4) = htons((uint16_t)id);
        *(uint16_t *)(out + 6) = htons(field);
        out[8] = 64;
        out[9] = UDP;
        memcpy(out + 12, (uint8_t[]){10, 0, 0, source}, 4);
        memcpy(out + 16, (uint8_t[]){10, 73, 0, 1}, 4);
    } else {
        out[0] = 0x60;
        *(uint16_t *)(out + 4) = htons((uint16_t)(8 + part->len));
        out[6] = 44;
        out[7] = 64;
        out[8] = out[24] = 0xfd;
        out[23] = source;
        out[39] = 1;
        out[40] = UDP;
        *(uint16_t *)(out + 42) = htons(field);
        *(uint32_t *)(out + 44) = htonl(id);
    }
    for (uint32_t i = 0; i < part->len; i++)
        out[header + i] = content(part->offset + i) ^ part->twist;
    return header + part->len;
}

static bool add(struct fragments *fragments, uint8_t version, uint32_t id, uint8_t source, const struct part *part,
                struct packet_view *whole, usec_t now)
{
    static _Alignas(8) uint8_t bytes[70000];
    struct packet_view view;
    size_t len = build(bytes, version, id, source, part);
    assert_true(packet_parse(&view, bytes, len));
    assert_true(view.fragment);
    return fragments_add(fragments, &view, whole, now);
}

static void assert_whole(const struct packet_view *whole, uint8_t version, uint32_t len)
{
    assert_int_equal(whole->src.version, version);
    assert_int_equal(whole->protocol, UDP);
    assert_int_equal(whole->upper_len, len);
    assert_false(whole->fragment);
    assert_int_equal(whole->header_len, version == 4 ? 20 : 40);
    assert_ptr_equal(whole->upper, whole->ip + whole->header_len);
    for (uint32_t i = 0; i < len; i++)
        assert_int_equal(whole->upper[i], content(i));
    uint16_t field = ntohs(*(const uint16_t *)(whole->ip + (version == 4 ? 2 : 4)));
    assert_int_equal(field, version == 4 ? 20 + len : len);
    if (version == 4)
        assert_int_equal(checksum_fold(checksum_add(0, whole->ip, 20)), 0);
    else
        assert_int_equal(whole->ip[6], UDP);
}

static const struct {
    const char *name;
    struct part parts[PARTS_MAX];
    int completes; // the part that does it, or NEVER
    uint32_t len;
    unsigned dropped; // fragments, when all have come
} cases[] = {
    {"two in order", {{0, 1480, true, 0}, {1480, 520, false, 0}}, 1, 2000, 0},
    {"two in reverse", {{1480, 520, false, 0}, {0, 1480, true, 0}}, 1, 2000, 0},
    {"three shuffled", {{1480, 1480, true, 0}, {2960, 3, false, 0}, {0, 1480, true, 0}}, 2, 2963, 0},
    {"smallest", {{0, 8, true, 0}, {8, 1, false, 0}}, 1, 9, 0},
    {"exact duplicate", {{0, 16, true, 0}, {0, 16, true, 0}, {16, 8, false, 0}}, 2, 24, 1},
    {"duplicate of the last", {{16, 8, false, 0}, {16, 8, false, 0}, {0, 16, true, 0}}, 2, 24, 1},
    {"incomplete", {{0, 16, true, 0}, {24, 8, false, 0}}, NEVER, 0, 0},
    {"no last", {{0, 16, true, 0}, {16, 16, true, 0}}, NEVER, 0, 0},
    {"same place, other bytes", {{0, 16, true, 0}, {0, 16, true, 1}, {16, 8, false, 0}}, NEVER, 0, 3},
    {"overlap from the left", {{8, 16, true, 0}, {0, 16, true, 0}, {24, 8, false, 0}}, NEVER, 0, 3},
    {"overlap from the right", {{0, 16, true, 0}, {8, 16, true, 0}, {24, 8, false, 0}}, NEVER, 0, 3},
    {"inside another", {{0, 32, true, 0}, {8, 8, true, 0}, {32, 8, false, 0}}, NEVER, 0, 3},
    {"around another", {{8, 8, true, 0}, {0, 32, true, 0}, {32, 8, false, 0}}, NEVER, 0, 3},
    {"overlap two ahead", {{0, 16, true, 0}, {32, 16, true, 0}, {16, 24, true, 0}}, NEVER, 0, 3},
    {"two ends", {{16, 8, false, 0}, {24, 8, false, 0}, {0, 16, true, 0}}, NEVER, 0, 3},
    {"shorter end", {{16, 16, true, 0}, {8, 8, false, 0}, {0, 8, true, 0}}, NEVER, 0, 3},
    {"more behind the end", {{16, 8, false, 0}, {24, 8, true, 0}, {0, 16, true, 0}}, NEVER, 0, 3},
    {"more up to the end", {{16, 16, false, 0}, {8, 24, true, 0}, {0, 8, true, 0}}, NEVER, 0, 3},
    {"length no multiple of 8", {{0, 15, true, 0}, {16, 8, false, 0}}, NEVER, 0, 2},
    {"empty piece", {{0, 16, true, 0}, {16, 0, true, 0}, {16, 8, false, 0}}, NEVER, 0, 3},
    {"empty last piece", {{0, 16, true, 0}, {16, 0, false, 0}}, NEVER, 0, 2},
    {"too large", {{0, 8, true, 0}, {65528, 1000, false, 0}}, NEVER, 0, 2},
};

static void run_case(uint8_t version, size_t at)
{
    struct fragments *fragments = fragments_new(&key, &dropped);
    struct packet_view whole;
    dropped = 0;
    for (int i = 0; i < PARTS_MAX; i++) {
        const struct part *part = &cases[at].parts[i];
        if (i > 0 && part->offset == 0 && part->len == 0)
            break;
        bool complete = add(fragments, version, 77, 5, part, &whole, 1000);
        if (complete != (i == cases[at].completes))
            fail_msg("IPv%d, %s: part %d", version, cases[at].name, i);
        if (complete)
            assert_whole(&whole, version, cases[at].len);
    }
    if (dropped != cases[at].dropped)
        fail_msg("IPv%d, %s: %u dropped", version, cases[at].name, (unsigned)dropped);
    fragments_free(fragments);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        run_case(4, i);
        run_case(6, i);
    }
}

// The largest UDP datagrams: 65,507 bytes over IPv4, 65,527 over IPv6.
static void test_largest(void **state)
{
    (void)state;
    static const struct {
        uint8_t version;
        uint32_t len;
        bool fits;
    } sizes[] = {{4, 65515, true}, {4, 65516, false}, {6, 65535, true}, {6, 65536, false}};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct fragments *fragments = fragments_new(&key, &dropped);
        struct packet_view whole;
        bool complete = false;
        for (uint32_t at = 0; at < sizes[i].len; at += 1440) {
            bool more = at + 1440 < sizes[i].len;
            struct part part = {at, more ? 1440 : sizes[i].len - at, more, 0};
            complete = add(fragments, sizes[i].version, 1, 5, &part, &whole, 0);
        }
        assert_int_equal(complete, sizes[i].fits);
        if (complete)
            assert_whole(&whole, sizes[i].version, sizes[i].len);
        fragments_free(fragments);
    }
}

// Pieces with the same identification from two senders are two datagrams; so are two identifications.
static void test_datagrams_do_not_mix(void **state)
{
    (void)state;
    for (uint8_t version = 4; version <= 6; version += 2) {
        struct fragments *fragments = fragments_new(&key, &dropped);
        struct packet_view whole;
        struct part first = {0, 16, true, 0};
        struct part last = {16, 8, false, 0};
        assert_false(add(fragments, version, 1, 5, &first, &whole, 0));
        assert_false(add(fragments, version, 1, 6, &last, &whole, 0));
        assert_false(add(fragments, version, 2, 5, &last, &whole, 0));
        assert_true(add(fragments, version, 1, 5, &last, &whole, 0));
        assert_whole(&whole, version, 24);
        fragments_free(fragments);
    }
}

static void test_time_is_over_after_15_seconds(void **state)
{
    (void)state;
    struct fragments *fragments = fragments_new(&key, &dropped);
    struct packet_view whole;
    struct part first = {0, 16, true, 0};
    struct part last = {16, 8, false, 0};
    const usec_t limit = 15 * USEC_PER_SEC, ms = USEC_PER_MSEC;
    dropped = 0;
    assert_true(fragments_deadline(fragments, 100 * ms) == USEC_NEVER);
    assert_false(add(fragments, 4, 1, 5, &first, &whole, 100 * ms));
    assert_true(fragments_deadline(fragments, 100 * ms) == 100 * ms + limit);
    fragments_expire(fragments, 99 * ms + limit);
    assert_int_equal(dropped, 0);
    fragments_expire(fragments, 100 * ms + limit);
    assert_int_equal(dropped, 1);
    assert_false(add(fragments, 4, 1, 5, &last, &whole, 101 * ms + limit));
    fragments_free(fragments);
}

// A spoiled datagram stays spoiled until its time is over, then its identification is free.
static void test_spoiled_until_its_time_is_over(void **state)
{
    (void)state;
    struct fragments *fragments = fragments_new(&key, &dropped);
    struct packet_view whole;
    struct part first = {0, 16, true, 0};
    struct part lie = {0, 16, true, 1};
    struct part last = {16, 8, false, 0};
    assert_false(add(fragments, 6, 1, 5, &first, &whole, 0));
    assert_false(add(fragments, 6, 1, 5, &lie, &whole, 0));
    assert_false(add(fragments, 6, 1, 5, &first, &whole, 1));
    assert_false(add(fragments, 6, 1, 5, &last, &whole, 1));
    fragments_expire(fragments, 15 * USEC_PER_SEC);
    assert_false(add(fragments, 6, 1, 5, &first, &whole, 15 * USEC_PER_SEC));
    assert_true(add(fragments, 6, 1, 5, &last, &whole, 15 * USEC_PER_SEC));
    fragments_free(fragments);
}

static void test_bounds(void **state)
{
    (void)state;
    struct fragments *fragments = fragments_new(&key, &dropped);
    struct packet_view whole;
    struct part first = {0, 1480, true, 0};
    struct part large = {1480, 60000, true, 0};
    struct part last = {61480, 8, false, 0};
    dropped = 0;
    // Datagrams: the oldest makes way, the newest lives.
    for (uint32_t id = 0; id <= FRAGMENTS_DATAGRAMS; id++)
        add(fragments, 4, id, 5, &first, &whole, id);
    assert_int_equal(dropped, 1);
    // Bytes.
    for (uint32_t id = 1; id <= FRAGMENTS_DATAGRAMS; id++)
        add(fragments, 4, id, 5, &large, &whole, 100);
    assert_true(dropped > 1);
    uint64_t left = 2 * FRAGMENTS_DATAGRAMS + 1 - dropped; // pieces, two of each datagram that is left
    assert_true(left / 2 * (large.offset + large.len) <= FRAGMENTS_BYTES);
    assert_true(add(fragments, 4, FRAGMENTS_DATAGRAMS, 5, &last, &whole, 100));
    assert_whole(&whole, 4, 61488);
    fragments_free(fragments);

    // Pieces of one datagram.
    fragments = fragments_new(&key, &dropped);
    dropped = 0;
    for (uint32_t i = 0; i < FRAGMENTS_PIECES; i++)
        add(fragments, 4, 1, 5, &(struct part){i * 8, 8, true, 0}, &whole, 0);
    assert_int_equal(dropped, 0);
    assert_false(add(fragments, 4, 1, 5, &(struct part){FRAGMENTS_PIECES * 8, 8, false, 0}, &whole, 0));
    assert_int_equal(dropped, FRAGMENTS_PIECES + 1);
    fragments_free(fragments);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_largest),
        cmocka_unit_test(test_datagrams_do_not_mix),
        cmocka_unit_test(test_time_is_over_after_15_seconds),
        cmocka_unit_test(test_spoiled_until_its_time_is_over),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
