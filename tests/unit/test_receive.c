// SPDX-License-Identifier: GPL-2.0-or-later
// The rules of data, credit and datagrams, and what breaking one costs.
#include "session_fixture.h"
#include "unit.h"

static void data_rules(void **state)
{
    static const struct {
        const char *error;
        uint16_t protocol;
        bool answered;
        size_t len;
    } cases[] = {
        {"data before the open was answered", USHER_TCP, false, 1},
        {"data on a datagram session", USHER_UDP, true, 1},
        {"data on a datagram session", USHER_ICMP, true, 1},
        {"empty data", USHER_TCP, true, 0},
        {NULL, USHER_TCP, true, 65535},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct usher_engine_config config = script_config();
        struct script *script = script_new(&config);
        struct edge *edge = &script->edges[0];
        struct text expected = {{0}};
        if (cases[i].answered)
            accept_active(script, 1, cases[i].protocol);
        else
            feed_open(script, 1, cases[i].protocol);
        feed_send(script, 1, cases[i].len);
        if (!cases[i].error) {
            assert_null(strstr(edge->log.text, "ended"));
        } else {
            text_add(&expected, "", "ended(reset failed: %s)", cases[i].error);
            EXPECT_LOG(edge, expected.text);
            expected.text[0] = '\0';
            text_add(&expected, "", cases[i].answered ? "rst 1 failed: %s" : "reply 1 failed: %s", cases[i].error);
            EXPECT_PULL(script, expected.text);
        }
        script_free(script);
    }
}

static void more_data_than_credit(void **state)
{
    struct usher_engine_config config = script_config();
    (void)state;
    config.window_max = USHER_WINDOW_START;
    struct script *script = script_new(&config);
    struct edge *edge = accept_active(script, 1, USHER_TCP);
    feed_send(script, 1, 40000);
    edge->log.text[0] = '\0';
    feed_send(script, 1, 25537); // one too many: none of it is delivered
    EXPECT_LOG(edge, "ended(reset failed: more data than credit)");
    EXPECT_PULL(script, "rst 1 failed: more data than credit");
    script_free(script);
}

static void more_credit_than_2_31(void **state)
{
    struct fixture *f = *state;
    open_active(f->script, &f->edge, 2);
    for (int i = 0; i < 32767; i++)
        feed_ack(f->script, 2, 65535);
    EXPECT_LOG(&f->edge, "");
    feed_ack(f->script, 2, 65535);
    EXPECT_LOG(&f->edge, "ended(reset failed: more credit than a session can have)");
}

static void acks_that_mean_nothing(void **state)
{
    struct fixture *f = *state;
    struct edge *udp = accept_active(f->script, 1, USHER_UDP);
    open_active(f->script, &f->edge, 2);
    feed_ack(f->script, 2, 0);
    feed_ack(f->script, 1, 5);
    feed_ack(f->script, 0, 0); // a heartbeat is none
    assert_int_equal(usher_engine_counters(f->script->engine)->glitches, 2);
    EXPECT_LOG(udp, "");
    EXPECT_LOG(&f->edge, "");
}

static void acks_are_merged_and_split(void **state)
{
    struct fixture *f = *state;
    struct edge *edge = accept_active(f->script, 1, USHER_TCP);
    edge->consume = true;
    feed_send(f->script, 1, 8191); // still looks like questions and answers: nothing to say
    EXPECT_PULL(f->script, "");
    feed_send(f->script, 1, 1);
    EXPECT_PULL(f->script, "ack 1 +65535; ack 1 +65535; ack 1 +65535; ack 1 +8195");
    feed_send(f->script, 1, 60000);
    EXPECT_PULL(f->script, "");
    feed_send(f->script, 1, 6000);
    EXPECT_PULL(f->script, "ack 1 +65535; ack 1 +465");
}

static void no_ack_after_the_end_of_the_data(void **state)
{
    struct fixture *f = *state;
    struct edge *edge = accept_active(f->script, 1, USHER_TCP);
    feed_send(f->script, 1, 50000); // an early grant is due
    feed_close(f->script, 1, USHER_READ);
    usher_session_consumed(edge->session, 50000);
    EXPECT_PULL(f->script, "");
}

