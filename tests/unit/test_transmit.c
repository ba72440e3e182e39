// SPDX-License-Identifier: GPL-2.0-or-later
// How records share the room of a pull.
#include "session_fixture.h"

// A large datagram does not fit into one room: it is cut, and nothing comes in between.
static void large_datagrams_are_carried(void **state)
{
    static uint8_t bytes[USHER_DATAGRAM_MAX];
    static uint8_t all[100000];
    struct fixture *f = *state;
    struct edge *edge = accept_active(f->script, 1, USHER_UDP);
    struct usher_datagram datagram = {.bytes = bytes, .len = sizeof bytes};
    struct usher_datagram back;
    struct record_header header;
    size_t len = 0;
    memset(bytes, 0x5a, sizeof bytes);
    usher_session_datagram(edge->session, &datagram);
    len += usher_engine_pull(f->script->engine, all, CHUNK_SIZE, f->script->now);
    assert_int_equal(len, CHUNK_SIZE);
    usher_session_reset(edge->session, USHER_FAILED, "x"); // also not when the session goes
    while (usher_engine_has_work(f->script->engine))
        len += usher_engine_pull(f->script->engine, all + len, CHUNK_SIZE, f->script->now);
    assert_true(record_header_decode(&header, all));
    assert_int_equal(header.type, RECORD_SEND_UDP);
    assert_true(record_send_udp_decode(&back, all + 8, header.length));
    assert_int_equal(back.len, sizeof bytes);
    assert_memory_equal(back.bytes, bytes, sizeof bytes);
    assert_true(record_header_decode(&header, all + 8 + header.length));
    assert_int_equal(header.type, RECORD_RST);
}

static void datagram_queue_is_bounded(void **state)
{
    static uint8_t bytes[1000];
    struct fixture *f = *state;
    struct edge *edge = accept_active(f->script, 1, USHER_UDP);
    struct usher_datagram datagram = {.bytes = bytes, .len = sizeof bytes};
    const struct usher_counters *counters = usher_engine_counters(f->script->engine);
    for (int i = 0; i < 1000; i++)
        assert_true(usher_session_datagram(edge->session, &datagram));
    while (usher_engine_has_work(f->script->engine)) {
        uint8_t room[CHUNK_SIZE];
        usher_engine_pull(f->script->engine, room, sizeof room, f->script->now);
    }
    assert_true(counters->datagrams_dropped > 700);
    assert_int_equal(counters->datagrams_sent + counters->datagrams_dropped, 1000);
}

static void control_goes_on_in_the_next_room(void **state)
{
    static const char *const starts[] = {"rst 1 failed: ttt", "rst 3 failed: ttt", "rst 5 failed: ttt"};
    static char text[USHER_REASON_MAX + 1];
    struct fixture *f = *state;
    struct edge *edges[3];
    memset(text, 't', sizeof text - 1);
    for (uint16_t i = 0; i < 3; i++)
        edges[i] = accept_active(f->script, (uint16_t)(2 * i + 1), USHER_TCP);
    for (size_t i = 0; i < 3; i++)
        usher_session_reset(edges[i]->session, USHER_FAILED, text);
    for (size_t i = 0; i < 3; i++) // two of 8 + 256 bytes do not fit into one room
        assert_memory_equal(pull_into(f->script, USHER_PULL_MIN), starts[i], strlen(starts[i]));
    EXPECT_PULL(f->script, "");
}

// A window of megabytes is returned in pieces of 64 KiB, more of them than fit into one room.
static void a_large_grant_takes_several_rooms(void **state)
{
    struct fixture *f = *state;
    uint64_t granted = USHER_WINDOW_START;
    uint64_t sent = 0;
    unsigned rooms = 0;
    accept_active(f->script, 1, USHER_TCP)->consume = true;
    for (int round = 0; round < 12; round++) {
        for (; granted - sent >= 60000; sent += 60000)
            feed_send(f->script, 1, 60000);
        rooms = 0;
        for (unsigned size; *pull_into(f->script, USHER_PULL_MIN) != '\0'; rooms++)
            for (const char *at = f->script->pulled.text; at; at = strstr(at + 1, "ack")) {
                assert_int_equal(sscanf(at, "ack 1 +%u", &size), 1);
                granted += size;
            }
    }
    assert_true(granted - sent > USHER_WINDOW_MAX / 4 * 3);
    assert_true(rooms > 1);
}

static void reset_from_within_fill(void **state)
{
    struct fixture *f = *state;
    open_active(f->script, &f->edge, 2);
    f->edge.to_send = 100;
    f->edge.reset_in_fill = true;
    usher_session_ready(f->edge.session);
    EXPECT_PULL(f->script, "rst 2 failed: in fill"); // what it wrote is thrown away
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(large_datagrams_are_carried),      TEST(datagram_queue_is_bounded),
        TEST(control_goes_on_in_the_next_room), TEST(a_large_grant_takes_several_rooms),
        TEST(reset_from_within_fill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
