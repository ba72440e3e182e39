// SPDX-License-Identifier: GPL-2.0-or-later
// The exchange with edges made up here: what is held and for how long, what becomes of it, and who gets what the peer
// opens.
#include "exchange/exchange.h"
#include "os/clock.h"

#include "unit.h"

#include <netinet/in.h>
#include <string.h>

enum { HOLD_MS = 5000, SESSIONS = 4 };

struct flow {
    struct opening opening; // first
    bool refused, ended;
    enum usher_word word;
    char text[80];
};

struct door {
    struct edge edge; // first
    uint16_t serves;
    unsigned adopted, stopped;
};

static struct bench {
    uv_loop_t loop;
    struct exchange *exchange;
    struct usher_engine *engine;
    struct door door;
    struct flow flows[SESSIONS + 2];
    unsigned wakes;
    const char *far; // an address; NULL: a name
} bench;

static void ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct flow *flow = owner;
    (void)ending, (void)word, (void)text;
    flow->opening.session = NULL;
    flow->ended = true;
}

static void want(const struct opening *opening, struct want *out)
{
    static const struct usher_session_ops ops = {.ended = ended};
    (void)opening;
    *out = (struct want){.ops = &ops, .open = {.protocol = USHER_TCP, .port = 80}};
    assert_true(endpoint_parse(&out->origin, "10.1.0.2:5000"));
    if (bench.far) {
        assert_true(address_parse(&out->open.addr, bench.far));
        return;
    }
    strcpy(out->open.host, "web.corp.example");
    out->open.by_name = true;
}

static void placed(struct opening *opening)
{
    assert_non_null(opening->session);
    assert_false(list_is_linked(&opening->timed.node));
}

static void refused(struct opening *opening, enum usher_word word, const char *text)
{
    struct flow *flow = container_of(opening, struct flow, opening);
    assert_null(opening->session);
    flow->refused = true;
    flow->word = word;
    snprintf(flow->text, sizeof flow->text, "%s", text);
}

static bool serves(const struct edge *edge, uint16_t protocol)
{
    return container_of(edge, struct door, edge)->serves == protocol;
}

static void adopt(struct edge *edge, struct usher_session *session, const struct usher_open *open)
{
    (void)session, (void)open;
    container_of(edge, struct door, edge)->adopted++;
}

static uint32_t flows(const struct edge *edge)
{
    (void)edge;
    return 0;
}

static void each_flow(struct edge *edge, flow_visit *visit, void *arg, usec_t now)
{
    (void)edge, (void)visit, (void)arg, (void)now;
}

static void stop(struct edge *edge)
{
    container_of(edge, struct door, edge)->stopped++;
}

static const struct edge_kind kind = {
    .name = "door",
    .want = want,
    .placed = placed,
    .refused = refused,
    .serves = serves,
    .adopt = adopt,
    .flows = flows,
    .each_flow = each_flow,
    .stop = stop,
};

static void wake(void *owner)
{
    (void)owner;
    bench.wakes++;
}

static void no_opened(void *owner, struct usher_session *session, const struct usher_open *open)
{
    (void)owner, (void)session, (void)open;
}

static void connect_tunnel(void)
{
    static const struct usher_engine_ops ops = {.opened = no_opened, .wake = wake};
    const struct usher_engine_config config = {
        .max_sessions = SESSIONS, .max_unanswered = SESSIONS, .window_max = USHER_WINDOW_START, .extended = true};
    bench.engine = usher_engine_new(&config, &ops, NULL, clock_now());
    exchange_attach(bench.exchange, bench.engine);
}

static void lose_tunnel(void)
{
    usher_engine_free(bench.engine);
    bench.engine = NULL;
    exchange_detach(bench.exchange);
}

static void open_one(struct flow *flow)
{
    edge_open(&bench.door.edge, &flow->opening);
}

static void turn(uint64_t later_ms)
{
    exchange_after_pull(bench.exchange, false, uv_now(&bench.loop) * USEC_PER_MSEC + later_ms * USEC_PER_MSEC);
}

