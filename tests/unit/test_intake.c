// SPDX-License-Identifier: GPL-2.0-or-later
// The same bytes, cut at every place, mean the same.
#include "usher/intake.h"

#include "scripted.h"

static uint8_t opens[256];
static size_t opens_len;

static void build_opens(void)
{
    struct usher_open tcp = open_to(USHER_TCP);
    struct usher_open name = {.protocol = USHER_UDP, .port = 53, .by_name = true, .host = "resolver.example"};
    struct writer w = writer_over(opens, sizeof opens);
    record_open_encode(&w, 1, &tcp);
    record_open_encode(&w, 3, &name);
    record_ack_encode(&w, 0, 0);
    opens_len = (size_t)(w.at - opens);
}

// One of everything else, for the two sessions.
static size_t build_rest(uint8_t *bytes, size_t size)
{
    struct usher_datagram datagram = {.bytes = (const uint8_t *)"question", .len = 8};
    struct writer w = writer_over(bytes, size);
    record_send_header_encode(&w, 1, 300);
    memset(w.at, 'd', 300);
    w.at += 300;
    record_send_udp_encode(&w, 3, &datagram);
    record_ack_encode(&w, 1, 1000);
    record_send_header_encode(&w, 99, 50); // a stray, skipped
    w.at += 50;
    record_close_encode(&w, 1, USHER_READ);
    record_rst_encode(&w, 3, "failed: enough");
    return (size_t)(w.at - bytes);
}

// How many bytes a log like "data[3] data[297] finished" says.
static unsigned data_in(const char *log, const char **rest)
{
    unsigned sum = 0;
    for (unsigned len; sscanf(log, "data[%u]", &len) == 1; sum += len)
        log = strchr(log, ']') + 2;
    *rest = log;
    return sum;
}

static void expect_the_same(struct script *script)
{
    const char *rest;
    assert_int_equal(script->status, USHER_RUNNING);
    assert_int_equal(data_in(script->edges[0].log.text, &rest), 300);
    assert_string_equal(rest, "finished");
    assert_string_equal(script->edges[1].log.text, "datagram[8] ended(reset failed: enough)");
    assert_int_equal(usher_session_send_room(script->edges[0].session), USHER_WINDOW_START + 1000);
    assert_int_equal(usher_engine_counters(script->engine)->strays, 1);
}

static struct script *with_two_sessions(void)
{
    struct usher_engine_config config = script_config();
    struct script *script = script_new(&config);
    script->answer = ANSWER_ACCEPT;
    feed(script, opens, opens_len);
    pull(script);
    return script;
}

static void cut_once_anywhere(void **state)
{
    uint8_t rest[1024];
    size_t len = build_rest(rest, sizeof rest);
    (void)state;
    for (size_t at = 0; at <= len; at++) {
        struct script *script = with_two_sessions();
        feed(script, rest, at);
        feed(script, rest + at, len - at);
        expect_the_same(script);
        script_free(script);
    }
}

static void cut_into_pieces_of_any_size(void **state)
{
    uint8_t rest[1024];
    size_t len = build_rest(rest, sizeof rest);
    (void)state;
    for (size_t piece = 1; piece < 40; piece++) {
        struct script *script = with_two_sessions();
        for (size_t at = 0; at < len; at += piece)
            feed(script, rest + at, piece < len - at ? piece : len - at);
        expect_the_same(script);
        script_free(script);
    }
}

static void opens_cut_anywhere(void **state)
{
    (void)state;
    for (size_t at = 0; at <= opens_len; at++) {
        struct usher_engine_config config = script_config();
        struct script *script = script_new(&config);
        script->answer = ANSWER_ACCEPT;
        feed(script, opens, at);
        feed(script, opens + at, opens_len - at);
        assert_string_equal(pull(script), "reply 1 = 1; reply 3 = 3");
        assert_string_equal(script->last_open.host, "resolver.example");
        script_free(script);
    }
}

static void data_is_passed_on_as_it_comes(void **state)
{
    struct script *script = with_two_sessions();
    uint8_t bytes[8 + 300];
    struct writer w = writer_over(bytes, sizeof bytes);
    (void)state;
    record_send_header_encode(&w, 1, 300);
    feed(script, bytes, 8 + 100);
    assert_string_equal(script->edges[0].log.text, "data[100]");
    assert_int_equal(usher_session_received(script->edges[0].session), 300); // promised, and credited as such
    feed(script, bytes + 108, 200);
    assert_string_equal(script->edges[0].log.text, "data[100] data[200]");
    script_free(script);
}

static void gathers_the_largest_body_and_lets_it_go(void **state)
{
    static uint8_t bytes[8 + USHER_BODY_MAX];
    struct script *script = with_two_sessions();
    (void)state;
    memcpy(bytes, ((const uint8_t[]){0, 0, 0xff, 0xff, 0, 7, 0, 1}), 8);
    memset(bytes + 8, 'r', USHER_BODY_MAX - 1);
    usher_engine_tick(script->engine, script->now);
    feed(script, bytes, 40000);
    usher_engine_tick(script->engine, script->now); // not while it is in use
    feed(script, bytes + 40000, sizeof bytes - 40000);
    assert_memory_equal(script->edges[0].log.text, "ended(reset failed: rrr", 23);
    usher_engine_tick(script->engine, script->now);
    script_free(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_once_anywhere),
        cmocka_unit_test(cut_into_pieces_of_any_size),
        cmocka_unit_test(opens_cut_anywhere),
        cmocka_unit_test(data_is_passed_on_as_it_comes),
        cmocka_unit_test(gathers_the_largest_body_and_lets_it_go),
    };
    build_opens();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
