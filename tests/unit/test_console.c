// SPDX-License-Identifier: GPL-2.0-or-later
// What the console's pages are made of: escaping, forms and cookies, whose requests count, sessions, rings, metrics.
#include "unit.h"

#include "console/form.h"
#include "console/guard.h"
#include "console/history.h"
#include "console/login.h"
#include "console/markup.h"
#include "console/metrics.h"
#include "console/plot.h"
#include "console/units.h"

#include <stdlib.h>
#include <string.h>

#define BAD "\xef\xbf\xbd"

static const struct {
    const char *text, *escaped, *encoded;
} texts[] = {
    {"", "", ""},
    {"branch-01.example", "branch-01.example", "branch-01.example"},
    {"<script>", "&lt;script&gt;", "%3Cscript%3E"},
    {"\" onload='x' &amp;", "&quot; onload=&#39;x&#39; &amp;amp;", "%22%20onload%3D%27x%27%20%26amp%3B"},
    {"caf\xc3\xa9", "caf\xc3\xa9", "caf%C3%A9"},
    {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "%F0%9F%98%80"},
    {"a\x01\n\x7f", "a" BAD BAD BAD, "a%01%0A%7F"},
    {"\xc0\xbc", BAD BAD, "%C0%BC"},                       // an overlong "<"
    {"\xe0\x80\xbc", BAD BAD BAD, "%E0%80%BC"},            // the same, longer
    {"\xed\xa0\x80", BAD BAD BAD, "%ED%A0%80"},            // a surrogate
    {"\xf4\x90\x80\x80", BAD BAD BAD BAD, "%F4%90%80%80"}, // above all characters
    {"\xe2\x82", BAD BAD, "%E2%82"},                       // cut off
    {"\xc3<", BAD "&lt;", "%C3%3C"},
    {"\xff", BAD, "%FF"},
    {"gate\xe2\x80\xaetxt", "gate" BAD "txt", "gate%E2%80%AEtxt"}, // right to left from here
    {"a\xe2\x80\x8b"
     "b",
     "a" BAD "b", "a%E2%80%8Bb"}, // no width
};

static void test_escaping(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct markup text = {0}, url = {0}, form = {0};
        markup_raw(&text, "");
        markup_raw(&url, "");
        markup_text(&text, texts[i].text);
        markup_form(&url, "%u", texts[i].text);
        CASE(texts[i].text, !strcmp(text.bytes, texts[i].escaped));
        CASE(texts[i].text, !strcmp(url.bytes, texts[i].encoded));
        markup_form(&form, "<a href=\"/?n=%u\">%s</a> 5%%", texts[i].text, texts[i].text);
        char *expected = malloc(2 * sizeof texts + 1000);
        sprintf(expected, "<a href=\"/?n=%s\">%s</a> 5%%", texts[i].encoded, texts[i].escaped);
        CASE(texts[i].text, !strcmp(form.bytes, expected));
        free(expected);
        markup_free(&text);
        markup_free(&url);
        markup_free(&form);
    }
}

static const struct {
    const char *text;
    bool ok;
    const char *a, *b;
} forms[] = {
    {"", true, "", ""},
    {"a=1&b=2", true, "1", "2"},
    {"a=1&&b=2&", true, "1", "2"},
    {"a", true, "", ""},
    {"a=x%20y+z%3c&b=%26", true, "x y z<", "&"},
    {"%61=1", true, "1", ""},
    {"a=b=c", true, "b=c", ""},
    {"a=%", false, NULL, NULL},
    {"a=%4", false, NULL, NULL},
    {"a=%zz", false, NULL, NULL},
    {"a=%00", false, NULL, NULL},
    {"a=1&a=2", false, NULL, NULL},
    {"a&a", false, NULL, NULL},
    {"0&1&2&3&4&5&6&7&8&9&A&B&C&D&E&F", true, "", ""},
    {"0&1&2&3&4&5&6&7&8&9&A&B&C&D&E&F&G", false, NULL, NULL},
};

