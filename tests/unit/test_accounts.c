// SPDX-License-Identifier: GPL-2.0-or-later
// Each session has one account, and it says how it ended and by whose doing: an engine whose peer is played here.
#include "exchange/accounts.h"
#include "usher/engine.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct {
    uint64_t now;
    char said[2048]; // of each account a line
    unsigned missing;
    struct usher_session *session;
    uint8_t pulled[4096];
} bench;

static void told(void *owner, const struct account *account)
{
    if (!account) {
        bench.missing++;
        return;
    }
    static const char *const endings[] = {"closed", "refused", "reset", "lost"};
    char from[ENDPOINT_TEXT_SIZE], to[ENDPOINT_TEXT_SIZE];
    size_t used = strlen(bench.said);
    (void)owner;
    snprintf(bench.said + used, sizeof bench.said - used,
             "%s %u %s:%u %s%s%s%s%s %s%u [%s] %llu/%llu %llums %s %s %d %s\n", account->ours ? "ours" : "its",
             account->protocol, account->asked, account->port, account->via, account->from.addr.version ? " from " : "",
             account->from.addr.version ? endpoint_text(&account->from, from) : "",
             account->reached.addr.version ? " to " : "",
             account->reached.addr.version ? endpoint_text(&account->reached, to) : "", "line ", account->line,
             account->rule, (unsigned long long)account->received, (unsigned long long)account->sent,
             (unsigned long long)account->ms, endings[account->how.ending], account->how.by_us ? "us" : "it",
             (int)account->how.word, account->how.text);
    if (!account->association)
        return;
    used = strlen(bench.said) - 1;
    snprintf(bench.said + used, sizeof bench.said - used, " of %u\n", account->association);
}

static uint64_t now(void *clock)
{
    (void)clock;
    return bench.now;
}

static size_t fill(void *owner, uint8_t *room, size_t size)
{
    (void)owner, (void)size;
    memcpy(room, "four", 4);
    usher_session_finish_empty(bench.session);
    return 4;
}

static void data(void *owner, const struct slice *slice)
{
    (void)owner;
    usher_session_consumed(bench.session, slice->len);
}

static void finished(void *owner)
{
    (void)owner;
}

static void ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    (void)owner, (void)ending, (void)word, (void)text;
    bench.session = NULL;
}

static const struct usher_session_ops ops = {.fill = fill, .data = data, .finished = finished, .ended = ended};

static void opened(void *owner, struct usher_session *session, const struct usher_open *open)
{
    (void)owner;
    if (open->port == 9)
        return; // nobody serves it
    bench.session = session;
    usher_session_attach(session, &ops, NULL);
}

static void wake(void *owner)
{
    (void)owner;
}

static struct usher_engine *engine;
static struct accounts *accounts;

static int set_up(void **state)
{
    static const struct usher_engine_ops engine_ops = {.opened = opened, .wake = wake};
    const struct usher_engine_config config = {
        .server = true, .extended = true, .max_sessions = 2, .max_unanswered = 2, .window_max = USHER_WINDOW_START};
    (void)state;
    memset(&bench, 0, sizeof bench);
    engine = usher_engine_new(&config, &engine_ops, NULL, 0);
    accounts = accounts_new(now, NULL, told, NULL);
    usher_engine_keep_account(engine, &accounts_ops, accounts);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    usher_engine_free(engine);
    accounts_free(accounts);
    return 0;
}

static void feed(const struct writer *w, const uint8_t *bytes)
{
    const struct slice slice = {.bytes = bytes, .len = (uint32_t)(w->at - bytes)};
    usher_engine_feed(engine, &slice, 0);
    usher_engine_pull(engine, bench.pulled, sizeof bench.pulled, 0);
}

static void feed_open(uint16_t id, uint16_t protocol, const char *host, uint16_t port)
{
    uint8_t bytes[512];
    struct writer w = writer_over(bytes, sizeof bytes);
    struct usher_open open = {.protocol = protocol, .port = port};
    if (!address_parse(&open.addr, host))
        strcpy(open.host, host);
    record_open_encode(&w, id, &open);
    feed(&w, bytes);
}

static void feed_data(uint16_t id, size_t len)
{
    uint8_t bytes[512] = {0};
    struct writer w = writer_over(bytes, sizeof bytes);
    record_send_header_encode(&w, id, len);
    writer_bytes(&w, bytes, len);
    feed(&w, bytes);
}

static void feed_close(uint16_t id)
{
    uint8_t bytes[64];
    struct writer w = writer_over(bytes, sizeof bytes);
    record_close_encode(&w, id, USHER_READ);
    feed(&w, bytes);
}

