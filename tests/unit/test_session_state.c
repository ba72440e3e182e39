// SPDX-License-Identifier: GPL-2.0-or-later
// The rows of doc/PROTOCOL.md section 7, and every way to close.
#include "session_fixture.h"
#include "usher/credit.h"

// pending

static void pending_positive_reply(void **state)
{
    struct fixture *f = *state;
    open_session(f->script, &f->edge, USHER_TCP);
    EXPECT_STATE(&f->edge, "pending");
    EXPECT_PULL(f->script, "open 2");
    f->edge.to_send = 5;
    usher_session_ready(f->edge.session);
    EXPECT_PULL(f->script, ""); // nothing before the answer
    feed_reply(f->script, 2, 2, "");
    EXPECT_STATE(&f->edge, "active");
    EXPECT_LOG(&f->edge, "opened");
    EXPECT_PULL(f->script, "send 2 [5]");
}

static void pending_negative_reply(void **state)
{
    struct fixture *f = *state;
    open_session(f->script, &f->edge, USHER_TCP);
    pull(f->script);
    feed_reply(f->script, 2, USHER_ID_NONE, "unreachable: no route");
    EXPECT_LOG(&f->edge, "ended(refused unreachable: no route)");
    assert_int_equal(usher_engine_sessions(f->script->engine), 0);
    EXPECT_PULL(f->script, "");
}

static void pending_ignores_all_but_the_reply(void **state)
{
    struct fixture *f = *state;
    open_session(f->script, &f->edge, USHER_TCP);
    pull(f->script);
    feed_send(f->script, 2, 100);
    feed_ack(f->script, 2, 100);
    feed_close(f->script, 2, USHER_BOTH);
    feed_rst(f->script, 2, "left over");
    EXPECT_LOG(&f->edge, "");
    EXPECT_STATE(&f->edge, "pending");
    assert_int_equal(usher_engine_counters(f->script->engine)->strays, 4);
    feed_reply(f->script, 2, 2, "");
    assert_int_equal(usher_session_send_room(f->edge.session), USHER_WINDOW_START);
    assert_int_equal(usher_session_received(f->edge.session), 0);
}

// active

static void active_end_of_file(void **state)
{
    struct fixture *f = *state;
    open_active(f->script, &f->edge, 2);
    f->edge.to_send = 3;
    usher_session_ready(f->edge.session);
    usher_session_finish(f->edge.session);
    EXPECT_PULL(f->script, "send 2 [3]; read 2");
    EXPECT_STATE(&f->edge, "write active");
    feed_send(f->script, 2, 10); // the peer still sends
    EXPECT_LOG(&f->edge, "data[10]");
}

static void active_end_of_file_noticed_in_fill(void **state)
{
    struct fixture *f = *state;
    open_active(f->script, &f->edge, 2);
    f->edge.to_send = 3;
    f->edge.finish_in_fill = true;
    usher_session_ready(f->edge.session);
    EXPECT_PULL(f->script, "send 2 [3]; read 2");
}

static void active_close_received(void **state)
{
    struct fixture *f = *state;
    open_active(f->script, &f->edge, 2);
    feed_close(f->script, 2, USHER_READ);
    EXPECT_STATE(&f->edge, "session active");
    EXPECT_LOG(&f->edge, "finished");
    f->edge.to_send = 4; // we still send
    usher_session_ready(f->edge.session);
    EXPECT_PULL(f->script, "send 2 [4]");
}

static void active_local_error(void **state)
{
    struct fixture *f = *state;
    open_active(f->script, &f->edge, 2);
    f->edge.to_send = 1000;
    usher_session_ready(f->edge.session);
    usher_session_reset(f->edge.session, USHER_TIMEOUT, "gone");
    EXPECT_PULL(f->script, "rst 2 timeout: gone"); // and what was queued is thrown away
    EXPECT_LOG(&f->edge, "");
    assert_int_equal(usher_engine_sessions(f->script->engine), 0);
}