static int set_up(void **state)
{
    (void)state;
    memset(&bench, 0, sizeof bench);
    assert_int_equal(uv_loop_init(&bench.loop), 0);
    const struct exchange_config config = {.hold_ms = HOLD_MS, .wake = wake};
    bench.exchange = exchange_new(&bench.loop, &config);
    bench.door.edge.kind = &kind;
    for (size_t i = 0; i < SESSIONS + 2; i++)
        list_init(&bench.flows[i].opening.timed.node);
    exchange_add(bench.exchange, &bench.door.edge);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (bench.engine)
        lose_tunnel();
    exchange_free(bench.exchange);
    uv_run(&bench.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&bench.loop), 0);
    assert_int_equal(bench.door.stopped, 1);
    return 0;
}

static void test_opens_at_once(void **state)
{
    (void)state;
    connect_tunnel();
    open_one(&bench.flows[0]);
    assert_non_null(bench.flows[0].opening.session);
    assert_false(exchange_is_holding(bench.exchange));
}

static void test_holds_until_there_is_a_tunnel(void **state)
{
    (void)state;
    open_one(&bench.flows[0]);
    open_one(&bench.flows[1]);
    assert_true(exchange_is_holding(bench.exchange));
    assert_int_equal(exchange_counters(bench.exchange)->flows_held, 2);
    turn(HOLD_MS - 1);
    assert_false(bench.flows[0].refused);
    connect_tunnel();
    assert_non_null(bench.flows[0].opening.session);
    assert_non_null(bench.flows[1].opening.session);
    assert_false(exchange_is_holding(bench.exchange));
}

// While it stands still, what is open stays, and what is opened waits as without a tunnel.
static void test_holds_while_it_is_paused(void **state)
{
    (void)state;
    connect_tunnel();
    open_one(&bench.flows[0]);
    exchange_pause(bench.exchange);
    open_one(&bench.flows[1]);
    open_one(&bench.flows[2]);
    assert_true(bench.flows[0].opening.session && !bench.flows[1].opening.session);
    assert_true(exchange_is_holding(bench.exchange));
    exchange_go_on(bench.exchange);
    assert_true(bench.flows[1].opening.session && bench.flows[2].opening.session);
    assert_false(exchange_is_holding(bench.exchange));
    exchange_pause(bench.exchange);
    open_one(&bench.flows[3]);
    turn(HOLD_MS);
    assert_true(bench.flows[3].refused && bench.flows[3].word == USHER_UNREACHABLE);
    assert_false(bench.flows[0].refused);
}

static void test_refuses_in_the_end(void **state)
{
    (void)state;
    open_one(&bench.flows[0]);
    turn(HOLD_MS);
    assert_true(bench.flows[0].refused);
    assert_int_equal(bench.flows[0].word, USHER_UNREACHABLE);
    assert_string_equal(bench.flows[0].text, "host: there is no tunnel");
    assert_int_equal(exchange_counters(bench.exchange)->flows_refused, 1);
    assert_false(exchange_is_holding(bench.exchange));
}

// The loop is woken for it, without anybody else's doing.
static void test_alarm(void **state)
{
    (void)state;
    exchange_free(bench.exchange);
    const struct exchange_config config = {.hold_ms = 20, .wake = wake};
    bench.exchange = exchange_new(&bench.loop, &config);
    bench.door.stopped = 0;
    exchange_add(bench.exchange, &bench.door.edge);
    open_one(&bench.flows[0]);
    uv_run(&bench.loop, UV_RUN_DEFAULT);
    assert_int_equal(bench.wakes, 1);
    turn(0);
    assert_true(bench.flows[0].refused);
}

static void test_no_room(void **state)
{
    (void)state;
    connect_tunnel();
    for (size_t i = 0; i <= SESSIONS; i++)
        open_one(&bench.flows[i]);
    assert_false(bench.flows[SESSIONS].refused); // not from within the call
    turn(0);
    assert_true(bench.flows[SESSIONS].refused);
    assert_int_equal(bench.flows[SESSIONS].word, USHER_LIMIT);
    assert_int_equal(exchange_counters(bench.exchange)->flows_refused, 1);
}

