// SPDX-License-Identifier: GPL-2.0-or-later
// What the edges may do with a session, also from within its callbacks, and what the peer is told.
#include "session_fixture.h"

// Giving up

static void giving_up_before_the_open_went(void **state)
{
    struct fixture *f = *state;
    open_session(f->script, &f->edge, USHER_TCP);
    usher_session_reset(f->edge.session, USHER_FAILED, "x");
    EXPECT_PULL(f->script, "");
    assert_int_equal(usher_engine_sessions(f->script->engine), 0);
}

static void giving_up_tells_a_peer_of_our_kind_at_once(void **state)
{
    struct fixture *f = *state;
    struct edge next = {0};
    open_session(f->script, &f->edge, USHER_TCP);
    pull(f->script);
    usher_session_reset(f->edge.session, USHER_FAILED, "x");
    EXPECT_PULL(f->script, "rst 2 failed: x");
    open_session(f->script, &next, USHER_TCP);
    EXPECT_PULL(f->script, "open 4"); // 2 is kept until its answer has come
    feed_reply(f->script, 2, USHER_ID_NONE, "failed: given up");
    EXPECT_LOG(&f->edge, "");
    open_session(f->script, &next, USHER_TCP);
    EXPECT_PULL(f->script, "open 2");
}

static void giving_up_crosses_a_positive_reply(void **state)
{
    struct fixture *f = *state;
    open_session(f->script, &f->edge, USHER_TCP);
    pull(f->script);
    usher_session_reset(f->edge.session, USHER_FAILED, "x");
    pull(f->script);
    feed_reply(f->script, 2, 2, "");
    EXPECT_PULL(f->script, "rst 2 failed: given up");
    EXPECT_LOG(&f->edge, "");
    assert_int_equal(usher_engine_sessions(f->script->engine), 0);
}

static void giving_up_tells_another_peer_when_it_has_answered(void **state)
{
    struct usher_engine_config config = script_config();
    struct edge edge = {0};
    (void)state;
    config.extended = false;
    struct script *script = script_new(&config);
    open_session(script, &edge, USHER_TCP);
    pull(script);
    usher_session_reset(edge.session, USHER_FAILED, "x");
    EXPECT_PULL(script, "");
    feed_reply(script, 2, 77, ""); // its own id, which it could not know as 2
    EXPECT_PULL(script, "rst 77 failed: given up");
    script_free(script);
}

// Sessions of the peer

static void incoming_answers(void **state)
{
    static const struct {
        enum answer answer;
        const char *pulled;
        uint32_t sessions;
    } cases[] = {
        {ANSWER_ACCEPT, "reply 1 = 1", 1},
        {ANSWER_REFUSE, "reply 1 denied: by rule", 0},
        {ANSWER_IGNORE, "reply 1 unsupported: no such service here", 0},
        {ANSWER_LATER, "", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct usher_engine_config config = script_config();
        struct script *script = script_new(&config);
        script->answer = cases[i].answer;
        feed_open(script, 1, USHER_TCP);
        EXPECT_PULL(script, cases[i].pulled);
        EXPECT_PULL(script, "");
        assert_int_equal(usher_engine_sessions(script->engine), cases[i].sessions);
        assert_int_equal(script->last_open.port, 80);
        script_free(script);
    }
}

static void incoming_answer_later(void **state)
{
    struct fixture *f = *state;
    struct edge *edge = &f->script->edges[0];
    feed_open(f->script, 1, USHER_TCP);
    usher_session_accept(edge->session);
    edge->to_send = 3;
    usher_session_ready(edge->session);
    EXPECT_PULL(f->script, "reply 1 = 1; send 1 [3]");
    EXPECT_LOG(edge, "");
}

static void incoming_closed_before_it_was_accepted(void **state)
{
    struct fixture *f = *state;
    feed_open(f->script, 1, USHER_UDP);
    usher_session_close(f->script->edges[0].session);
    EXPECT_PULL(f->script, "");
    usher_session_accept(f->script->edges[0].session);
    EXPECT_PULL(f->script, "reply 1 = 1; both 1");
}

static void incoming_cancelled(struct script *script, bool accepted, bool by_close)
{
    struct edge *edge = &script->edges[0];
    script->answer = accepted ? ANSWER_ACCEPT : ANSWER_LATER;
    feed_open(script, 1, USHER_TCP);
    if (by_close)
        feed_close(script, 1, USHER_BOTH);
    else
        feed_rst(script, 1, "failed: x");
    EXPECT_LOG(edge, "ended(reset failed: given up)");
    EXPECT_PULL(script, "reply 1 failed: given up"); // exactly one answer, whatever was queued
    EXPECT_PULL(script, "");
    assert_int_equal(usher_engine_sessions(script->engine), 0);
    assert_int_equal(usher_engine_counters(script->engine)->glitches, 0);
}

static void incoming_cancelled_before_the_answer(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct usher_engine_config config = script_config();
        struct script *script = script_new(&config);
        incoming_cancelled(script, i & 1, i & 2);
        script_free(script);
    }
}