static void active_rst_received(void **state)
{
    struct fixture *f = *state;
    open_active(f->script, &f->edge, 2);
    f->edge.to_send = 1000;
    usher_session_ready(f->edge.session);
    feed_rst(f->script, 2, "refused: by far");
    EXPECT_LOG(&f->edge, "ended(reset refused: by far)");
    EXPECT_PULL(f->script, "");
    assert_int_equal(usher_engine_sessions(f->script->engine), 0);
}

// write active

static void write_active(struct fixture *f)
{
    open_active(f->script, &f->edge, 2);
    usher_session_finish(f->edge.session);
    EXPECT_PULL(f->script, "read 2");
}

static void write_active_close_received(void **state)
{
    struct fixture *f = *state;
    write_active(f);
    feed_close(f->script, 2, USHER_READ);
    EXPECT_LOG(&f->edge, "finished ended(closed)");
    assert_int_equal(usher_engine_sessions(f->script->engine), 0);
}

static void write_active_local_error(void **state)
{
    struct fixture *f = *state;
    write_active(f);
    usher_session_reset(f->edge.session, USHER_FAILED, "write");
    EXPECT_PULL(f->script, "rst 2 failed: write");
    EXPECT_LOG(&f->edge, "");
}

static void write_active_rst_received(void **state)
{
    struct fixture *f = *state;
    write_active(f);
    feed_rst(f->script, 2, "failed: x");
    EXPECT_LOG(&f->edge, "ended(reset failed: x)");
}

static void write_active_close_write_crossed(void **state)
{
    struct fixture *f = *state;
    write_active(f);
    feed_close(f->script, 2, USHER_WRITE);
    EXPECT_PULL(f->script, "");
    EXPECT_LOG(&f->edge, "");
    EXPECT_STATE(&f->edge, "write active");
}

static void write_active_reset_in_finished(void **state)
{
    struct fixture *f = *state;
    write_active(f);
    f->edge.reset_in_finished = true;
    feed_close(f->script, 2, USHER_READ);
    EXPECT_LOG(&f->edge, "finished");
    EXPECT_PULL(f->script, ""); // the peer has the session as inactive already
    assert_int_equal(usher_engine_sessions(f->script->engine), 0);
}

// session active

static void session_active(struct fixture *f)
{
    open_active(f->script, &f->edge, 2);
    feed_close(f->script, 2, USHER_READ);
    f->edge.log.text[0] = '\0';
}

static void session_active_end_of_file(void **state)
{
    struct fixture *f = *state;
    session_active(f);
    f->edge.to_send = 7;
    usher_session_ready(f->edge.session);
    usher_session_finish(f->edge.session);
    EXPECT_LOG(&f->edge, "");
    EXPECT_PULL(f->script, "send 2 [7]; read 2");
    EXPECT_LOG(&f->edge, "ended(closed)");
    assert_int_equal(usher_engine_sessions(f->script->engine), 0);
}

static void session_active_local_error(void **state)
{
    struct fixture *f = *state;
    session_active(f);
    usher_session_reset(f->edge.session, USHER_FAILED, "read");
    EXPECT_PULL(f->script, "rst 2 failed: read");
}

static void session_active_rst_received(void **state)
{
    struct fixture *f = *state;
    session_active(f);
    feed_rst(f->script, 2, "failed: x");
    EXPECT_LOG(&f->edge, "ended(reset failed: x)");
}

static void session_active_data_received(void **state)
{
    struct fixture *f = *state;
    session_active(f);
    feed_send(f->script, 2, 1);
    EXPECT_LOG(&f->edge, "ended(reset failed: data after the end of the data)");
    EXPECT_PULL(f->script, "rst 2 failed: data after the end of the data");
    assert_int_equal(usher_engine_counters(f->script->engine)->glitches, 1);
}

static void session_active_closed_twice(void **state)
{
    struct fixture *f = *state;
    session_active(f);
    feed_close(f->script, 2, USHER_READ);
    feed_close(f->script, 2, USHER_BOTH);
    EXPECT_LOG(&f->edge, "");
    assert_int_equal(usher_engine_counters(f->script->engine)->glitches, 2);
}

// Close(WRITE) and Close(BOTH)