static void feed_rst(uint16_t id, const char *reason)
{
    uint8_t bytes[128];
    struct writer w = writer_over(bytes, sizeof bytes);
    record_rst_encode(&w, id, reason);
    feed(&w, bytes);
}

static struct policy *rules(const char *allowed, unsigned line)
{
    struct fault fault;
    struct policy *policy = policy_new();
    assert_true(policy_add_line(policy, true, allowed, line, &fault));
    return policy;
}

static void reached(const char *where, const struct policy *policy)
{
    struct endpoint to;
    assert_true(endpoint_parse(&to, where));
    accounts_reached(accounts, bench.session, &to, policy);
}

static void closed_in_order(void **state)
{
    (void)state;
    struct policy *policy = rules("tcp:10.73.0.0/24:80", 7);
    feed_open(2, USHER_TCP, "10.73.0.2", 80);
    accounts_via(accounts, bench.session, "dial");
    reached("10.73.0.2:80", policy);
    usher_session_accept(bench.session);
    usher_engine_pull(engine, bench.pulled, sizeof bench.pulled, 0);
    bench.now = 1500;
    feed_data(2, 3);
    usher_session_ready(bench.session);
    usher_engine_pull(engine, bench.pulled, sizeof bench.pulled, 0);
    feed_close(2);
    assert_string_equal(bench.said, "its 6 10.73.0.2:80 dial to 10.73.0.2:80 line 7 [Allow = tcp:10.73.0.0/24:80] 3/4 "
                                    "1500ms closed it 0 \n");
    policy_free(policy);
}