static void test_forms(void **state)
{
    (void)state;
    static char longest[FORM_MAX + 2];
    struct form form;
    for (size_t i = 0; i < COUNT(forms); i++) {
        CASE(forms[i].text, form_read(&form, forms[i].text, strlen(forms[i].text)) == forms[i].ok);
        if (!forms[i].ok)
            continue;
        CASE(forms[i].text, !strcmp(form_value(&form, "a"), forms[i].a) && !strcmp(form_value(&form, "b"), forms[i].b));
    }
    memset(longest, 'x', sizeof longest);
    assert_true(form_read(&form, longest, FORM_MAX));
    assert_false(form_read(&form, longest, FORM_MAX + 1));
    assert_false(form_read(&form, "a\0b", 3));
}

static const struct {
    const char *header, *value; // NULL: none
} cookies[] = {
    {"", NULL},
    {"usher=abc", "abc"},
    {"a=b; usher=abc; c=d", "abc"},
    {"a=b;usher=abc", "abc"},
    {"xusher=no; usher=yes", "yes"},
    {"usherx=no", NULL},
    {"usher", NULL},
    {"usher=", ""},
    {"usher=a; usher=b", NULL},
    {"usher=0123456", "0123456"},
    {"usher=01234567", NULL},
    {"; ; ;usher=x;", "x"},
};

static void test_cookies(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cookies); i++) {
        char room[8] = "";
        bool found = cookie_read(room, sizeof room, cookies[i].header, "usher");
        CASE(cookies[i].header, found == (cookies[i].value != NULL));
        CASE(cookies[i].header, !found || !strcmp(room, cookies[i].value));
    }
}

static const struct {
    const char *name;
    struct guarded request;
    bool passes;
} requests[] = {
    {"by hand", {"127.0.0.1:8067", NULL, "none", "navigate", "document", false}, true},
    {"curl", {"127.0.0.1:8067", NULL, NULL, NULL, NULL, false}, true},
    {"by name", {"LOCALHOST:8067", NULL, NULL, NULL, NULL, false}, true},
    {"no host", {NULL, NULL, NULL, NULL, NULL, false}, false},
    {"another name, led here by its DNS", {"evil.example:8067", NULL, "none", "navigate", "document", false}, false},
    {"another port", {"127.0.0.1:80", NULL, NULL, NULL, NULL, false}, false},
    {"no port", {"127.0.0.1", NULL, NULL, NULL, NULL, false}, false},
    {"our page", {"127.0.0.1:8067", NULL, "same-origin", "cors", "empty", false}, true},
    {"a link elsewhere", {"127.0.0.1:8067", NULL, "cross-site", "navigate", "document", false}, true},
    {"a frame elsewhere", {"127.0.0.1:8067", NULL, "cross-site", "navigate", "iframe", false}, false},
    {"an image elsewhere", {"127.0.0.1:8067", NULL, "cross-site", "no-cors", "image", false}, false},
    {"another port of this host", {"127.0.0.1:8067", NULL, "same-site", "cors", "empty", false}, false},
    {"a script elsewhere", {"127.0.0.1:8067", "http://evil.example", NULL, NULL, NULL, false}, false},
    {"our form", {"127.0.0.1:8067", "http://127.0.0.1:8067", "same-origin", "navigate", "document", true}, true},
    {"our form, an older browser", {"127.0.0.1:8067", "http://127.0.0.1:8067", NULL, NULL, NULL, true}, true},
    {"a form of nobody", {"127.0.0.1:8067", NULL, NULL, NULL, NULL, true}, false},
    {"a form elsewhere", {"127.0.0.1:8067", "http://evil.example", "cross-site", "navigate", "document", true}, false},
    {"a form of no origin", {"127.0.0.1:8067", "null", NULL, NULL, NULL, true}, false},
    {"the other scheme", {"127.0.0.1:8067", "https://127.0.0.1:8067", NULL, NULL, NULL, true}, false},
    {"origin and word differ", {"127.0.0.1:8067", "http://127.0.0.1:8067", "cross-site", NULL, NULL, true}, false},
};

