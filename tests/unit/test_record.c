// SPDX-License-Identifier: GPL-2.0-or-later
// The wire as bytes: a vector for every record, both ways, and every way in which a body can be wrong.
#include "usher/record.h"

#include "unit.h"

#include <string.h>

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static uint8_t room[70000];

static void expect_bytes(const struct writer *w, const uint8_t *bytes, size_t len)
{
    assert_false(w->failed);
    assert_int_equal(w->at - room, len);
    assert_memory_equal(room, bytes, len);
}

static struct writer fresh(void)
{
    return writer_over(room, sizeof room);
}

static void headers(void **state)
{
    static const struct {
        uint8_t bytes[8];
        bool good;
        struct record_header header;
    } cases[] = {
        {{0, 0, 0, 10, 0, 1, 0, 2}, true, {10, RECORD_OPEN, 2}},
        {{0, 0, 0, 2, 0xff, 0xff, 0xff, 0xfe}, true, {2, RECORD_OPEN_REPLY, 0xfffe}},
        {{0, 0, 0xff, 0xff, 0, 3, 0x80, 0}, true, {65535, RECORD_SEND, 0x8000}},
        {{0, 0, 0, 0, 0, 7, 0xff, 0xff}, true, {0, RECORD_RST, 0xffff}},
        {{0, 1, 0, 0, 0, 3, 0, 1}, false, {0}},             // one too long
        {{0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 1}, false, {0}}, // the largest
        {{0xff, 0xff, 0xff, 0xff, 0, 3, 0, 1}, false, {0}}, // -1
        {{0x80, 0, 0, 0, 0, 3, 0, 1}, false, {0}},          // the smallest
        {{0, 0, 0, 2, 0, 0, 0, 1}, false, {0}},             // TYPE 0
        {{0, 0, 0, 2, 0, 8, 0, 1}, false, {0}},
        {{0, 0, 0, 2, 0xff, 0xfe, 0, 1}, false, {0}}, // -2
        {{0, 0, 0, 2, 1, 1, 0, 1}, false, {0}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct record_header header;
        assert_int_equal(record_header_decode(&header, cases[i].bytes), cases[i].good);
        if (!cases[i].good)
            continue;
        assert_int_equal(header.length, cases[i].header.length);
        assert_int_equal(header.type, cases[i].header.type);
        assert_int_equal(header.session, cases[i].header.session);
    }
}

// UsherOpen

static const struct {
    struct usher_open open;
    const uint8_t *bytes;
    size_t len;
} opens[] = {
    {{.protocol = 6, .port = 443, .addr = {4, {10, 0, 0, 1}}},
     BYTES(0, 0, 0, 10, 0, 1, 0x12, 0x34, 0, 6, 0, 1, 1, 0xbb, 10, 0, 0, 1)},
    {{.protocol = 17, .port = 53, .by_name = true, .host = "dns.x"},
     BYTES(0, 0, 0, 12, 0, 1, 0x12, 0x34, 0, 17, 0, 2, 0, 53, 'd', 'n', 's', '.', 'x', 0)},
    {{.protocol = 58, .port = 7, .by_name = true, .addr = {6, {0xfd, [15] = 1}}},
     BYTES(0, 0, 0, 14, 0, 1, 0x12, 0x34, 0, 58, 0, 2, 0, 7, 'f', 'd', '0', '0', ':', ':', '1', 0)},
};

static void open_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(opens); i++) {
        struct writer w = fresh();
        struct usher_open back;
        record_open_encode(&w, 0x1234, &opens[i].open);
        expect_bytes(&w, opens[i].bytes, opens[i].len);
        assert_true(record_open_decode(&back, opens[i].bytes + 8, opens[i].len - 8));
        assert_int_equal(back.protocol, opens[i].open.protocol);
        assert_int_equal(back.port, opens[i].open.port);
        assert_int_equal(back.by_name, opens[i].open.by_name);
        assert_memory_equal(&back.addr, &opens[i].open.addr, sizeof back.addr);
        assert_string_equal(back.host, opens[i].open.host);
    }
}