static void by_its_name(void **state)
{
    static const struct {
        const char *rule, *reached, *said;
    } cases[] = {
        {"tcp:*.corp.example:80", "10.73.0.2:80", "[Allow = tcp:*.corp.example:80]"},
        {"10.73.0.0/24", "10.73.0.2:80", "[Allow = 10.73.0.0/24]"},
        {"tcp:*.corp.example:80", "127.0.0.1:80", "[Allow = tcp:*.corp.example:80]"}, // Local: allowed as a name
        {"10.74.0.0/24", "10.73.0.2:80", "[no rule allows it]"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct policy *policy = rules(cases[i].rule, 1);
        bench.said[0] = '\0';
        feed_open((uint16_t)(2 + 2 * i), USHER_TCP, "web.corp.example", 80);
        reached(cases[i].reached, policy);
        usher_session_refuse(bench.session, USHER_DENIED, "not permitted");
        usher_engine_pull(engine, bench.pulled, sizeof bench.pulled, 0);
        CASE(cases[i].said, strstr(bench.said, "its 6 web.corp.example:80") && strstr(bench.said, cases[i].said));
        CASE(cases[i].said, strstr(bench.said, "refused us 4 not permitted"));
        policy_free(policy);
    }
}

static void a_name_that_is_refused_as_such(void **state)
{
    (void)state;
    struct policy *policy = rules("*.other.example", 3);
    feed_open(2, USHER_UDP, "web.corp.example", 53);
    accounts_reached(accounts, bench.session, &(struct endpoint){.port = 53}, policy);
    usher_session_refuse(bench.session, USHER_DENIED, "not permitted");
    assert_string_equal(bench.said,
                        "its 17 web.corp.example:53  line 0 [no rule allows it] 0/0 0ms refused us 4 not permitted\n");
    policy_free(policy);
}

static void by_whose_doing(void **state)
{
    (void)state;
    feed_open(2, USHER_TCP, "10.73.0.2", 80);
    usher_session_accept(bench.session);
    usher_engine_pull(engine, bench.pulled, sizeof bench.pulled, 0);
    feed_rst(2, "timeout: gone");
    feed_open(4, USHER_TCP, "10.73.0.2", 80);
    usher_session_accept(bench.session);
    usher_session_reset(bench.session, USHER_FAILED, "broken");
    usher_engine_pull(engine, bench.pulled, sizeof bench.pulled, 0);
    feed_open(6, USHER_TCP, "10.73.0.2", 80);
    feed_rst(6, "failed: changed its mind");
    feed_open(8, USHER_ICMP, "10.73.0.2", 77); // its identifier is no port
    usher_engine_end(engine, "all over");
    assert_string_equal(bench.said, "its 6 10.73.0.2:80  line 0 [] 0/0 0ms reset it 3 gone\n"
                                    "its 6 10.73.0.2:80  line 0 [] 0/0 0ms reset us 0 broken\n"
                                    "its 6 10.73.0.2:80  line 0 [] 0/0 0ms reset it 0 given up\n"
                                    "its 1 10.73.0.2:0  line 0 [] 0/0 0ms lost it 0 all over\n");
}

static void refused_before_any_edge_saw_it(void **state)
{
    (void)state;
    feed_open(2, USHER_TCP, "10.73.0.2", 9);
    feed_open(4, 99, "10.73.0.2", 80);
    feed_open(6, USHER_TCP, "10.73.0.2", 80);
    feed_open(8, USHER_TCP, "10.73.0.3", 80);
    feed_open(10, USHER_TCP, "10.73.0.4", 80);
    assert_string_equal(bench.said, "its 6 10.73.0.2:9  line 0 [] 0/0 0ms refused us 7 no such service here\n"
                                    "its 99 10.73.0.2:0  line 0 [] 0/0 0ms refused us 7 no such service here\n"
                                    "its 6 10.73.0.4:80  line 0 [] 0/0 0ms refused us 6 too many sessions\n");
}

static void of_our_own(void **state)
{
    (void)state;
    struct endpoint who;
    struct usher_open open = {.protocol = USHER_TCP, .port = 80};
    assert_true(endpoint_parse(&who, "10.73.0.9:4000") && address_parse(&open.addr, "10.71.0.2"));
    bench.session = usher_session_open(engine, &open, &ops, NULL);
    accounts_via(accounts, bench.session, "capture");
    accounts_from(accounts, bench.session, &who);
    usher_engine_pull(engine, bench.pulled, sizeof bench.pulled, 0);
    uint8_t bytes[64];
    struct writer w = writer_over(bytes, sizeof bytes);
    record_open_reply_encode(&w, 1, USHER_ID_NONE, "refused: no");
    feed(&w, bytes);
    assert_string_equal(bench.said,
                        "ours 6 10.71.0.2:80 capture from 10.73.0.9:4000 line 0 [] 0/0 0ms refused it 1 no\n");
}

static void the_control_session_is_none(void **state)
{
    (void)state;
    feed_open(2, USHER_CONTROL, "control.1", 0);
    usher_session_accept(bench.session);
    usher_session_reset(bench.session, USHER_FAILED, "over");
    assert_string_equal(bench.said, "");
}

static void what_began_before_has_none(void **state)
{
    (void)state;
    usher_engine_keep_account(engine, NULL, NULL);
    feed_open(2, USHER_TCP, "10.73.0.2", 80);
    usher_engine_keep_account(engine, &accounts_ops, accounts);
    accounts_via(accounts, bench.session, "dial");
    reached("10.73.0.2:80", NULL);
    usher_session_refuse(bench.session, USHER_REFUSED, "no");
    assert_string_equal(bench.said, "");
}

static struct visit *visit(const char *where, const char *there, const struct policy *policy)
{
    struct endpoint to;
    struct address addr;
    assert_true(endpoint_parse(&to, where) && address_parse(&addr, there));
    return accounts_visit(accounts, bench.session, &to, &addr, policy);
}

static void add(struct visit *visit, uint64_t received, uint64_t sent)
{
    visit->received += received;
    visit->sent += sent;
}

static void each_far_end_of_an_association(void **state)
{
    (void)state;
    struct policy *policy = rules("udp:10.73.0.0/24:53", 7);
    feed_open(2, USHER_UDP, "10.73.0.2", 53);
    reached("10.73.0.2:53", policy);
    usher_session_accept(bench.session);
    struct visit *own = visit("10.73.0.2:53", "10.73.0.2", policy);
    bench.now = 100;
    struct visit *second = visit("10.73.0.3:53", "10.1.0.3", policy), *third = visit("10.73.0.2:54", "10.73.0.2", NULL);
    struct visit *fourth = visit("10.73.0.4:53", "10.73.0.4", policy);
    add(own, 1, 2), add(second, 3, 4), add(second, 0, 6), add(third, 5, 6), add(fourth, 7, 8);
    bench.now = 150;
    third->over(third, VISIT_GAVE_WAY);
    fourth->over(fourth, VISIT_DENIED);
    own->over(own, VISIT_GAVE_WAY);
    struct visit *again = visit("10.73.0.2:53", "10.73.0.2", policy); // has a line of its own now
    add(again, 9, 0);
    bench.now = 200;
    usher_session_reset(bench.session, USHER_FAILED, "broken");
    again->over(again, VISIT_OVER);
    second->over(second, VISIT_OVER);
    assert_string_equal(
        bench.said,
        "its 17 10.73.0.2:54  to 10.73.0.2:54 line 0 [] 5/6 50ms closed it 0 gave way to another far end of 1\n"
        "its 17 10.73.0.4:53  to 10.73.0.4:53 line 7 [Allow = udp:10.73.0.0/24:53] 7/8 50ms reset us 4 not permitted "
        "any "
        "more of 1\n"
        "its 17 10.73.0.3:53  to 10.1.0.3:53 line 7 [Allow = udp:10.73.0.0/24:53] 3/10 100ms reset us 0 broken of 1\n"
        "its 17 10.73.0.2:53  to 10.73.0.2:53 line 7 [Allow = udp:10.73.0.0/24:53] 9/0 50ms reset us 0 broken of 1\n"
        "its 17 10.73.0.2:53  to 10.73.0.2:53 line 7 [Allow = udp:10.73.0.0/24:53] 1/2 200ms reset us 0 broken of 1\n");
    policy_free(policy);
}

static void an_association_with_one_far_end(void **state)
{
    (void)state;
    feed_open(2, USHER_UDP, "10.73.0.2", 53);
    usher_session_accept(bench.session);
    struct visit *own = visit("10.73.0.2:53", "10.73.0.2", NULL);
    add(own, 1, 2);
    usher_engine_end(engine, "all over");
    own->over(own, VISIT_OVER);
    assert_string_equal(bench.said, "its 17 10.73.0.2:53  line 0 [] 1/2 0ms lost it 0 all over\n");
}

static void one_that_was_opened_for_what_it_never_used(void **state)
{
    (void)state;
    feed_open(2, USHER_UDP, "10.73.0.2", 53);
    usher_session_accept(bench.session);
    struct visit *other = visit("10.73.0.3:53", "10.73.0.3", NULL);
    add(other, 1, 2);
    usher_engine_end(engine, "over");
    other->over(other, VISIT_OVER);
    assert_string_equal(bench.said, "its 17 10.73.0.3:53  to 10.73.0.3:53 line 0 [] 1/2 0ms lost it 0 over of 1\n"
                                    "its 17 10.73.0.2:53  line 0 [] 0/0 0ms lost it 0 over of 1\n");
}

// The edge has them still when nobody keeps accounts any more.
static void far_ends_outlive_accounts(void **state)
{
    (void)state;
    feed_open(2, USHER_UDP, "10.73.0.2", 53);
    usher_session_accept(bench.session);
    struct visit *own = visit("10.73.0.2:53", "10.73.0.2", NULL), *other = visit("10.73.0.3:53", "10.73.0.3", NULL);
    usher_engine_keep_account(engine, NULL, NULL);
    accounts_free(accounts);
    accounts = NULL;
    add(own, 1, 2);
    own->over(own, VISIT_OVER);
    other->over(other, VISIT_GAVE_WAY);
    assert_string_equal(bench.said, "");
}

enum { AT_A_TIME = 4096, PER_SECOND = 1000 };

static struct visit *visit_numbered(unsigned number)
{
    const struct endpoint to = {.addr = {.version = 4, .bytes = {10, 74}}, .port = (uint16_t)number};
    return accounts_visit(accounts, bench.session, &to, &to.addr, NULL);
}

static void leave(struct visit *visit)
{
    assert_non_null(visit);
    visit->over(visit, VISIT_GAVE_WAY);
    bench.said[0] = '\0';
}

static void far_ends_are_bounded(void **state)
{
    (void)state;
    static struct visit *visits[AT_A_TIME];
    feed_open(2, USHER_UDP, "10.73.0.2", 53);
    usher_session_accept(bench.session);
    for (unsigned i = 0; i < AT_A_TIME; i++)
        assert_non_null(visits[i] = visit_numbered(i));
    bench.now = 10000;
    assert_null(visit_numbered(0)); // so many at a time
    assert_int_equal(bench.missing, 1);
    struct visit *own = visit("10.73.0.2:53", "10.73.0.2", NULL); // is no further one
    assert_non_null(own);
    own->over(own, VISIT_OVER);
    for (unsigned i = 0; i < AT_A_TIME; i++)
        leave(visits[i]);
    for (unsigned i = 0; i < AT_A_TIME; i++) // so many in a second, after a pause
        leave(visit_numbered(i));
    assert_null(visit_numbered(0));
    bench.now += 1000;
    for (unsigned i = 0; i < PER_SECOND; i++)
        leave(visit_numbered(i));
    assert_null(visit_numbered(0));
    assert_int_equal(bench.missing, 3);
    usher_engine_end(engine, "over");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(closed_in_order),
        TEST(by_its_name),
        TEST(a_name_that_is_refused_as_such),
        TEST(by_whose_doing),
        TEST(refused_before_any_edge_saw_it),
        TEST(of_our_own),
        TEST(the_control_session_is_none),
        TEST(what_began_before_has_none),
        TEST(each_far_end_of_an_association),
        TEST(an_association_with_one_far_end),
        TEST(one_that_was_opened_for_what_it_never_used),
        TEST(far_ends_outlive_accounts),
        TEST(far_ends_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