static void close_write_discards_and_is_answered(void **state)
{
    struct fixture *f = *state;
    open_active(f->script, &f->edge, 2);
    f->edge.to_send = 1000;
    usher_session_ready(f->edge.session);
    feed_close(f->script, 2, USHER_WRITE);
    EXPECT_LOG(&f->edge, "stop_sending");
    EXPECT_PULL(f->script, "read 2");
    assert_int_equal(f->edge.to_send, 1000);
    EXPECT_STATE(&f->edge, "write active");
    usher_session_finish(f->edge.session); // once is enough
    EXPECT_PULL(f->script, "");
    feed_send(f->script, 2, 9);
    feed_close(f->script, 2, USHER_READ);
    EXPECT_LOG(&f->edge, "stop_sending data[9] finished ended(closed)");
}

static void close_both_is_answered_by_both(void **state)
{
    struct fixture *f = *state;
    open_active(f->script, &f->edge, 2);
    f->edge.to_send = 1000;
    usher_session_ready(f->edge.session);
    feed_send(f->script, 2, 10);
    feed_close(f->script, 2, USHER_BOTH);
    EXPECT_LOG(&f->edge, "data[10] finished");
    EXPECT_PULL(f->script, "both 2");
    EXPECT_LOG(&f->edge, "data[10] finished ended(closed)");
}

static void our_close_both(void **state)
{
    struct fixture *f = *state;
    open_active(f->script, &f->edge, 2);
    f->edge.to_send = 5;
    usher_session_ready(f->edge.session);
    usher_session_close(f->edge.session);
    EXPECT_PULL(f->script, "send 2 [5]; both 2");
    feed_send(f->script, 2, 60000); // on its way when ours went: credited, not delivered
    EXPECT_LOG(&f->edge, "");
    EXPECT_PULL(f->script, "ack 2 +65535; ack 2 +65535; ack 2 +65535; ack 2 +60003");
    feed_close(f->script, 2, USHER_BOTH);
    EXPECT_LOG(&f->edge, "finished ended(closed)");
}

static void crossed_close_both(void **state)
{
    struct fixture *f = *state;
    open_active(f->script, &f->edge, 2);
    usher_session_close(f->edge.session);
    feed_close(f->script, 2, USHER_BOTH); // before ours was pulled
    EXPECT_PULL(f->script, "both 2");
    EXPECT_LOG(&f->edge, "finished ended(closed)");
}

static void close_while_pending_waits_for_the_answer(void **state)
{
    struct fixture *f = *state;
    open_session(f->script, &f->edge, USHER_UDP);
    usher_session_close(f->edge.session);
    EXPECT_PULL(f->script, "open 2");
    feed_reply(f->script, 2, 2, "");
    EXPECT_PULL(f->script, "both 2");
    feed_close(f->script, 2, USHER_BOTH);
    EXPECT_LOG(&f->edge, "opened finished ended(closed)");
}

// But for 32 bytes.
static void use_up_window(struct fixture *f)
{
    for (int i = 0; i < 4; i++)
        assert_string_equal(pull_into(f->script, 16384), "send 2 [16376]");
}

static void finish_waits_for_credit(void **state)
{
    struct fixture *f = *state;
    open_active(f->script, &f->edge, 2);
    f->edge.to_send = USHER_WINDOW_START + 100;
    usher_session_ready(f->edge.session);
    use_up_window(f);
    EXPECT_PULL(f->script, ""); // 32 bytes of credit are left: a crumb, while more may follow
    usher_session_finish(f->edge.session);
    EXPECT_PULL(f->script, "send 2 [32]");
    EXPECT_PULL(f->script, "");
    feed_ack(f->script, 2, 101);
    EXPECT_PULL(f->script, "send 2 [100]; read 2");
    assert_int_equal(usher_session_sent(f->edge.session), USHER_WINDOW_START + 100);
    assert_int_equal(usher_session_send_room(f->edge.session), 1);
}