static void incoming_reset_before_the_answer_went(void **state)
{
    struct fixture *f = *state;
    f->script->answer = ANSWER_ACCEPT;
    feed_open(f->script, 1, USHER_TCP);
    usher_session_reset(f->script->edges[0].session, USHER_TIMEOUT, "x");
    EXPECT_PULL(f->script, "reply 1 timeout: x");
    assert_int_equal(usher_engine_sessions(f->script->engine), 0);
}

// Callbacks that act

static void resets_itself_in_the_middle_of_its_data(void **state)
{
    struct fixture *f = *state;
    struct edge *edge = accept_active(f->script, 1, USHER_TCP);
    struct edge *other = accept_active(f->script, 3, USHER_TCP);
    uint8_t bytes[8 + 1000 + 8 + 1];
    struct writer w = writer_over(bytes, sizeof bytes);
    record_send_header_encode(&w, 1, 1000);
    w.at += 1000;
    record_send_header_encode(&w, 3, 1);
    edge->reset_in_data = true;
    feed(f->script, bytes, 100);
    feed(f->script, bytes + 100, sizeof bytes - 100);
    EXPECT_LOG(edge, "data[92]"); // what is left of the record is skipped
    EXPECT_LOG(other, "data[1]");
    EXPECT_PULL(f->script, "rst 1 failed: in data");
}

static void resets_another_in_its_data(void **state)
{
    struct fixture *f = *state;
    struct edge *edge = accept_active(f->script, 1, USHER_TCP);
    struct edge *other = accept_active(f->script, 3, USHER_TCP);
    edge->resets_other = other;
    feed_send(f->script, 1, 1);
    feed_send(f->script, 3, 1);
    EXPECT_LOG(other, "");
    EXPECT_PULL(f->script, "rst 3 failed: by another");
}

// The id is the peer's to use again as soon as it holds the session as inactive: our UsherRST would hit the next one.
static void an_rst_that_comes_too_late_is_not_sent(void **state)
{
    struct fixture *f = *state;
    struct edge *edge = accept_active(f->script, 1, USHER_TCP);
    usher_session_reset(edge->session, USHER_FAILED, "x");
    feed_rst(f->script, 1, "failed: y");
    f->script->answer = ANSWER_ACCEPT;
    feed_open(f->script, 1, USHER_TCP);
    EXPECT_PULL(f->script, "reply 1 = 1");

    edge = &f->script->edges[1];
    usher_session_finish(edge->session);
    EXPECT_PULL(f->script, "read 1");
    usher_session_reset(edge->session, USHER_FAILED, "x");
    feed_close(f->script, 1, USHER_READ); // both directions are closed for the peer now
    feed_open(f->script, 1, USHER_TCP);
    EXPECT_PULL(f->script, "reply 1 = 1");
}

static void by_name_addresses_are_zeros(void **state)
{
    struct fixture *f = *state;
    struct usher_open open = {.protocol = USHER_UDP, .by_name = true, .host = "dns"};
    struct usher_datagram datagram = {
        .from = {.addr = {4, {10, 0, 0, 9}}, .port = 53},
        .bytes = (const uint8_t *)"x",
        .len = 1,
    };
    uint8_t room[USHER_PULL_MIN];
    static const uint8_t zeros[USHER_DATAGRAM_FIXED];
    f->script->answer = ANSWER_ACCEPT;
    FEED(f->script, record_open_encode(&w, 1, &open));
    pull(f->script);
    feed_datagram(f->script, 1, &datagram);
    EXPECT_LOG(&f->script->edges[0], "datagram[1]"); // a peer's made-up address is no address
    usher_session_datagram(f->script->edges[0].session, &datagram);
    assert_int_equal(usher_engine_pull(f->script->engine, room, sizeof room, f->script->now), 8 + 12 + 1);
    assert_memory_equal(room + 8, zeros, sizeof zeros);
}

static void echo_by_name_keeps_its_numbers(void **state)
{
    struct fixture *f = *state;
    struct usher_open open = {.protocol = USHER_ICMPV6, .port = 7, .addr = {6, {0xfd, [15] = 1}}};
    struct usher_datagram datagram = {.from = {.port = 7}, .to = {.port = 0x1234}};
    uint8_t room[USHER_PULL_MIN];
    f->edge.session = usher_session_open(f->script->engine, &open, &edge_ops, &f->edge);
    pull(f->script);
    feed_reply(f->script, 2, 2, "");
    usher_session_datagram(f->edge.session, &datagram);
    assert_int_equal(usher_engine_pull(f->script->engine, room, sizeof room, f->script->now), 8 + 12);
    assert_memory_equal(room + 8, ((const uint8_t[]){0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0x12, 0x34}), 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(giving_up_before_the_open_went),
        TEST(giving_up_tells_a_peer_of_our_kind_at_once),
        TEST(giving_up_crosses_a_positive_reply),
        TEST(giving_up_tells_another_peer_when_it_has_answered),
        TEST(incoming_answers),
        TEST(incoming_answer_later),
        TEST(incoming_closed_before_it_was_accepted),
        TEST(incoming_cancelled_before_the_answer),
        TEST(incoming_reset_before_the_answer_went),
        TEST(resets_itself_in_the_middle_of_its_data),
        TEST(resets_another_in_its_data),
        TEST(an_rst_that_comes_too_late_is_not_sent),
        TEST(by_name_addresses_are_zeros),
        TEST(echo_by_name_keeps_its_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