static void test_guard(void **state)
{
    (void)state;
    struct guard guard = {0}, tls = {.tls = true};
    guard_add(&guard, "127.0.0.1", 8067);
    guard_add(&guard, "localhost", 8067);
    for (size_t i = 0; i < COUNT(requests); i++)
        CASE(requests[i].name, !guard_objection(&guard, &requests[i].request) == requests[i].passes);
    guard_add(&tls, "console.example.net", 443);
    guard_add(&tls, "fd00::1", 8443);
    assert_string_equal(tls.hosts[0], "console.example.net");
    assert_string_equal(tls.hosts[1], "[fd00::1]:8443");
    assert_true(guard_equal("", "") && guard_equal("abc", "abc"));
    assert_false(guard_equal("abc", "abd") || guard_equal("abc", "ab") || guard_equal("", "a"));
}

static void test_sessions(void **state)
{
    (void)state;
    static struct logins sessions;
    char secret[LOGIN_SECRET_SIZE], first[LOGIN_SECRET_SIZE], link[LOGIN_SECRET_SIZE];
    const usec_t hour = 3600 * USEC_PER_SEC;
    logins_init(&sessions);
    assert_false(logins_use_link(&sessions, ""));
    strcpy(link, logins_new_link(&sessions));
    assert_int_equal(strlen(link), LOGIN_SECRET_SIZE - 1);
    assert_false(logins_use_link(&sessions, "x"));
    assert_true(logins_use_link(&sessions, link));
    assert_false(logins_use_link(&sessions, link)); // once
    strcpy(link, logins_new_link(&sessions));
    logins_new_link(&sessions);
    assert_false(logins_use_link(&sessions, link)); // another one took its place

    struct login *session = logins_begin(&sessions, "alice", true, first, hour);
    assert_string_equal(session->who, "alice");
    assert_ptr_equal(logins_find(&sessions, first, hour), session);
    assert_null(logins_find(&sessions, session->token, hour));
    assert_null(logins_find(&sessions, "", hour));
    assert_ptr_equal(logins_find(&sessions, first, 13 * hour), session);
    assert_null(logins_find(&sessions, first, 26 * hour)); // idle
    session = logins_begin(&sessions, "alice", true, first, 0);
    for (unsigned i = 1; i < 16; i++)
        assert_non_null(logins_find(&sessions, first, i * 11 * hour));
    assert_null(logins_find(&sessions, first, 16 * 11 * hour)); // a week is over

    session = logins_begin(&sessions, "first", false, first, 200 * hour);
    for (unsigned i = 0; i < LOGINS_MAX - 1; i++)
        logins_begin(&sessions, "more", false, secret, 200 * hour + 1 + i);
    assert_ptr_equal(logins_find(&sessions, first, 200 * hour + 100), session);
    logins_begin(&sessions, "one too many", false, secret, 200 * hour + 200);
    assert_non_null(logins_find(&sessions, first, 200 * hour + 201)); // not the one that was seen last gave way
    login_end(session);
    assert_null(logins_find(&sessions, first, 200 * hour + 202));
}

static bool is_near(float a, double b)
{
    return a > b - 0.01 && a < b + 0.01;
}