// An end behind no bytes needs no credit.
static void finish_without_credit(void **state)
{
    struct fixture *f = *state;
    open_active(f->script, &f->edge, 2);
    f->edge.to_send = USHER_WINDOW_START;
    f->edge.finish_empty_in_fill = true;
    usher_session_ready(f->edge.session);
    use_up_window(f);
    EXPECT_PULL(f->script, ""); // a crumb is left of both
    feed_ack(f->script, 2, CREDIT_CRUMB);
    EXPECT_PULL(f->script, "send 2 [32]; read 2");
    EXPECT_PULL(f->script, "");
    feed_close(f->script, 2, USHER_READ);
    EXPECT_LOG(&f->edge, "finished ended(closed)");
}

static void finish_later_without_credit(void **state)
{
    struct fixture *f = *state;
    open_active(f->script, &f->edge, 2);
    f->edge.to_send = USHER_WINDOW_START - 32;
    usher_session_ready(f->edge.session);
    pull_into(f->script, 1 << 20);
    assert_int_equal(usher_session_send_room(f->edge.session), 32);
    usher_session_finish_empty(f->edge.session);
    EXPECT_PULL(f->script, "read 2");
    EXPECT_PULL(f->script, "");
}

static void finish_empty_before_the_answer(void **state)
{
    struct fixture *f = *state;
    open_session(f->script, &f->edge, USHER_TCP);
    usher_session_finish_empty(f->edge.session);
    EXPECT_PULL(f->script, "open 2");
    feed_reply(f->script, 2, 2, "");
    EXPECT_PULL(f->script, "read 2");
}

static void a_crumb_of_credit_is_not_sent_on(void **state)
{
    struct fixture *f = *state;
    open_active(f->script, &f->edge, 2);
    f->edge.to_send = 2 * USHER_WINDOW_START;
    usher_session_ready(f->edge.session);
    use_up_window(f);
    feed_ack(f->script, 2, CREDIT_CRUMB - 32 - 1);
    EXPECT_PULL(f->script, "");
    feed_ack(f->script, 2, 1);
    EXPECT_PULL(f->script, "send 2 [1024]");
}

static void close_write_twice_is_a_glitch(void **state)
{
    struct fixture *f = *state;
    open_active(f->script, &f->edge, 2);
    feed_close(f->script, 2, USHER_WRITE);
    feed_close(f->script, 2, USHER_WRITE);
    assert_int_equal(usher_engine_counters(f->script->engine)->glitches, 1);
    EXPECT_LOG(&f->edge, "stop_sending");
    EXPECT_PULL(f->script, "read 2");
}

static void close_both_of_an_association_discards_its_queue(void **state)
{
    struct fixture *f = *state;
    struct edge *edge = accept_active(f->script, 1, USHER_UDP);
    struct usher_datagram datagram = {.bytes = (const uint8_t *)"x", .len = 1};
    assert_true(usher_session_datagram(edge->session, &datagram));
    feed_close(f->script, 1, USHER_BOTH);
    assert_false(usher_session_datagram(edge->session, &datagram));
    EXPECT_PULL(f->script, "both 1");
    EXPECT_LOG(edge, "finished ended(closed)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pending_positive_reply),
        TEST(pending_negative_reply),
        TEST(pending_ignores_all_but_the_reply),
        TEST(active_end_of_file),
        TEST(active_end_of_file_noticed_in_fill),
        TEST(active_close_received),
        TEST(active_local_error),
        TEST(active_rst_received),
        TEST(write_active_close_received),
        TEST(write_active_local_error),
        TEST(write_active_rst_received),
        TEST(write_active_close_write_crossed),
        TEST(write_active_reset_in_finished),
        TEST(session_active_end_of_file),
        TEST(session_active_local_error),
        TEST(session_active_rst_received),
        TEST(session_active_data_received),
        TEST(session_active_closed_twice),
        TEST(close_write_discards_and_is_answered),
        TEST(close_both_is_answered_by_both),
        TEST(our_close_both),
        TEST(crossed_close_both),
        TEST(close_while_pending_waits_for_the_answer),
        TEST(finish_waits_for_credit),
        TEST(finish_without_credit),
        TEST(finish_later_without_credit),
        TEST(finish_empty_before_the_answer),
        TEST(a_crumb_of_credit_is_not_sent_on),
        TEST(close_write_twice_is_a_glitch),
        TEST(close_both_of_an_association_discards_its_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
