// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/wire.h"

#include "unit.h"

#include <string.h>

struct parts {
    uint8_t a;
    uint32_t c;
    uint64_t d;
    bool e;
    uint8_t raw[3];
    char text[8];
    struct endpoint end;
    size_t len;
    uint8_t rest[4];
};

static const struct parts SAMPLE = {
    .a = 0x12,
    .c = 0x789abcde,
    .d = 0x0123456789abcdef,
    .e = true,
    .raw = {1, 2, 3},
    .text = "seven",
    .end = {{.version = 4, .bytes = {10, 0, 0, 1}}, 443},
    .len = 2,
    .rest = {8, 9},
};

static void walk(struct wire *wire, struct parts *parts)
{
    wire_u8(wire, &parts->a);
    wire_u32(wire, &parts->c);
    wire_u64(wire, &parts->d);
    wire_switch(wire, &parts->e);
    wire_bytes(wire, parts->raw, sizeof parts->raw);
    wire_text(wire, parts->text, sizeof parts->text);
    wire_endpoint(wire, &parts->end);
    wire_rest(wire, parts->rest, sizeof parts->rest, &parts->len);
}

static const uint8_t BYTES[] = {
    0x12, 0x78, 0x9a, 0xbc, 0xde,                                             // a, c
    0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,                           // d
    1,    1,    2,    3,    's',  'e',  'v',  'e',  'n', 0,                   // e, raw, text
    4,    10,   0,    0,    1,    0,    0,    0,    0,   0, 0, 0, 0, 0, 0, 0, // address
    0,    0x01, 0xbb,                                                         // its last byte, port
    8,    9,                                                                  // rest
};

// What is written lies in memory that cannot be written to.
static void writes_and_reads_the_same(void **state)
{
    (void)state;
    uint8_t room[sizeof BYTES];
    struct wire out = wire_writing(room, sizeof room);
    walk(&out, (struct parts *)&SAMPLE);
    assert_true(!wire_failed(&out) && writer_left(&out.w) == 0);
    assert_memory_equal(room, BYTES, sizeof BYTES);
    struct parts parts = {0};
    struct wire in = wire_reading(BYTES, sizeof BYTES);
    walk(&in, &parts);
    assert_false(wire_failed(&in));
    assert_memory_equal(&parts, &SAMPLE, sizeof parts);
}

static void needs_room(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof BYTES; size++) {
        uint8_t room[sizeof BYTES];
        struct wire out = wire_writing(room, size);
        walk(&out, (struct parts *)&SAMPLE);
        assert_true(wire_failed(&out));
    }
}

static void needs_all_bytes(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof BYTES - SAMPLE.len; len++) {
        struct parts parts = {0};
        struct wire in = wire_reading(BYTES, len);
        walk(&in, &parts);
        assert_true(wire_failed(&in));
    }
}

static bool takes(size_t at, uint8_t value)
{
    uint8_t bytes[sizeof BYTES];
    struct parts parts = {0};
    memcpy(bytes, BYTES, sizeof bytes);
    bytes[at] = value;
    struct wire in = wire_reading(bytes, sizeof bytes);
    walk(&in, &parts);
    return !wire_failed(&in);
}

static void refuses_what_cannot_be(void **state)
{
    (void)state;
    assert_true(takes(13, 0));
    assert_false(takes(13, 2));   // a switch
    assert_false(takes(22, 'x')); // a text that ends 12 bytes later
    assert_false(takes(23, 5));   // a version
    assert_false(takes(23, 0));   // an address of none that has bytes
    assert_true(takes(23, 6));
    assert_false(takes(28, 1)); // a byte behind those of IPv4
}

static void bounds_the_rest(void **state)
{
    (void)state;
    uint8_t room[4];
    size_t len;
    struct wire in = wire_reading("12345", 5);
    wire_rest(&in, room, sizeof room, &len);
    assert_true(wire_failed(&in));
    in = wire_reading("1234", 4);
    wire_rest(&in, room, sizeof room, &len);
    assert_true(!wire_failed(&in) && len == 4);
}

static void requires_of_what_is_read(void **state)
{
    (void)state;
    uint8_t room[1], value = 9;
    struct wire out = wire_writing(room, sizeof room), in = wire_reading(room, sizeof room);
    assert_true(wire_require(&out, false));
    wire_u8(&out, &value);
    assert_false(wire_failed(&out));
    assert_true(wire_require(&in, true));
    assert_false(wire_require(&in, false));
    assert_false(wire_require(&in, true));
    wire_u8(&in, &value);
    assert_int_equal(value, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_and_reads_the_same), cmocka_unit_test(needs_room),
        cmocka_unit_test(needs_all_bytes),           cmocka_unit_test(refuses_what_cannot_be),
        cmocka_unit_test(bounds_the_rest),           cmocka_unit_test(requires_of_what_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