static void open_ipv6_goes_by_name(void **state)
{
    struct usher_open open = {.protocol = 6, .port = 1, .addr = {6, {0xfd, [15] = 2}}}; // by_name is not set
    struct writer w = fresh();
    (void)state;
    record_open_encode(&w, 2, &open);
    expect_bytes(&w, BYTES(0, 0, 0, 14, 0, 1, 0, 2, 0, 6, 0, 2, 0, 1, 'f', 'd', '0', '0', ':', ':', '2', 0));
}

static void open_host_lengths(void **state)
{
    struct usher_open open = {.protocol = 6, .by_name = true};
    struct usher_open back;
    struct writer w = fresh();
    (void)state;
    memset(open.host, 'a', USHER_HOST_MAX);
    record_open_encode(&w, 2, &open);
    assert_int_equal(w.at - room, 8 + 6 + 256);
    assert_true(record_open_decode(&back, room + 8, 6 + 256));
    assert_string_equal(back.host, open.host);
    room[8 + 6 + 255] = 'a'; // one byte more
    room[8 + 6 + 256] = '\0';
    assert_false(record_open_decode(&back, room + 8, 6 + 257));

    w = fresh();
    open.host[0] = '\0';
    record_open_encode(&w, 2, &open);
    assert_true(w.failed);
}

static void open_bad_bodies(void **state)
{
    const struct {
        const uint8_t *bytes;
        size_t len;
    } cases[] = {
        {BYTES(0)},
        {BYTES(0, 6, 0, 1, 0)},
        {BYTES(0, 6, 0, 1, 0, 80)},                    // no address
        {BYTES(0, 6, 0, 1, 0, 80, 10, 0, 0)},          // three quarters
        {BYTES(0, 6, 0, 1, 0, 80, 10, 0, 0, 1, 0)},    // a byte too many
        {BYTES(0, 6, 0, 0, 0, 80, 10, 0, 0, 1)},       // ADDRTYPE 0
        {BYTES(0, 6, 0, 3, 0, 80, 10, 0, 0, 1)},       // ADDRTYPE 3
        {BYTES(0, 6, 0, 2, 0, 80)},                    // no name
        {BYTES(0, 6, 0, 2, 0, 80, 0)},                 // an empty one
        {BYTES(0, 6, 0, 2, 0, 80, 'a')},               // without its NUL
        {BYTES(0, 6, 0, 2, 0, 80, 'a', 0, 0)},         // a byte behind it
        {BYTES(0, 6, 0, 2, 0, 80, 'a', 0, 'b', 0)},    // two names
        {BYTES(0, 6, 0xff, 0xff, 0, 80, 10, 0, 0, 1)}, // ADDRTYPE -1
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct usher_open open;
        assert_false(record_open_decode(&open, cases[i].bytes, cases[i].len));
    }
}

static void open_ipv4_text_stays_a_name(void **state)
{
    struct usher_open open;
    (void)state;
    assert_true(record_open_decode(&open, BYTES(0, 6, 0, 2, 0, 80, '1', '.', '2', '.', '3', '.', '4', 0)));
    assert_int_equal(open.addr.version, 0);
    assert_string_equal(open.host, "1.2.3.4");
}

// UsherOpenReply

static void reply_vectors(void **state)
{
    struct writer w = fresh();
    (void)state;
    record_open_reply_encode(&w, 2, 0x8001, "");
    expect_bytes(&w, BYTES(0, 0, 0, 3, 0xff, 0xff, 0, 2, 0x80, 1, 0));
    w = fresh();
    record_open_reply_encode(&w, 2, USHER_ID_NONE, "refused: no");
    expect_bytes(
        &w, BYTES(0, 0, 0, 14, 0xff, 0xff, 0, 2, 0xff, 0xff, 'r', 'e', 'f', 'u', 's', 'e', 'd', ':', ' ', 'n', 'o', 0));
}

