// SPDX-License-Identifier: GPL-2.0-or-later
// Facts as JSON, and on their way from a worker: what arrives is what was told, and nothing broken is told on.
#include "cli/facts_json.h"
#include "gate/channel/facts_wire.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void tell_flow(struct facts *facts, const char *inside, uint64_t bytes)
{
    struct fact_label label = {.name = "inside", .value = inside};
    facts_item(facts, &label);
    facts_text(facts, "inside", "an end", inside);
    facts_counter(facts, "bytes_in", "payload", FACT_BYTES, bytes);
    facts_item_end(facts);
}

static void describe_all(const void *part, struct facts *facts)
{
    facts_text(facts, "name", "of it", part);
    facts_text(facts, "identity", "of the peer", NULL);
    facts_gauge(facts, "since", "a moment", FACT_UNIX_SECONDS, 1795503037);
    facts_gauge(facts, "rtt_us", "round trip", FACT_MICROSECONDS, 250);
    facts_gauge(facts, "local", "something is so", FACT_SWITCH, 1);
    facts_list(facts, "listen");
    facts_text(facts, "", "address", "0.0.0.0:4433");
    facts_text(facts, "", "address", "[::]:4433");
    facts_end(facts);
    facts_list(facts, "flows");
    tell_flow(facts, "10.0.0.1:1", 7);
    tell_flow(facts, "10.0.0.1:2", UINT64_C(1) << 40);
    facts_end(facts);
    facts_list(facts, "exports");
    facts_end(facts);
    facts_group(facts, "counters");
    facts_counter(facts, "dropped", "datagrams", FACT_COUNT, 3);
    facts_end(facts);
}

static const char ALL[] = "{\"name\":\"branch\",\"identity\":null,\"since\":\"2026-11-24T06:50:37Z\",\"rtt_us\":250,"
                          "\"local\":true,"
                          "\"listen\":[\"0.0.0.0:4433\",\"[::]:4433\"],"
                          "\"flows\":[{\"inside\":\"10.0.0.1:1\",\"bytes_in\":7},"
                          "{\"inside\":\"10.0.0.1:2\",\"bytes_in\":1099511627776}],"
                          "\"exports\":[],\"counters\":{\"dropped\":3}}";

static void expect_json(facts_describe *describe, const void *part, const char *json)
{
    char *text = facts_json(describe, part);
    assert_string_equal(text, json);
    free(text);
}

static void test_json(void **state)
{
    (void)state;
    expect_json(describe_all, "branch", ALL);
}

// Two parts that share a group; and a part that claims what is told already.
static void describe_twice(const void *part, struct facts *facts)
{
    (void)part;
    facts_gauge(facts, "pid", "of the process", FACT_COUNT, 7);
    for (int i = 0; i < 2; i++) {
        facts_group(facts, "counters");
        facts_counter(facts, "dropped", "datagrams", FACT_COUNT, 3);
        facts_end(facts);
    }
    facts_gauge(facts, "pid", "of another", FACT_COUNT, 8);
    facts_group(facts, "pid");
    facts_text(facts, "lost", "in a group without a place", "x");
    facts_end(facts);
    facts_text(facts, "bytes", "that are no UTF-8", "\xff");
}

static void test_json_of_several_parts(void **state)
{
    (void)state;
    expect_json(describe_twice, NULL, "{\"pid\":7,\"counters\":{\"dropped\":6},\"bytes\":\"\\\\xff\"}");
}

static void describe_as_group(const void *part, struct facts *facts)
{
    facts_group(facts, "all");
    describe_all(part, facts);
    facts_end(facts);
}

static uint8_t room[FACTS_WIRE_MAX];

static size_t write_all(void)
{
    struct writer w = writer_over(room, sizeof(room));
    facts_wire_write(&w, describe_as_group, "branch");
    assert_false(w.failed);
    return sizeof(room) - writer_left(&w);
}

static void replay(const void *part, struct facts *facts)
{
    struct reader r = reader_over(room, *(const size_t *)part);
    assert_true(facts_wire_read(&r, facts));
}

static void test_the_way_from_a_worker(void **state)
{
    (void)state;
    size_t len = write_all();
    char json[1024];
    snprintf(json, sizeof(json), "{\"all\":%s}", ALL);
    expect_json(replay, &len, json);
}

static bool is_whole(const void *bytes, size_t len)
{
    struct reader r = reader_over(bytes, len);
    return facts_wire_read(&r, NULL);
}

// Cut anywhere it is not whole; with any bit changed it is still read in bounds.
static void test_broken_bytes(void **state)
{
    (void)state;
    size_t len = write_all(), wholes = 0;
    for (size_t cut = 1; cut < len; cut++) {
        uint8_t *exact = malloc(cut + 1); // for the sanitizers
        memcpy(exact, room, cut);
        wholes += is_whole(exact, cut);
        free(exact);
    }
    assert_int_equal(wholes, 0);
    for (size_t i = 0; i < len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            room[i] ^= (uint8_t)(1 << bit);
            is_whole(room, len);
            room[i] ^= (uint8_t)(1 << bit);
        }
}

static void test_what_no_worker_says(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t len;
        bool whole;
    } cases[] = {
#define BYTES(text) text, sizeof(text) - 1
        {"nothing", BYTES(""), true},
        {"a gauge", BYTES("\4g\0\1n\0h\0\1\0\0\0\0\0\0\0\0\1\7"), true},
        {"a gauge outside", BYTES("\1n\0h\0\1\0\0\0\0\0\0\0\0\1"), false},
        {"a kind that is no number's", BYTES("\4g\0\1n\0h\0\2\0\0\0\0\0\0\0\0\1\7"), false},
        {"a unit that is no number's", BYTES("\4g\0\1n\0h\0\1\6\0\0\0\0\0\0\0\1\7"), false},
        {"no text", BYTES("\4g\0\3n\0h\0\7"), true},
        {"a name with a quote", BYTES("\4g\0\3n\"\0h\0\7"), false},
        {"a name with a capital", BYTES("\4G\0\7"), false},
        {"an item", BYTES("\5l\0\6n\0v\0\7\7"), true},
        {"an item outside", BYTES("\6n\0v\0\7"), false},
        {"an end of nothing", BYTES("\7"), false},
        {"a group without end", BYTES("\4g\0"), false},
        {"an unknown code", BYTES("\4g\0\10\7"), false},
        {"four levels", BYTES("\4g\0\4g\0\4g\0\4g\0\7\7\7\7"), true},
        {"five levels", BYTES("\4g\0\4g\0\4g\0\4g\0\4g\0\7\7\7\7\7"), false},
#undef BYTES
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        CASE(cases[i].name, is_whole(cases[i].bytes, cases[i].len) == cases[i].whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_of_several_parts),
        cmocka_unit_test(test_the_way_from_a_worker),
        cmocka_unit_test(test_broken_bytes),
        cmocka_unit_test(test_what_no_worker_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