static void test_forgotten(void **state)
{
    (void)state;
    open_one(&bench.flows[0]);
    list_remove(&bench.flows[0].opening.timed.node);
    assert_false(exchange_is_holding(bench.exchange));
    turn(HOLD_MS);
    assert_false(bench.flows[0].refused);
}

static void test_end_refuses_what_is_held(void **state)
{
    (void)state;
    open_one(&bench.flows[0]);
    exchange_free(bench.exchange);
    assert_true(bench.flows[0].refused);
    const struct exchange_config config = {.hold_ms = HOLD_MS, .wake = wake};
    bench.exchange = exchange_new(&bench.loop, &config);
    bench.door.stopped = 0;
    exchange_add(bench.exchange, &bench.door.edge);
}

static void see(void *arg, const struct flow_info *info)
{
    unsigned *seen = arg;
    char text[ENDPOINT_TEXT_SIZE];
    (*seen)++;
    assert_string_equal(info->host, "web.corp.example");
    assert_int_equal(info->outside.port, 80);
    assert_string_equal(endpoint_text(&info->inside, text), "10.1.0.2:5000");
    assert_string_equal(info->state, "waiting");
    assert_string_equal(info->via, "door");
    assert_int_equal(info->age, 1500 * USEC_PER_MSEC);
}

static void test_lists_what_is_held(void **state)
{
    (void)state;
    unsigned seen = 0;
    open_one(&bench.flows[0]);
    exchange_each_flow(bench.exchange, see, &seen, (uv_now(&bench.loop) + 1500) * USEC_PER_MSEC);
    assert_int_equal(seen, 1);
}

static void test_first_exit_that_serves(void **state)
{
    (void)state;
    struct door second = {.edge.kind = &kind, .serves = USHER_UDP}, third = {.edge.kind = &kind, .serves = USHER_UDP};
    exchange_add(bench.exchange, &second.edge);
    exchange_add(bench.exchange, &third.edge);
    const struct usher_open udp = {.protocol = USHER_UDP}, icmp = {.protocol = USHER_ICMP};
    exchange_opened(bench.exchange, NULL, &udp);
    exchange_opened(bench.exchange, NULL, &icmp);
    assert_int_equal(bench.door.adopted, 0);
    assert_int_equal(second.adopted, 1);
    assert_int_equal(third.adopted, 0);
    exchange_free(bench.exchange);
    assert_int_equal(second.stopped, 1);
    assert_int_equal(third.stopped, 1);
    const struct exchange_config config = {.hold_ms = HOLD_MS, .wake = wake};
    bench.exchange = exchange_new(&bench.loop, &config);
    bench.door.stopped = 0;
    exchange_add(bench.exchange, &bench.door.edge);
}