static void reply_bodies(void **state)
{
    const struct {
        const uint8_t *bytes;
        size_t len;
        bool good;
        uint16_t rc;
        const char *reason;
    } cases[] = {
        {BYTES(0, 2), true, 2, ""}, // REASON may be absent
        {BYTES(0, 2, 0), true, 2, ""},
        {BYTES(0, 2, 'h', 'i', 0), true, 2, "hi"},
        {BYTES(0xff, 0xff, 'x', 0), true, USHER_ID_NONE, "x"},
        {BYTES(0xff, 0xff, 0), true, USHER_ID_NONE, ""},
        {BYTES(0xff, 0xff), false, 0, ""}, // but not with -1
        {BYTES(0xff), false, 0, ""},
        {BYTES(0, 2, 'h', 'i'), false, 0, ""},
        {BYTES(0, 2, 0, 0), false, 0, ""},
        {BYTES(0xff, 0xff, 'x', 0, 'y'), false, 0, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint16_t rc;
        const char *reason;
        assert_int_equal(record_open_reply_decode(&rc, &reason, cases[i].bytes, cases[i].len), cases[i].good);
        if (!cases[i].good)
            continue;
        assert_int_equal(rc, cases[i].rc);
        assert_string_equal(reason, cases[i].reason);
    }
}

// UsherClose, UsherSend, UsherAck

static void close_vectors(void **state)
{
    static const enum usher_direction directions[] = {USHER_READ, USHER_WRITE, USHER_BOTH};
    (void)state;
    for (uint8_t i = 0; i < COUNT(directions); i++) {
        struct writer w = fresh();
        enum usher_direction back;
        record_close_encode(&w, 3, directions[i]);
        expect_bytes(&w, BYTES(0, 0, 0, 2, 0, 2, 0, 3, 0, i));
        assert_true(record_close_decode(&back, room + 8, 2));
        assert_int_equal(back, directions[i]);
    }
}

static void close_bad_bodies(void **state)
{
    enum usher_direction out;
    (void)state;
    assert_false(record_close_decode(&out, BYTES(0)));
    assert_false(record_close_decode(&out, BYTES(0, 3)));
    assert_false(record_close_decode(&out, BYTES(0xff, 0xff)));
    assert_false(record_close_decode(&out, BYTES(1, 0)));
    assert_false(record_close_decode(&out, BYTES(0, 0, 0)));
    assert_false(record_close_decode(&out, room, 0));
}

static void send_header_vector(void **state)
{
    struct writer w = fresh();
    (void)state;
    record_send_header_encode(&w, 0xfffe, USHER_SEND_MAX);
    expect_bytes(&w, BYTES(0, 0, 0xbf, 0xf8, 0, 3, 0xff, 0xfe));
}

static void ack_vectors(void **state)
{
    struct writer w = fresh();
    uint16_t size;
    (void)state;
    record_ack_encode(&w, 5, 65535);
    expect_bytes(&w, BYTES(0, 0, 0, 2, 0, 5, 0, 5, 0xff, 0xff));
    assert_true(record_ack_decode(&size, room + 8, 2));
    assert_int_equal(size, 65535);
    assert_false(record_ack_decode(&size, room + 8, 1));
    assert_false(record_ack_decode(&size, BYTES(0, 1, 0)));
}

// UsherSendUdp

static void datagram_vector(void **state)
{
    struct usher_datagram datagram = {
        .from = {.addr = {4, {10, 0, 0, 1}}, .port = 1000},
        .to = {.addr = {4, {10, 0, 0, 2}}, .port = 53},
        .bytes = (const uint8_t *)"hi",
        .len = 2,
    };
    struct usher_datagram back;
    struct writer w = fresh();
    (void)state;
    record_send_udp_encode(&w, 7, &datagram);
    expect_bytes(&w, BYTES(0, 0, 0, 14, 0, 4, 0, 7, 10, 0, 0, 1, 3, 0xe8, 10, 0, 0, 2, 0, 53, 'h', 'i'));
    assert_true(record_send_udp_decode(&back, room + 8, 14));
    assert_true(endpoint_equal(&back.from, &datagram.from));
    assert_true(endpoint_equal(&back.to, &datagram.to));
    assert_int_equal(back.len, 2);
    assert_memory_equal(back.bytes, "hi", 2);
}

static void datagram_without_addresses(void **state)
{
    struct usher_datagram datagram = {.to = {.addr = {6, {0xfd}}, .port = 9}};
    struct usher_datagram back;
    struct writer w = fresh();
    (void)state;
    record_send_udp_encode(&w, 7, &datagram);
    expect_bytes(&w, BYTES(0, 0, 0, 12, 0, 4, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9));
    assert_true(record_send_udp_decode(&back, room + 8, 12));
    assert_int_equal(back.from.addr.version, 0);
    assert_int_equal(back.to.addr.version, 0);
    assert_int_equal(back.to.port, 9);
    assert_int_equal(back.len, 0);
}

static void datagram_lengths(void **state)
{
    static uint8_t body[USHER_DATAGRAM_FIXED + USHER_DATAGRAM_MAX + 1];
    struct usher_datagram back;
    (void)state;
    assert_false(record_send_udp_decode(&back, body, USHER_DATAGRAM_FIXED - 1));
    assert_false(record_send_udp_decode(&back, body, 0));
    assert_true(record_send_udp_decode(&back, body, USHER_DATAGRAM_FIXED + USHER_DATAGRAM_MAX));
    assert_int_equal(back.len, USHER_DATAGRAM_MAX);
    assert_false(record_send_udp_decode(&back, body, USHER_DATAGRAM_FIXED + USHER_DATAGRAM_MAX + 1));
}

// UsherEnd, UsherRST

static void reason_vectors(void **state)
{
    struct writer w = fresh();
    const char *reason;
    (void)state;
    record_end_encode(&w, "bye");
    expect_bytes(&w, BYTES(0, 0, 0, 4, 0, 6, 0, 0, 'b', 'y', 'e', 0));
    w = fresh();
    record_rst_encode(&w, 9, "no");
    expect_bytes(&w, BYTES(0, 0, 0, 3, 0, 7, 0, 9, 'n', 'o', 0));
    assert_true(record_reason_decode(&reason, room + 8, 3));
    assert_string_equal(reason, "no");
    assert_true(record_reason_decode(&reason, BYTES(0)));
    assert_false(record_reason_decode(&reason, room, 0));
    assert_false(record_reason_decode(&reason, BYTES('n', 'o')));
    assert_false(record_reason_decode(&reason, BYTES('n', 0, 'o', 0)));
}

static void reasons_are_cut(void **state)
{
    char reason[400];
    const char *back;
    struct writer w = fresh();
    (void)state;
    memset(reason, 'r', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    record_rst_encode(&w, 9, reason);
    assert_int_equal(w.at - room, 8 + USHER_REASON_MAX + 1);
    assert_true(record_reason_decode(&back, room + 8, USHER_REASON_MAX + 1));
    assert_int_equal(strlen(back), USHER_REASON_MAX);
}

static void too_little_room_fails(void **state)
{
    struct usher_open open = opens[0].open;
    struct usher_datagram datagram = {.bytes = room, .len = 4};
    (void)state;
    for (size_t size = 0; size < 8 + 2; size++) {
        uint8_t small[16];
        struct writer w[] = {writer_over(small, size), writer_over(small, size), writer_over(small, size),
                             writer_over(small, size), writer_over(small, size)};
        record_open_encode(&w[0], 2, &open);
        record_close_encode(&w[1], 2, USHER_READ);
        record_ack_encode(&w[2], 2, 1);
        record_rst_encode(&w[3], 2, "no");
        record_send_udp_encode(&w[4], 2, &datagram);
        for (size_t i = 0; i < COUNT(w); i++)
            assert_true(w[i].failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers),
        cmocka_unit_test(open_vectors),
        cmocka_unit_test(open_ipv6_goes_by_name),
        cmocka_unit_test(open_host_lengths),
        cmocka_unit_test(open_bad_bodies),
        cmocka_unit_test(open_ipv4_text_stays_a_name),
        cmocka_unit_test(reply_vectors),
        cmocka_unit_test(reply_bodies),
        cmocka_unit_test(close_vectors),
        cmocka_unit_test(close_bad_bodies),
        cmocka_unit_test(send_header_vector),
        cmocka_unit_test(ack_vectors),
        cmocka_unit_test(datagram_vector),
        cmocka_unit_test(datagram_without_addresses),
        cmocka_unit_test(datagram_lengths),
        cmocka_unit_test(reason_vectors),
        cmocka_unit_test(reasons_are_cut),
        cmocka_unit_test(too_little_room_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
