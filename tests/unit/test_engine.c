// SPDX-License-Identifier: GPL-2.0-or-later
// What concerns the whole tunnel: its ends, its limits, when it wants to be pulled and ticked.
#include "scripted.h"

#define COUNT(list) (sizeof list / sizeof((list)[0]))

static struct script *script_of(struct usher_engine_config config)
{
    return script_new(&config);
}

static void refuses_configurations_out_of_bounds(void **state)
{
    static const struct {
        uint32_t max_sessions;
        uint32_t window_max;
        bool good;
    } cases[] = {
        {1, 65536, true},      {32766, 16 << 20, true}, {0, 65536, false},
        {32767, 65536, false}, {1, 65535, false},       {1, (16 << 20) + 1, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct usher_engine_config config = script_config();
        config.max_sessions = cases[i].max_sessions;
        config.window_max = cases[i].window_max;
        struct usher_engine *engine = usher_engine_new(&config, &script_ops, NULL, 0);
        assert_int_equal(engine != NULL, cases[i].good);
        if (engine)
            usher_engine_free(engine);
    }
}

// Protocol errors

static void protocol_errors_end_the_tunnel(void **state)
{
    static const struct {
        uint8_t bytes[20];
        size_t len;
        const char *end;
    } cases[] = {
        {{0xff, 0xff, 0xff, 0xff, 0, 3, 0, 2}, 8, "end protocol error: bad record header"},
        {{0, 0, 0, 1, 0, 9, 0, 2}, 8, "end protocol error: bad record header"},
        {{0, 0, 0, 1, 0, 2, 0, 2, 0}, 9, "end protocol error: bad record body"},
        {{0, 0, 0, 0, 0, 5, 0, 0}, 8, "end protocol error: bad record body"},
        {{0, 0, 0, 3, 0, 5, 0, 0, 0, 1, 0}, 11, "end protocol error: bad record body"},
        {{0, 0, 0, 1, 0, 7, 0, 0, 'x'}, 9, "end protocol error: bad record body"},
        {{0, 0, 0, 1, 0xff, 0xff, 0, 2, 0}, 9, "end protocol error: bad record body"},
        {{0, 0, 0, 4, 0, 4, 0, 0, 1, 2, 3, 4}, 12, "end protocol error: bad record body"},
        {{0, 0, 0, 10, 0, 1, 0, 1, 0, 6, 0, 9, 0, 1, 1, 2, 3, 4}, 18, "end protocol error: bad record body"},
        {{0, 0, 0, 10, 0, 1, 0xff, 0xff, 0, 6, 0, 1, 0, 1, 1, 2, 3, 4},
         18,
         "end protocol error: open with an id that is in use"},
        {{0, 0, 0, 3, 0xff, 0xff, 0, 2, 0, 2, 0},
         11,
         "end protocol error: answer to an open that does not wait for one"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct script *script = script_of(script_config());
        struct edge *edge = accept_active(script, 3, USHER_TCP);
        feed(script, cases[i].bytes, cases[i].len);
        assert_int_equal(script->status, USHER_ENDING);
        assert_string_equal(edge->log.text, "ended(lost)");
        feed_open(script, 5, USHER_TCP); // what follows is not read
        assert_string_equal(pull(script), cases[i].end);
        assert_string_equal(usher_engine_reason(script->engine), cases[i].end + strlen("end "));
        assert_string_equal(pull(script), "");
        assert_int_equal(usher_engine_deadline(script->engine), USEC_NEVER);
        script_free(script);
    }
}

static void an_open_for_an_id_in_use_ends_the_tunnel(void **state)
{
    struct script *script = script_of(script_config());
    (void)state;
    feed_open(script, 1, USHER_TCP);
    feed_open(script, 1, USHER_TCP);
    assert_string_equal(pull(script), "end protocol error: open with an id that is in use");
    script_free(script);
}

static void replies_that_nobody_waits_for(void **state)
{
    struct edge edge = {0};
    struct edge other = {0};
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct script *script = script_of(script_config());
        open_session(script, &edge, USHER_TCP);
        if (i == 0) // before the open went
            feed_reply(script, 2, 2, "");
        pull(script);
        if (i == 1) { // twice
            feed_reply(script, 2, 2, "");
            feed_reply(script, 2, 2, "");
        }
        if (i == 2) { // to a session of the peer's own
            accept_active(script, 1, USHER_TCP);
            feed_reply(script, 1, 1, "");
        }
        if (i == 3) { // with an id that another session has already been given
            feed_reply(script, 2, 2, "");
            open_session(script, &other, USHER_TCP);
            pull(script);
            feed_reply(script, 4, 2, "");
        }
        assert_int_equal(script->status, USHER_ENDING);
        script_free(script);
    }
}

// Ids of a peer that does not know our rules

static void foreign_ids(void **state)
{
    struct script *script = script_of(script_config());
    struct edge edge = {0};
    (void)state;
    open_active(script, &edge, 2);
    script->answer = ANSWER_ACCEPT;
    feed_open(script, 2 + 1, USHER_TCP);
    feed_open(script, 4, USHER_TCP); // our parity, but free: adopted
    assert_string_equal(pull(script), "reply 3 = 3; reply 4 = 4");
    feed_open(script, 0, USHER_TCP); // never an id of ours
    assert_string_equal(pull(script), "reply 0 = 6");
    feed_send(script, 6, 5);
    assert_string_equal(script->edges[2].log.text, "data[5]");
    script->edges[2].to_send = 3;
    usher_session_ready(script->edges[2].session);
    assert_string_equal(pull(script), "send 0 [3]");
    script_free(script);
}

static void an_id_that_is_ours_already_gets_another(void **state)
{
    struct script *script = script_of(script_config());
    struct edge edge = {0};
    (void)state;
    open_session(script, &edge, USHER_TCP);
    pull(script);
    feed_reply(script, 2, 100, ""); // the peer knows it as 100
    script->answer = ANSWER_ACCEPT;
    feed_open(script, 2, USHER_TCP);
    assert_string_equal(pull(script), "reply 2 = 4");
    feed_send(script, 4, 5);
    feed_send(script, 2, 6);
    assert_string_equal(script->edges[0].log.text, "data[5]");
    assert_string_equal(edge.log.text, "opened data[6]");
    script_free(script);
}

// All of our parity in use, the last by a refusal that waits: there is no id to answer one more open with.
static void no_id_is_left(void **state)
{
    struct usher_engine_config config = script_config();
    struct usher_open open = open_to(USHER_TCP);
    struct edge edge = {0};
    (void)state;
    config.max_sessions = 32766;
    struct script *script = script_new(&config);
    for (uint32_t i = 0; i < config.max_sessions; i++)
        assert_non_null(usher_session_open(script->engine, &open, &edge_ops, &edge));
    feed_open(script, 2, USHER_TCP);
    assert_int_equal(script->status, USHER_RUNNING);
    feed_open(script, 4, USHER_TCP);
    assert_int_equal(script->status, USHER_ENDING);
    assert_string_equal(usher_engine_reason(script->engine), "protocol error: no id is left for an open");
    script_free(script);
}

// Limits

static void unknown_protocols_are_unsupported(void **state)
{
    struct script *script = script_of(script_config());
    (void)state;
    feed_open(script, 1, 132);
    assert_string_equal(pull(script), "reply 1 unsupported: no such service here");
    assert_int_equal(script->edge_count, 0);
    script_free(script);
}

static void limits_refuse(void **state)
{
    static const struct {
        uint32_t max_sessions, max_unanswered, opens_per_sec, opens_burst;
        const char *pulled;
    } cases[] = {
        {2, 50, 0, 0, "reply 5 limit: too many sessions"},
        {100, 2, 0, 0, "reply 5 limit: too many opens that wait"},
        {100, 50, 1, 2, "reply 5 limit: too many opens a second"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct usher_engine_config config = script_config();
        config.max_sessions = cases[i].max_sessions;
        config.max_unanswered = cases[i].max_unanswered;
        config.opens_per_sec = cases[i].opens_per_sec;
        config.opens_burst = cases[i].opens_burst;
        struct script *script = script_new(&config);
        for (uint16_t id = 1; id <= 5; id += 2)
            feed_open(script, id, USHER_TCP);
        assert_string_equal(pull(script), cases[i].pulled);
        assert_int_equal(usher_engine_sessions(script->engine), 2);
        assert_int_equal(usher_engine_counters(script->engine)->sessions_refused, 1);
        script_free(script);
    }
}

static void our_own_opens_are_limited(void **state)
{
    struct usher_engine_config config = script_config();
    struct usher_open open = open_to(USHER_TCP);
    struct edge edge = {0};
    (void)state;
    config.max_sessions = 1;
    struct script *script = script_new(&config);
    open_session(script, &edge, USHER_TCP);
    assert_null(usher_session_open(script->engine, &open, &edge_ops, &edge));
    script_free(script);
}

static void refusals_that_nobody_reads_are_bounded(void **state)
{
    struct usher_engine_config config = script_config();
    uint16_t id = 1;
    (void)state;
    config.max_unanswered = 0;
    struct script *script = script_new(&config);
    for (; script->status == USHER_RUNNING; id += 2)
        feed_open(script, id, USHER_TCP);
    assert_int_equal((id - 1) / 2, 4096 + 1);
    assert_string_equal(pull(script), "end protocol error: opens above the limit, and their answers are not read");
    script_free(script);
}

static void glitches_end_the_tunnel(void **state)
{
    struct script *script = script_of(script_config());
    struct edge edge = {0};
    (void)state;
    open_active(script, &edge, 2);
    for (int i = 0; i < 1000; i++)
        feed_ack(script, 2, 0);
    assert_int_equal(script->status, USHER_RUNNING);
    script->now += USEC_PER_SEC; // 33 are forgiven
    for (int i = 0; i < 33; i++)
        feed_ack(script, 2, 0);
    assert_int_equal(script->status, USHER_RUNNING);
    feed_ack(script, 2, 0);
    assert_string_equal(pull(script), "end protocol error: protocol abuse");
    script_free(script);
}

// Open and reset, again and again, each session short enough to stay below every limit.
static void rapid_resets_end_the_tunnel(void **state)
{
    struct script *script = script_of(script_config());
    unsigned rounds = 0;
    (void)state;
    for (; script->status == USHER_RUNNING; rounds++) {
        feed_open(script, 1, USHER_TCP);
        feed_rst(script, 1, "failed: x");
        pull(script);
    }
    assert_int_equal(rounds, 1000 + 1001); // so many are no abuse, and the budget for abuse comes behind
    script_free(script);
}

// Whoever opens for others cannot keep them from giving up: 2,000 a second, none of which waits for its answer.
static void giving_up_is_no_abuse(void **state)
{
    enum { EACH_MS = 1, SECONDS = 5, PER_MS = 2 };
    struct usher_engine_config config = script_config();
    struct script *opener = script_of(config);
    config.server = true;
    struct script *replier = script_of(config);
    unsigned told = 0;
    (void)state;
    replier->answer = ANSWER_LATER;
    for (int i = 0; i < SECONDS * 1000 * PER_MS; i++) {
        struct edge edge = {0};
        open_session(opener, &edge, USHER_TCP);
        assert_string_equal(pull(opener), "open 2");
        feed_open(replier, 2, USHER_TCP);
        usher_session_reset(edge.session, USHER_FAILED, "x");
        if (strcmp(pull(opener), "rst 2 failed: x") == 0) {
            feed_rst(replier, 2, "failed: x");
            told++;
        } else {
            usher_session_refuse(replier->edges[(replier->edge_count - 1) % SCRIPT_EDGES].session, USHER_FAILED, "y");
        }
        assert_memory_equal(pull(replier), "reply 2 failed", 14);
        feed_reply(opener, 2, USHER_ID_NONE, "failed: y");
        memset(replier->edges, 0, sizeof replier->edges);
        opener->now += EACH_MS * USEC_PER_MSEC / PER_MS;
        replier->now = opener->now;
    }
    assert_in_range(told, 500, 500 + 17 * SECONDS);
    assert_int_equal(replier->status, USHER_RUNNING);
    assert_int_equal(usher_engine_counters(replier->engine)->glitches, 0);
    assert_int_equal(usher_engine_sessions(opener->engine) + usher_engine_sessions(replier->engine), 0);
    script_free(opener);
    script_free(replier);
}

static void strays_are_counted_and_cost_nothing(void **state)
{
    struct script *script = script_of(script_config());
    (void)state;
    for (int i = 0; i < 5000; i++) {
        feed_send(script, 77, 1);
        feed_rst(script, 77, "failed: x");
        feed_close(script, 77, USHER_BOTH);
        feed_ack(script, 77, 5);
    }
    assert_int_equal(script->status, USHER_RUNNING);
    assert_int_equal(usher_engine_counters(script->engine)->strays, 20000);
    assert_int_equal(usher_engine_counters(script->engine)->glitches, 0);
    assert_string_equal(pull(script), "");
    script_free(script);
}

// Ends

static void our_end(void **state)
{
    struct script *script = script_of(script_config());
    struct usher_open open = open_to(USHER_TCP);
    struct edge *edge = accept_active(script, 1, USHER_TCP);
    (void)state;
    edge->to_send = 100;
    usher_session_ready(edge->session);
    usher_engine_end(script->engine, "shutting down");
    usher_engine_end(script->engine, "again");
    assert_string_equal(edge->log.text, "ended(lost)");
    assert_null(usher_session_open(script->engine, &open, &edge_ops, edge));
    assert_true(usher_engine_has_work(script->engine));
    assert_string_equal(pull(script), "end shutting down");
    assert_false(usher_engine_has_work(script->engine));
    script_free(script);
}

static void the_peers_end(void **state)
{
    struct script *script = script_of(script_config());
    struct edge *edge = accept_active(script, 1, USHER_TCP);
    (void)state;
    edge->to_send = 100;
    usher_session_ready(edge->session);
    FEED(script, record_end_encode(&w, "maintenance"));
    assert_int_equal(script->status, USHER_ENDED);
    assert_string_equal(edge->log.text, "ended(lost)");
    assert_string_equal(usher_engine_reason(script->engine), "ended by the peer: maintenance");
    assert_string_equal(pull(script), "");
    assert_false(usher_engine_has_work(script->engine));
    script_free(script);
}

static void freeing_tells_every_session(void **state)
{
    struct usher_engine_config config = script_config();
    struct script *script = script_new(&config);
    struct edge edges[3] = {0};
    (void)state;
    open_active(script, &edges[0], 2);
    open_session(script, &edges[1], USHER_UDP);
    open_session(script, &edges[2], USHER_TCP);
    usher_session_reset(edges[2].session, USHER_FAILED, "x");
    script_free(script);
    assert_string_equal(edges[0].log.text, "ended(lost)");
    assert_string_equal(edges[1].log.text, "ended(lost)");
    assert_string_equal(edges[2].log.text, "");
}

// Wake, work and time

static void wakes_once_until_pulled_empty(void **state)
{
    struct script *script = script_of(script_config());
    struct edge edges[2] = {0};
    (void)state;
    assert_false(usher_engine_has_work(script->engine));
    open_session(script, &edges[0], USHER_TCP);
    open_session(script, &edges[1], USHER_TCP);
    assert_int_equal(script->wakes, 1);
    assert_true(usher_engine_has_work(script->engine));
    assert_string_equal(pull(script), "open 2; open 4");
    feed_reply(script, 2, 2, "");
    usher_session_ready(edges[0].session);
    assert_int_equal(script->wakes, 2);
    assert_string_equal(pull(script), ""); // ready, but `fill` had nothing
    edges[0].to_send = 1;
    usher_session_ready(edges[0].session);
    assert_int_equal(script->wakes, 3);
    script_free(script);
}

static void heartbeats(void **state)
{
    struct script *script = script_of(script_config());
    (void)state;
    script->now = usher_engine_deadline(script->engine);
    assert_int_equal(script->now, 1010 * USEC_PER_SEC);
    assert_int_equal(usher_engine_tick(script->engine, script->now), USHER_RUNNING);
    assert_int_equal(script->wakes, 1);
    assert_string_equal(pull(script), "ack 0 +0");
    assert_string_equal(pull(script), "");
    feed_ack(script, 0, 0); // the peer's own
    assert_int_equal(usher_engine_counters(script->engine)->strays, 0);
    assert_int_equal(usher_engine_deadline(script->engine), 1020 * USEC_PER_SEC);
    script_free(script);
}

static void a_silent_peer_is_dead(void **state)
{
    struct script *script = script_of(script_config());
    (void)state;
    assert_int_equal(usher_engine_tick(script->engine, 1030 * USEC_PER_SEC - 1), USHER_RUNNING);
    assert_int_equal(usher_engine_tick(script->engine, 1030 * USEC_PER_SEC), USHER_ENDING);
    assert_string_equal(pull(script), "end timeout: nothing came from the peer for 30 s");
    script_free(script);
}

static void a_silent_peer_without_heartbeat_lives(void **state)
{
    struct usher_engine_config config = script_config();
    (void)state;
    config.extended = false;
    struct script *script = script_new(&config);
    assert_int_equal(usher_engine_deadline(script->engine), USEC_NEVER);
    assert_int_equal(usher_engine_tick(script->engine, 9000 * USEC_PER_SEC), USHER_RUNNING);
    assert_string_equal(pull(script), "");
    script_free(script);
}

static void an_unfinished_record_has_thirty_seconds(void **state)
{
    struct usher_engine_config config = script_config();
    (void)state;
    config.extended = false; // bytes that trickle in would keep the peer alive
    struct script *script = script_new(&config);
    feed(script, (const uint8_t[]){0, 0}, 2);
    script->now += 29 * USEC_PER_SEC;
    feed(script, (const uint8_t[]){0, 9}, 2);
    assert_int_equal(usher_engine_deadline(script->engine), 1030 * USEC_PER_SEC);
    assert_int_equal(usher_engine_tick(script->engine, 1030 * USEC_PER_SEC - 1), USHER_RUNNING);
    assert_int_equal(usher_engine_tick(script->engine, 1030 * USEC_PER_SEC), USHER_ENDING);
    assert_string_equal(pull(script), "end timeout: a record took more than 30 s");
    script_free(script);
}

// While nothing could come nobody was silent, and nothing was slow.
static void both_have_their_time_anew_when_it_goes_on(void **state)
{
    struct script *script = script_of(script_config());

    (void)state;
    feed(script, (const uint8_t[]){0, 0}, 2);
    script->now += 1000 * USEC_PER_SEC;
    usher_engine_resumed(script->engine, script->now);
    assert_int_equal(usher_engine_tick(script->engine, script->now + 30 * USEC_PER_SEC - 1), USHER_RUNNING);
    assert_int_equal(usher_engine_tick(script->engine, script->now + 30 * USEC_PER_SEC), USHER_ENDING);
    script_free(script);
}

static void credit_is_counted_for_the_tunnel(void **state)
{
    struct script *script = script_of(script_config());
    (void)state;
    accept_active(script, 1, USHER_TCP);
    accept_active(script, 3, USHER_TCP);
    feed_send(script, 1, 10000);
    feed_send(script, 3, 10000);
    assert_int_equal(usher_engine_window_used(script->engine), 2 * 192 * 1024);
    feed_rst(script, 1, "failed: x");
    assert_int_equal(usher_engine_window_used(script->engine), 192 * 1024);
    script_free(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_configurations_out_of_bounds),
        cmocka_unit_test(protocol_errors_end_the_tunnel),
        cmocka_unit_test(an_open_for_an_id_in_use_ends_the_tunnel),
        cmocka_unit_test(replies_that_nobody_waits_for),
        cmocka_unit_test(foreign_ids),
        cmocka_unit_test(an_id_that_is_ours_already_gets_another),
        cmocka_unit_test(no_id_is_left),
        cmocka_unit_test(unknown_protocols_are_unsupported),
        cmocka_unit_test(limits_refuse),
        cmocka_unit_test(our_own_opens_are_limited),
        cmocka_unit_test(refusals_that_nobody_reads_are_bounded),
        cmocka_unit_test(glitches_end_the_tunnel),
        cmocka_unit_test(rapid_resets_end_the_tunnel),
        cmocka_unit_test(giving_up_is_no_abuse),
        cmocka_unit_test(strays_are_counted_and_cost_nothing),
        cmocka_unit_test(our_end),
        cmocka_unit_test(the_peers_end),
        cmocka_unit_test(freeing_tells_every_session),
        cmocka_unit_test(wakes_once_until_pulled_empty),
        cmocka_unit_test(heartbeats),
        cmocka_unit_test(a_silent_peer_is_dead),
        cmocka_unit_test(a_silent_peer_without_heartbeat_lives),
        cmocka_unit_test(an_unfinished_record_has_thirty_seconds),
        cmocka_unit_test(both_have_their_time_anew_when_it_goes_on),
        cmocka_unit_test(credit_is_counted_for_the_tunnel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