static void test_judge(void **state)
{
    (void)state;
    const struct judge *judge = exchange_judge(bench.exchange);
    struct address addr;
    struct fault fault;
    assert_true(address_parse(&addr, "10.73.0.2"));
    assert_false(judge->address(judge, IPPROTO_TCP, NULL, &addr, 80)); // no rules at all
    assert_int_equal(judge->name(judge, IPPROTO_TCP, "web.corp.example", 80), JUDGE_DENIED);
    struct policy *policy = policy_new();
    assert_true(policy_add(policy, true, "tcp:10.73.0.0/24:80", &fault));
    exchange_set_policy(bench.exchange, policy);
    assert_true(judge->address(judge, IPPROTO_TCP, NULL, &addr, 80));
    assert_false(judge->address(judge, IPPROTO_TCP, NULL, &addr, 81));
    assert_int_equal(judge->name(judge, IPPROTO_TCP, "web.corp.example", 80), JUDGE_RESOLVE);
    assert_int_equal(judge->name(judge, IPPROTO_TCP, "-no-name-", 80), JUDGE_NO_NAME);
    exchange_set_policy(bench.exchange, NULL);
    policy_free(policy);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

enum { SEEN_SIZE = 300 };

// Guides: an address that stands for a name, one that is served here, one that nobody has.
static enum guide_answer lead(const struct guide *guide, struct usher_open *open)
{
    (void)guide;
    if (open->addr.version != 4 || open->addr.bytes[0] != 198)
        return GUIDE_NOT_MINE;
    if (open->addr.bytes[3] == 1)
        return GUIDE_SERVES;
    if (open->addr.bytes[3] != 2)
        return GUIDE_NOBODY;
    open->addr = (struct address){0};
    strcpy(open->host, "web.corp.example");
    return GUIDE_LEADS;
}

static struct guide guide;

static void add_guide(void)
{
    guide = (struct guide){.lead = lead, .edge = &bench.door.edge};
    exchange_add_guide(bench.exchange, &guide);
}

static void test_serves_here_without_a_tunnel(void **state)
{
    (void)state;
    add_guide();
    bench.far = "198.18.0.1";
    open_one(&bench.flows[0]);
    assert_non_null(bench.flows[0].opening.session);
    assert_int_equal(bench.door.adopted, 0);
    exchange_before_pull(bench.exchange, clock_now());
    assert_int_equal(bench.door.adopted, 1);
    assert_true(bench.flows[0].ended); // it was left unattached
    assert_null(bench.flows[0].opening.session);
}

static void test_what_is_served_here_ends_with_the_exchange(void **state)
{
    (void)state;
    add_guide();
    bench.far = "198.18.0.1";
    open_one(&bench.flows[0]);
    assert_false(bench.flows[0].ended); // that is for tear_down, which sees no leak
}

static void test_nobody_has_it(void **state)
{
    (void)state;
    add_guide();
    connect_tunnel();
    bench.far = "198.18.0.3";
    open_one(&bench.flows[0]);
    assert_false(bench.flows[0].refused); // not from within the call
    turn(0);
    assert_true(bench.flows[0].refused);
    assert_int_equal(bench.flows[0].word, USHER_UNREACHABLE);
    assert_string_equal(bench.flows[0].text, "host: nobody has that address");
}

static bool is_led(const char *to)
{
    struct endpoint far;
    assert_true(endpoint_parse(&far, to));
    return edge_is_led(&bench.door.edge, USHER_UDP, &far);
}

static void test_knows_what_is_led(void **state)
{
    (void)state;
    assert_false(is_led("198.18.0.2:53"));
    add_guide();
    assert_true(is_led("198.18.0.2:53"));
    assert_true(is_led("198.18.0.3:53")); // to nobody, but not to where it says
    assert_false(is_led("10.0.0.1:53"));
}

static void see_lead(void *arg, const struct flow_info *info)
{
    snprintf(arg, SEEN_SIZE, "%s:%u", info->led ? info->led->host : "-", info->outside.port);
}

static void test_shows_where_it_leads(void **state)
{
    (void)state;
    char seen[SEEN_SIZE];
    add_guide();
    bench.far = "198.18.0.2";
    open_one(&bench.flows[0]);
    exchange_each_flow(bench.exchange, see_lead, seen, clock_now());
    assert_string_equal(seen, "web.corp.example:80");
    bench.far = "10.0.0.1";
    exchange_each_flow(bench.exchange, see_lead, seen, clock_now());
    assert_string_equal(seen, "-:80");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_opens_at_once),
        TEST(test_holds_until_there_is_a_tunnel),
        TEST(test_holds_while_it_is_paused),
        TEST(test_refuses_in_the_end),
        TEST(test_alarm),
        TEST(test_no_room),
        TEST(test_forgotten),
        TEST(test_end_refuses_what_is_held),
        TEST(test_lists_what_is_held),
        TEST(test_first_exit_that_serves),
        TEST(test_judge),
        TEST(test_serves_here_without_a_tunnel),
        TEST(test_what_is_served_here_ends_with_the_exchange),
        TEST(test_nobody_has_it),
        TEST(test_knows_what_is_led),
        TEST(test_shows_where_it_leads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