static void test_history(void **state)
{
    (void)state;
    static struct history history;
    const usec_t step = HISTORY_STEP_S * USEC_PER_SEC, start = 5000 * step;
    assert_true(history_at(&history, HISTORY_IN, 0, start) < 0);
    for (unsigned i = 0; i <= 400; i++) { // 100 bytes a second in, none out, for more than an hour
        const struct history_sample sample = {i * 1000, 7, i % 2 ? 100 : 300, (float)i};
        history_add(&history, &sample, start + i * step);
    }
    const usec_t now = start + 400 * step;
    assert_true(is_near(history_at(&history, HISTORY_IN, 0, now), 100) && is_near(history.rates[0], 100));
    assert_true(is_near(history_at(&history, HISTORY_OUT, 0, now), 0));
    assert_true(is_near(history_at(&history, HISTORY_FLOWS, 0, now), 400));
    assert_true(is_near(history_at(&history, HISTORY_FLOWS, HISTORY_STEPS - 1, now), 400 - HISTORY_STEPS + 1));
    assert_true(history_at(&history, HISTORY_FLOWS, HISTORY_STEPS, now) < 0);
    assert_true(history_at(&history, HISTORY_FLOWS, 0, now + step) < 0); // nothing has come yet
    assert_true(is_near(history_at(&history, HISTORY_FLOWS, 1, now + step), 400));

    history_add(&history, &(struct history_sample){500000, 7, 200, 10}, now + step); // two in one step: their mean
    history_add(&history, &(struct history_sample){500000, 7, 400, 20}, now + step + step / 2);
    assert_true(is_near(history_at(&history, HISTORY_RTT, 0, now + step), 300));
    assert_true(is_near(history_at(&history, HISTORY_FLOWS, 0, now + step), 15));

    history_add(&history, &(struct history_sample){10, 0, -1, -1}, now + 10 * step); // a counter that began anew; a gap
    assert_true(history_at(&history, HISTORY_IN, 0, now + 10 * step) < 0 && history.rates[0] < 0);
    assert_true(history_at(&history, HISTORY_RTT, 0, now + 10 * step) < 0);
    assert_true(history_at(&history, HISTORY_FLOWS, 5, now + 10 * step) < 0);
    history_miss(&history);
    history_add(&history, &(struct history_sample){9999, 0, -1, 3}, now + 11 * step);
    assert_true(history_at(&history, HISTORY_IN, 0, now + 11 * step) < 0);
    history_add(&history, &(struct history_sample){9999, 0, -1, 3}, now + 5000 * step); // more than a whole round later
    assert_true(history_at(&history, HISTORY_FLOWS, 1, now + 5000 * step) < 0);
    assert_true(is_near(history_at(&history, HISTORY_FLOWS, 0, now + 5000 * step), 3));
}

static void test_plots(void **state)
{
    (void)state;
    static struct history history;
    const struct plot plot = {"Rates", PLOT_RATE, {{"In", HISTORY_IN}, {"Out", HISTORY_OUT}}, 2};
    struct markup out = {0};
    plot_write(&out, &plot, &history, 0); // nothing known
    assert_non_null(strstr(out.bytes, "d=\"\""));
    markup_free(&out);
    for (unsigned i = 0; i < 10; i++)
        history_add(&history, &(struct history_sample){i * 10000000, i, 1, 1}, i * 10 * USEC_PER_SEC);
    plot_write(&out, &plot, &history, 90 * USEC_PER_SEC);
    assert_non_null(strstr(out.bytes, "In <b>8.0 Mbit/s</b>"));
    assert_non_null(strstr(out.bytes, "Rates over the last hour, at most 8.0 Mbit/s"));
    assert_null(strstr(out.bytes, "nan"));
    assert_null(strstr(out.bytes, "inf"));
    markup_free(&out);
}

static void test_units(void **state)
{
    (void)state;
    char room[UNITS_SIZE];
    assert_string_equal(units_bytes(room, 0), "0 B");
    assert_string_equal(units_bytes(room, 1536), "1.5 KiB");
    assert_string_equal(units_rate(room, 125000), "1.0 Mbit/s");
    assert_string_equal(units_seconds(room, 59), "59 s");
    assert_string_equal(units_seconds(room, 90061), "1 d 1 h");
    assert_string_equal(units_ms(room, 310), "0.31 ms");
    assert_string_equal(units_number(room, 1234567), "1,234,567");
    assert_string_equal(units_number(room, 123), "123");
    assert_int_equal(units_moment("1970-01-02T00:00:00Z"), 86400);
    assert_int_equal(units_moment("yesterday"), -1);
    assert_int_equal(units_moment(NULL), -1);
    assert_string_equal(units_ago(room, "1970-01-02T00:00:00Z", 86460), "1 min ago");
    assert_string_equal(units_ago(room, "1970-01-02T00:00:00Z", 86370), "in 30 s");
}