static void datagrams_both_ways(void **state)
{
    struct fixture *f = *state;
    struct edge *edge = accept_active(f->script, 1, USHER_UDP);
    struct usher_datagram datagram = {
        .from = {.addr = {4, {10, 0, 0, 9}}, .port = 53},
        .to = {.addr = {4, {10, 0, 0, 1}}, .port = 1000},
        .bytes = (const uint8_t *)"hello",
        .len = 5,
    };
    feed_datagram(f->script, 1, &datagram);
    EXPECT_LOG(edge, "datagram[5] from 10.0.0.9:53");
    assert_true(usher_session_datagram(edge->session, &datagram));
    assert_true(usher_session_datagram(edge->session, &datagram));
    usher_session_close(edge->session);
    assert_false(usher_session_datagram(edge->session, &datagram));
    EXPECT_PULL(f->script, "datagram 1 [5]; datagram 1 [5]; both 1"); // queued ones still go
    feed_datagram(f->script, 1, &datagram);
    feed_close(f->script, 1, USHER_BOTH);
    EXPECT_LOG(edge, "datagram[5] from 10.0.0.9:53 finished ended(closed)");
}

static void datagrams_that_cannot_go(void **state)
{
    struct fixture *f = *state;
    struct usher_datagram datagram = {.bytes = (const uint8_t *)"x", .len = USHER_DATAGRAM_MAX + 1};
    struct edge *udp = accept_active(f->script, 1, USHER_UDP);
    struct edge *tcp = accept_active(f->script, 3, USHER_TCP);
    assert_false(usher_session_datagram(udp->session, &datagram)); // too large
    datagram.len = 1;
    assert_false(usher_session_datagram(tcp->session, &datagram)); // not on a stream
    open_session(f->script, &f->edge, USHER_UDP);
    assert_false(usher_session_datagram(f->edge.session, &datagram)); // not before the answer
    feed_datagram(f->script, 3, &datagram);
    EXPECT_LOG(tcp, "ended(reset failed: datagram on a stream session)");
}

static void datagram_rules(void **state)
{
    struct fixture *f = *state;
    struct usher_datagram datagram = {.bytes = (const uint8_t *)"x", .len = 1};
    feed_open(f->script, 1, USHER_UDP);
    feed_datagram(f->script, 1, &datagram);
    EXPECT_LOG(&f->script->edges[0], "ended(reset failed: datagram before the open was answered)");
    struct edge *half_closed = accept_active(f->script, 3, USHER_UDP);
    feed_close(f->script, 3, USHER_READ);
    feed_datagram(f->script, 3, &datagram);
    EXPECT_LOG(half_closed, "finished ended(reset failed: datagram after the end)");
    struct edge *tcp = accept_active(f->script, 5, USHER_TCP);
    feed_datagram(f->script, 5, &datagram);
    EXPECT_LOG(tcp, "ended(reset failed: datagram on a stream session)");
}

// What users count by: payload whatever carries it, a session's own and all of them together.
static void payload_is_counted(void **state)
{
    static const struct {
        const char *name;
        uint16_t protocol;
        bool stream;
    } cases[] = {{"TCP", USHER_TCP, true}, {"UDP", USHER_UDP, false}, {"ICMP", USHER_ICMP, false}};
    struct fixture *f = *state;
    const struct usher_counters *counters = usher_engine_counters(f->script->engine);
    struct usher_datagram datagram = {.bytes = (const uint8_t *)"hello, w", .len = 5};
    for (uint16_t i = 0; i < COUNT(cases); i++) {
        uint16_t id = (uint16_t)(2 * i + 1);
        struct edge *edge = accept_active(f->script, id, cases[i].protocol);
        CASE(cases[i].name, usher_session_sent(edge->session) == 0 && usher_session_received(edge->session) == 0);
        edge->to_send = 7;
        if (cases[i].stream) {
            feed_send(f->script, id, 5);
            usher_session_ready(edge->session);
        } else {
            feed_datagram(f->script, id, &datagram);
            datagram.len = 7;
            usher_session_datagram(edge->session, &datagram);
            datagram.len = 5;
        }
        pull(f->script);
        CASE(cases[i].name, usher_session_sent(edge->session) == 7 && usher_session_received(edge->session) == 5);
        CASE(cases[i].name, counters->payload_sent == 7u * (i + 1) && counters->payload_received == 5u * (i + 1));
        CASE(cases[i].name, counters->data_sent == 7 && counters->data_received == 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(data_rules),
        TEST(more_data_than_credit),
        TEST(more_credit_than_2_31),
        TEST(acks_that_mean_nothing),
        TEST(acks_are_merged_and_split),
        TEST(no_ack_after_the_end_of_the_data),
        TEST(datagrams_both_ways),
        TEST(datagrams_that_cannot_go),
        TEST(datagram_rules),
        TEST(payload_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
