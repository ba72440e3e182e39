// SPDX-License-Identifier: GPL-2.0-or-later
// Messages of routers by the byte: what is read of them, and what is not believed.
#include "packet/too_big.h"

#include "unit.h"

#include <string.h>

// To 10.73.0.7 from a router: of a segment 10.73.0.7:443 -> 10.0.0.2:5000 that is larger than 1400.
static const uint8_t v4[] = {
    0x45, 0,   0,    56,  0, 0, 0,    0,    64, 1, 0, 0, 10, 0,  0, 254, 10, 73, 0, 7, // IP
    3,    4,   0,    0,   0, 0, 0x05, 0x78,                                            // ICMP
    0x45, 0,   0xff, 0,   0, 0, 0x40, 0,    64, 6, 0, 0, 10, 73, 0, 7,   10, 0,  0, 2, // the quoted one's IP
    1,    187, 19,   136, 1, 2, 3,    4,                                               // and the first of its TCP
};
// The same of fd73::7 -> fd00::2, and the first piece of a datagram from port 53.
static const uint8_t v6[] = {
    0x60, 0,  0,  0,   0,    64,   58,   64,   0xfd, 0,    0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0,    0,  0,  254, 0xfd, 0x73, 0,    0,    0,    0,    0, 0, 0, 0, 0, 0, 0, 0, 0, 7, // IP
    2,    0,  0,  0,   0,    0,    0x05, 0x78,                                           // ICMP
    0x60, 0,  0,  0,   5,    0,    44,   64,   0xfd, 0x73, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0,    0,  0,  7,   0xfd, 0,    0,    0,    0,    0,    0, 0, 0, 0, 0, 0, 0, 0, 0, 2, // the quoted one's IP
    17,   0,  0,  1,   0,    0,    0,    9,                                              // its fragment header
    0,    53, 19, 136, 8,    0,    0,    0,                                              // UDP
};

static bool parse(struct too_big *out, const uint8_t *bytes, size_t len)
{
    struct packet_view view;
    assert_true(packet_parse(&view, bytes, len));
    return too_big_parse(out, &view);
}

static void what_it_says(void **state)
{
    (void)state;
    struct too_big said;
    struct endpoint outside4, inside4, outside6, inside6;
    assert_true(endpoint_parse(&outside4, "10.73.0.7:443") && endpoint_parse(&inside4, "10.0.0.2:5000"));
    assert_true(endpoint_parse(&outside6, "[fd73::7]:53") && endpoint_parse(&inside6, "[fd00::2]:5000"));
    assert_true(parse(&said, v4, sizeof v4));
    assert_true(endpoint_equal(&said.outside, &outside4) && endpoint_equal(&said.inside, &inside4));
    assert_int_equal(said.protocol, 6);
    assert_int_equal(said.mtu, 1400);
    assert_int_equal(said.seq, 0x01020304);
    assert_true(parse(&said, v6, sizeof v6));
    assert_true(endpoint_equal(&said.outside, &outside6) && endpoint_equal(&said.inside, &inside6));
    assert_int_equal(said.protocol, 17);
    assert_int_equal(said.mtu, 1400);
}

// One byte of a good one is another.
static void what_is_refused_or_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool six;
        size_t at;
        uint8_t value;
        uint32_t mtu; // 0: refused
    } cases[] = {
        {"host unreachable", false, 21, 1, 0},
        {"echo request", false, 20, 8, 0},
        {"time exceeded", true, 40, 3, 0},
        {"no MTU", false, 26, 0, 552},
        {"a tiny MTU", true, 46, 0, 1280},
        {"a large MTU", false, 26, 0xff, 0xff78},
        {"the unused half", false, 25, 1, 1400},
        {"quotes another version", false, 28, 0x65, 0},
        {"quotes a short header", false, 28, 0x44, 0},
        {"quotes more options than there is", false, 28, 0x4f, 0},
        {"quotes a later piece", false, 35, 1, 0},
        {"quotes a later piece of six", true, 90, 8, 0},
        {"quotes another protocol", false, 37, 47, 0},
        {"quotes an extension header that we never send", true, 54, 60, 0},
        {"quotes the other family's ping", true, 88, 1, 0},
        {"quotes an echo request", true, 88, 58, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t bytes[sizeof v6];
        size_t len = cases[i].six ? sizeof v6 : sizeof v4;
        struct too_big said;
        memcpy(bytes, cases[i].six ? v6 : v4, len);
        bytes[cases[i].at] = cases[i].value;
        bool is_heeded = parse(&said, bytes, len);
        CASE(cases[i].name, is_heeded == (cases[i].mtu != 0) && (!is_heeded || said.mtu == cases[i].mtu));
    }
}

static void whatever_is_cut_off(void **state)
{
    (void)state;
    for (size_t cut = 1; cut <= 36; cut++) {
        uint8_t bytes[sizeof v4];
        struct too_big said;
        memcpy(bytes, v4, sizeof v4);
        bytes[3] = (uint8_t)(sizeof v4 - cut);
        assert_false(parse(&said, bytes, sizeof v4 - cut));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_says),
        cmocka_unit_test(what_is_refused_or_bounded),
        cmocka_unit_test(whatever_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