static struct source_instance instance(const char *name, enum source_role role, const char *json)
{
    struct source_instance instance = {.role = role, .root = "/"};
    strcpy(instance.name, name);
    instance.status = told_parse(json, strlen(json));
    assert_non_null(instance.status);
    return instance;
}

static const char OPEN_METRICS[] =
    "# HELP usher_up Whether the instance answers and its state is up.\n"
    "# TYPE usher_up gauge\n"
    "usher_up{instance_name=\"branch\",role=\"portal\"} 1\n"
    "usher_up{instance_name=\"gate\",role=\"gate\"} 0\n"
    "# HELP usher_flows Flows that are open.\n"
    "# TYPE usher_flows gauge\n"
    "usher_flows{instance_name=\"branch\"} 3\n"
    "# HELP usher_received_bytes Payload from far ends.\n"
    "# TYPE usher_received_bytes counter\n"
    "# UNIT usher_received_bytes bytes\n"
    "usher_received_bytes_total{instance_name=\"branch\"} 12\n"
    "# HELP usher_round_trip_seconds Round trip to the gate, as the kernel measures it.\n"
    "# TYPE usher_round_trip_seconds gauge\n"
    "# UNIT usher_round_trip_seconds seconds\n"
    "usher_round_trip_seconds{instance_name=\"branch\"} 0.015000\n"
    "# HELP usher_connected_portals Portals that are logged in.\n"
    "# TYPE usher_connected_portals gauge\n"
    "usher_connected_portals{instance_name=\"gate\"} 3\n"
    "# HELP usher_portal_sessions Sessions of the portal that are open.\n"
    "# TYPE usher_portal_sessions gauge\n"
    "usher_portal_sessions{instance_name=\"gate\",portal=\"a\\\"\\\\?\"} 5\n"
    "usher_portal_sessions{instance_name=\"gate\",portal=\"b\"} 3\n"
    "# HELP usher_events What the instance counts, by its own names.\n"
    "# TYPE usher_events counter\n"
    "usher_events_total{instance_name=\"branch\",event=\"sessions_opened\"} 9\n"
    "# EOF\n";

static void test_metrics(void **state)
{
    (void)state;
    struct list all;
    struct markup out = {0};
    struct source_instance branch = instance("branch", SOURCE_PORTAL,
                                             "{\"state\": \"up\", \"flows\": 3, \"bytes_in\": 12, \"rtt_us\": 15000, "
                                             "\"counters\": {\"sessions_opened\": 9}}");
    struct source_instance gate =
        instance("gate", SOURCE_GATE,
                 "{\"state\": \"ending\", \"portals\": [{\"identity\": \"b\", \"sessions\": 1}, "
                 "{\"identity\": \"a\\\"\\\\\\n\", \"sessions\": 5}, {\"identity\": \"b\", "
                 "\"sessions\": 2}, {\"sessions\": 7}]}");
    list_init(&all);
    metrics_write(&out, &all, true);
    assert_string_equal(out.bytes, "# EOF\n");
    markup_free(&out);
    list_push_back(&all, &branch.node);
    list_push_back(&all, &gate.node);
    // Four portals, of which one has no name.
    metrics_write(&out, &all, true);
    char *portals = strstr(out.bytes, "usher_connected_portals{instance_name=\"gate\"} 4");
    assert_non_null(portals);
    portals[strlen("usher_connected_portals{instance_name=\"gate\"} ")] = '3';
    assert_string_equal(out.bytes, OPEN_METRICS);
    markup_free(&out);
    metrics_write(&out, &all, false);
    assert_non_null(strstr(out.bytes, "# TYPE usher_received_bytes_total counter\nusher_received_bytes_total{"));
    assert_null(strstr(out.bytes, "# UNIT"));
    assert_null(strstr(out.bytes, "# EOF"));
    markup_free(&out);
    told_free(branch.status);
    told_free(gate.status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escaping), cmocka_unit_test(test_forms),    cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_guard),    cmocka_unit_test(test_sessions), cmocka_unit_test(test_history),
        cmocka_unit_test(test_plots),    cmocka_unit_test(test_units),    cmocka_unit_test(test_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
