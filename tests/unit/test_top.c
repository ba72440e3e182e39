// SPDX-License-Identifier: GPL-2.0-or-later
// Samples and views of `top`: rates, order, filter, and lines that keep to their width.
#include "cli/answer.h"
#include "cli/top/view.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static void add(struct sample *sample, const char *text)
{
    struct json_t *answer = answer_read(text);
    assert_non_null(answer);
    sample_add(sample, answer);
    answer_free(answer);
}

static struct sample sample_of(usec_t at, unsigned long a, unsigned long b)
{
    struct sample sample = {.at = at};
    char text[1024];
    snprintf(
        text, sizeof text,
        "{\"role\":\"portal\",\"name\":\"branch\",\"gate\":\"g:1\",\"state\":\"up\",\"since\":\"2026-01-01T00:00:00Z\","
        "\"rtt_us\":1500,\"flows\":2,\"bytes_in\":%lu,\"bytes_out\":7}",
        a + b);
    add(&sample, text);
    snprintf(text, sizeof text,
             "{\"role\":\"portal\",\"flows\":["
             "{\"protocol\":\"tcp\",\"inside\":\"10.1.0.2:1\",\"far\":\"b.example:80\",\"state\":\"active\",\"bytes_"
             "in\":%lu,"
             "\"bytes_out\":1,\"age_s\":5},"
             "{\"protocol\":\"tcp\",\"inside\":\"10.1.0.2:2\",\"far\":\"a.example:80\",\"state\":\"active\",\"bytes_"
             "in\":%lu,"
             "\"bytes_out\":0,\"age_s\":50}]}",
             a, b);
    add(&sample, text);
    return sample;
}

static void test_rates(void **state)
{
    (void)state;
    struct sample none = {0}, before = sample_of(1000000, 1000, 0), now = sample_of(3000000, 5000, 300);
    sample_rate(&before, &none);
    assert_true(before.rows[0].in_rate == 0 && before.rows[1].in_rate == 0);
    sample_rate(&now, &before);
    assert_true(now.rows[0].is_tunnel && now.rows[0].in_rate == 2150 && now.rows[0].out_rate == 0);
    assert_true(now.rows[1].in_rate == 2000 && now.rows[2].in_rate == 150);
    // One that begins anew, as after a restart, is no negative rate; one that is new has had all of it since.
    struct sample again = sample_of(4000000, 10, 300);
    sample_rate(&again, &now);
    assert_true(again.rows[1].in_rate == 0 && again.rows[2].in_rate == 0);
    again.rows[2].text[1][0] = 'x';
    sample_rate(&again, &now);
    assert_true(again.rows[2].in_rate == 300);
    sample_fini(&again);
    sample_fini(&before);
    sample_fini(&now);
}

static void test_order_and_filter(void **state)
{
    (void)state;
    struct sample before = sample_of(1000000, 9000, 0), now = sample_of(2000000, 9001, 300);
    const struct sample_row *rows[8];
    struct view view = {.order = VIEW_RATE};
    static const struct {
        enum view_order order;
        const char *filter, *first;
        size_t count;
    } cases[] = {
        {VIEW_RATE, "", "a.example:80", 2},       {VIEW_BYTES, "", "b.example:80", 2},
        {VIEW_AGE, "", "a.example:80", 2},        {VIEW_FAR, "", "a.example:80", 2},
        {VIEW_RATE, "B.EXAM", "b.example:80", 1}, {VIEW_RATE, "10.1.0.2:2", "a.example:80", 1},
        {VIEW_RATE, "nothing has that", NULL, 0},
    };
    sample_rate(&now, &before);
    for (size_t i = 0; i < COUNT(cases); i++) {
        view.order = cases[i].order;
        snprintf(view.filter, sizeof view.filter, "%s", cases[i].filter);
        assert_int_equal(view_pick(&view, &now, false, rows), cases[i].count);
        if (cases[i].first)
            assert_string_equal(rows[0]->text[2], cases[i].first);
        assert_int_equal(view_pick(&view, &now, true, rows), 1); // a portal's tunnels are always there
    }
    view.gate = true;
    assert_int_equal(view_pick(&view, &now, true, rows), 0); // at a gate they are what is filtered
    sample_fini(&before);
    sample_fini(&now);
}

// Whatever the width, and however long the names are.
static void test_lines_keep_to_their_width(void **state)
{
    (void)state;
    struct sample sample = {0};
    char text[2048], endless[600], line[VIEW_LINE_SIZE];
    struct view view = {0};
    memset(endless, 'x', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    snprintf(text, sizeof text,
             "{\"flows\":[{\"protocol\":\"icmpv6\",\"inside\":\"%s\",\"far\":\"%s\",\"state\":\"%s\",\"bytes_in\":"
             "9223372036854775807,\"bytes_out\":9223372036854775807,\"age_s\":9223372036854775807}]}",
             endless, endless, endless);
    add(&sample, text);
    for (int width = 0; width < VIEW_LINE_SIZE; width++) {
        assert_true(strlen(view_row(&view, &sample.rows[0], width, line)) <= (size_t)width);
        assert_true(strlen(view_heading(&view, true, width, line)) <= (size_t)width);
    }
    assert_int_equal(strlen(view_heading(&view, false, 80, line)), 80);
    assert_int_equal(strlen(view_heading(&view, true, 80, line)), 80);
    sample_fini(&sample);
}

static void test_as_text(void **state)
{
    (void)state;
    struct sample before = sample_of(1000000, 9000, 0), now = sample_of(2000000, 2000000, 300);
    struct view view = {0};
    char line[VIEW_LINE_SIZE];
    sample_rate(&now, &before);
    assert_string_equal(view_row(&view, &now.rows[1], 80, line),
                        "tcp    10.1.0.2:1         b.example:80        active        1.9M      0B      5s");
    assert_string_equal(view_heading(&view, false, 80, line),
                        "PROTO  INSIDE             FAR END             STATE         IN/s   OUT/s     AGE");
    assert_string_equal(view_row(&view, &now.rows[2], 100, line),
                        "tcp    10.1.0.2:2           a.example:80          active        300B      0B    300B      0B"
                        "     50s");
    assert_string_equal(view_sum(&view, &now, line), "1 portal, 2 flows, in 1.9M/s, out 0B/s");
    sample_fini(&before);
    sample_fini(&now);
}

// No member has to be there, nor to be of the right kind.
static void test_odd_answers(void **state)
{
    (void)state;
    static const char *const texts[] = {"{}",
                                        "{\"role\":\"portal\"}",
                                        "{\"flows\":{}}",
                                        "{\"flows\":[1,null,{},[]]}",
                                        "{\"portals\":[1,{\"identity\":7}]}",
                                        "{\"role\":\"portal\",\"since\":\"never\",\"rtt_us\":\"x\"}"};
    struct sample sample = {0}, none = {0};
    for (size_t i = 0; i < COUNT(texts); i++)
        add(&sample, texts[i]);
    assert_int_equal(sample.count, 1 + 4 + 2 + 1);
    sample_rate(&sample, &none);
    sample_fini(&sample);
    assert_null(answer_read("[1"));
    assert_null(answer_read(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_order_and_filter),
        cmocka_unit_test(test_lines_keep_to_their_width),
        cmocka_unit_test(test_as_text),
        cmocka_unit_test(test_odd_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
