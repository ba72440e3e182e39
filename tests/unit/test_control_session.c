// SPDX-License-Identifier: GPL-2.0-or-later
// Two ends of a tunnel in memory, each with its control session: what they may ask each other, what is told, and what a
// hostile end, which is played byte by byte, gets for what it says.
#include "edge/control/session.h"
#include "edge/local/local.h"
#include "exchange/exchange.h"
#include "nameserver.h"
#include "os/clock.h"
#include "usher/control.h"
#include "usher/engine.h"

#include "unit.h"

#include <stdlib.h>

enum { PATIENCE_MS = 8000, ASKED_MAX = 256, WAITING_MAX = 4096, SESSIONS = 4 };

static struct nameserver names;

static int enter(void **state)
{
    (void)state;
    return nameserver_start(&names) ? 0 : -1;
}

static int leave(void **state)
{
    (void)state;
    nameserver_stop(&names);
    return 0;
}

struct end {
    struct exchange *exchange;
    struct usher_engine *engine;
    struct policy *policy;
    struct resolver *resolver;
    struct control_session *control; // NULL: this end has none, and is played by the test
    bool confirms;                   // as its control session is told
    bool tells_origin, keeps_origin; // the same
    unsigned agreements[2];          // of the other end not to confirm, and to
    unsigned drains[2];              // said by the other end; of those that say it opens nothing more
    bool deaf;                       // does not heed them
    unsigned opened;                 // by the other end
    uint16_t first;                  // protocol of the first of them
};

static struct bench {
    uv_loop_t loop;
    struct chunk_pool *pool;
    struct end portal, gate;
    bool over; // an engine has stopped
    usec_t later;
} bench;

// One that asks.
struct asker {
    struct probe probe; // first
    unsigned told;
    struct probe_answer answer;
    struct prober *again; // asked once more from within
};

static void done(struct probe *probe, const struct probe_answer *answer)
{
    struct asker *asker = (struct asker *)probe;
    asker->told++;
    asker->answer = *answer;
    if (asker->again && asker->told < 3)
        probe_ask(asker->again, probe);
}

static void ask(struct end *end, struct asker *asker, const char *name)
{
    *asker = (struct asker){.probe = {.name = name, .done = done}};
    probe_ask(control_session_prober(end->control), &asker->probe);
    assert_int_equal(asker->told, 0); // never from within
}

static void wake(void *owner)
{
    (void)owner; // `turn` looks by itself
}

static void opened(void *owner, struct usher_session *session, const struct usher_open *open)
{
    struct end *end = owner;
    if (end->opened++ == 0)
        end->first = open->protocol;
    exchange_opened(end->exchange, session, open);
}

static void confirming(void *owner, bool agreed)
{
    struct end *end = owner;
    end->agreements[agreed]++;
}

static void drain(void *owner, bool left)
{
    struct end *end = owner;
    end->drains[left]++;
}

static const struct control_session_ops DRAIN_OPS = {.drain = drain};

static void carry(struct usher_engine *from, struct usher_engine *to)
{
    size_t len = 1;
    while (len > 0) {
        struct chunk *chunk = chunk_new(bench.pool);
        len = usher_engine_pull(from, chunk->bytes, CHUNK_SIZE, clock_now());
        const struct slice slice = {.chunk = chunk, .bytes = chunk->bytes, .len = (uint32_t)len};
        if (len > 0)
            bench.over |= usher_engine_feed(to, &slice, clock_now()) != USHER_RUNNING;
        chunk_drop(chunk);
    }
}

static void turn(void)
{
    uv_run(&bench.loop, UV_RUN_NOWAIT);
    usec_t now = clock_now() + bench.later;
    exchange_before_pull(bench.portal.exchange, now);
    exchange_before_pull(bench.gate.exchange, now);
    if (bench.portal.engine) {
        carry(bench.portal.engine, bench.gate.engine);
        carry(bench.gate.engine, bench.portal.engine);
    }
    exchange_after_pull(bench.portal.exchange, false, now);
    exchange_after_pull(bench.gate.exchange, false, now);
}

#define pump(condition)                                                                                                \
    do {                                                                                                               \
        usec_t pump_end = clock_now() + PATIENCE_MS * USEC_PER_MSEC;                                                   \
        while (!(condition)) {                                                                                         \
            turn();                                                                                                    \
            if (clock_now() > pump_end)                                                                                \
                fail_msg("line %d: waited in vain for: %s", __LINE__, #condition);                                     \
        }                                                                                                              \
    } while (0)

static void settle(void)
{
    for (int i = 0; i < 50; i++)
        turn();
}

static void add_end(struct end *end, const char *allow)
{
    const struct exchange_config config = {.hold_ms = 5000, .wake = wake};
    struct fault fault;
    end->exchange = exchange_new(&bench.loop, &config);
    if (!allow)
        return;
    end->policy = policy_new();
    if (!policy_add(end->policy, true, allow, &fault))
        fail_msg("%s", fault.text);
    exchange_set_policy(end->exchange, end->policy);
}

static void add_control(struct end *end, bool opens, bool resolves, const struct translate *translate)
{
    const struct resolver_config resolver = {.servers = names.servers, .timeout_ms = 30000};
    struct fault fault;
    if (resolves)
        end->resolver = resolver_new(&bench.loop, &resolver, &fault);
    const struct control_session_config config = {
        .loop = &bench.loop,
        .opens = opens,
        .version = "1.0 \"of a test\"",
        .max_sessions = 1000,
        .judge = exchange_judge(end->exchange),
        .translate = translate,
        .resolver = end->resolver,
        .confirms = end->confirms,
        .tells_origin = end->tells_origin,
        .keeps_origin = end->keeps_origin,
        .ops = end->deaf ? NULL : &DRAIN_OPS,
        .owner = end,
    };
    end->control = control_session_new(&config);
    exchange_add(end->exchange, control_session_edge(end->control));
}

static void join(bool extended)
{
    static const struct usher_engine_ops ops = {.opened = opened, .wake = wake, .confirming = confirming};
    struct usher_engine_config config = {
        .max_sessions = SESSIONS, .max_unanswered = SESSIONS, .window_max = USHER_WINDOW_START, .extended = extended};
    bench.portal.engine = usher_engine_new(&config, &ops, &bench.portal, clock_now());
    config.server = true;
    bench.gate.engine = usher_engine_new(&config, &ops, &bench.gate, clock_now());
    exchange_attach(bench.portal.exchange, bench.portal.engine);
    exchange_attach(bench.gate.exchange, bench.gate.engine);
}

static void part(void)
{
    if (!bench.portal.engine)
        return;
    usher_engine_free(bench.portal.engine);
    usher_engine_free(bench.gate.engine);
    bench.portal.engine = bench.gate.engine = NULL;
    exchange_detach(bench.portal.exchange);
    exchange_detach(bench.gate.exchange);
}

static void begin(const char *portal_allow, const char *gate_allow)
{
    memset(&bench, 0, sizeof bench);
    assert_int_equal(uv_loop_init(&bench.loop), 0);
    bench.pool = chunk_pool_new(4);
    add_end(&bench.portal, portal_allow);
    add_end(&bench.gate, gate_allow);
}

static void finish(void)
{
    part();
    exchange_free(bench.portal.exchange);
    exchange_free(bench.gate.exchange);
    resolver_free(bench.portal.resolver);
    resolver_free(bench.gate.resolver);
    uv_run(&bench.loop, UV_RUN_NOWAIT);
    uv_run(&bench.loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_close(&bench.loop), 0);
    assert_int_equal(chunk_pool_held(bench.pool), 0);
    chunk_pool_free(bench.pool);
    policy_free(bench.portal.policy);
    policy_free(bench.gate.policy);
}

static void both_ends(const char *portal_allow, const char *gate_allow)
{
    begin(portal_allow, gate_allow);
    add_control(&bench.portal, true, portal_allow, NULL);
    add_control(&bench.gate, false, true, NULL);
    join(true);
}

static void what_is_told_of_a_name(void **state)
{
    (void)state;
    static const struct {
        const char *allow, *name;
        enum probe_status status;
        bool ipv4, ipv6;
        uint32_t ttl;
    } cases[] = {
        {"0.0.0.0/0, ::/0", "two.test", PROBE_EXISTS, true, true, 60},
        {"0.0.0.0/0, ::/0", "TWO.test.", PROBE_EXISTS, true, true, 60},
        {"tcp:192.0.2.0/24:80", "two.test", PROBE_EXISTS, true, false, 60}, // what it may not reach there is not told
        {"tcp:[2001:db8::1]:80", "two.test", PROBE_EXISTS, false, true, 60},
        {"icmp:192.0.2.0/24", "big.test", PROBE_EXISTS, true, false, 60},
        {"0.0.0.0/0, ::/0", "none.test", PROBE_NO_NAME, false, false, 10},
        {"0.0.0.0/0, ::/0", "empty.test", PROBE_EXISTS, false, false, 10},
        {"0.0.0.0/0, ::/0", "broken.test", PROBE_FAILED, false, false, 0},
        {"10.0.0.0/8", "two.test", PROBE_DENIED, false, false, 10},
        {"tcp:*.test:80", "two.test", PROBE_EXISTS, true, true, 60},
        {"tcp:*.test:80", "near4.test", PROBE_EXISTS, false, true, 60}, // loopback, which no name stands for
        {"*.corp.example", "two.test", PROBE_DENIED, false, false, 10},
        {"*.corp.example", "none.test", PROBE_DENIED, false, false, 10}, // nor is told that it does not exist
        {"0.0.0.0/0", "-no-name-", PROBE_NO_NAME, false, false, 10},
        {"0.0.0.0/0", "192.0.2.1", PROBE_NO_NAME, false, false, 10},
        {"0.0.0.0/0", "", PROBE_NO_NAME, false, false, 10},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct asker asker;
        char name[100];
        snprintf(name, sizeof name, "%s with %s", cases[i].name, cases[i].allow);
        both_ends(NULL, cases[i].allow);
        ask(&bench.portal, &asker, cases[i].name); // before anything has gone
        pump(asker.told);
        CASE(name, asker.told == 1 && asker.answer.status == cases[i].status);
        CASE(name, asker.answer.ipv4 == cases[i].ipv4 && asker.answer.ipv6 == cases[i].ipv6);
        CASE(name, asker.answer.ttl == cases[i].ttl);
        finish();
    }
}

// What denies a part of a name leaves it told, what denies all of it does not.
static void denials(void **state)
{
    (void)state;
    static const struct {
        const char *deny;
        enum probe_status status;
    } cases[] = {
        {"two.test", PROBE_DENIED},
        {"*.test", PROBE_DENIED},
        {"tcp:two.test", PROBE_EXISTS},
        {"tcp:two.test:22", PROBE_EXISTS},
        {"192.0.2.0/24, 2001:db8::/32", PROBE_DENIED},
        {"one.test", PROBE_EXISTS},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct asker asker;
        struct fault fault;
        begin(NULL, NULL);
        bench.gate.policy = policy_new();
        assert_true(policy_add(bench.gate.policy, false, cases[i].deny, &fault));
        assert_true(policy_add(bench.gate.policy, true, "0.0.0.0/0, ::/0", &fault));
        exchange_set_policy(bench.gate.exchange, bench.gate.policy);
        add_control(&bench.portal, true, false, NULL);
        add_control(&bench.gate, false, true, NULL);
        join(true);
        ask(&bench.portal, &asker, "two.test");
        pump(asker.told);
        CASE(cases[i].deny, asker.answer.status == cases[i].status);
        finish();
    }
}

// With Local every name that is allowed is here.
static void where_names_are_not_resolved(void **state)
{
    (void)state;
    static const struct {
        const char *allow;
        enum probe_status status;
        bool ipv4, ipv6;
    } cases[] = {
        {"tcp:*.test:80", PROBE_EXISTS, true, true},
        {"tcp:127.0.0.1:80", PROBE_EXISTS, true, false},
        {"0.0.0.0/0, ::/0", PROBE_DENIED, false, false},
        {"*.corp.example", PROBE_DENIED, false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct asker asker;
        begin(NULL, cases[i].allow);
        add_control(&bench.portal, true, false, NULL);
        add_control(&bench.gate, false, false, &local_translate);
        join(true);
        ask(&bench.portal, &asker, "none.test");
        pump(asker.told);
        CASE(cases[i].allow, asker.answer.status == cases[i].status);
        CASE(cases[i].allow, asker.answer.ipv4 == cases[i].ipv4 && asker.answer.ipv6 == cases[i].ipv6);
        finish();
    }
}

static void the_gate_asks_too(void **state)
{
    (void)state;
    struct asker asker;
    both_ends("tcp:192.0.2.0/24:80", "0.0.0.0/0");
    settle();
    ask(&bench.gate, &asker, "two.test");
    pump(asker.told);
    assert_true(asker.answer.status == PROBE_EXISTS && asker.answer.ipv4 && !asker.answer.ipv6);
    finish();
    both_ends(NULL, "0.0.0.0/0"); // the portal accepts nothing, and says so in its hello
    settle();
    ask(&bench.gate, &asker, "two.test");
    turn();
    assert_true(asker.told == 1 && asker.answer.status == PROBE_FAILED);
    finish();
}

// First of all, also before what waits for a tunnel; no flow, and no session of MaxSessions.

struct door {
    struct edge edge; // first
    struct opening openings[SESSIONS];
    unsigned placed;
};

static void door_want(const struct opening *opening, struct want *out)
{
    static const struct usher_session_ops ops;
    (void)opening;
    *out = (struct want){.ops = &ops, .open = {.protocol = USHER_TCP, .port = 80}};
    assert_true(address_parse(&out->open.addr, "192.0.2.1"));
}

static void door_placed(struct opening *opening)
{
    (void)opening;
}

static uint32_t no_flows(const struct edge *edge)
{
    (void)edge;
    return 0;
}

static void no_stop(struct edge *edge)
{
    (void)edge;
}

static void first_of_all(void **state)
{
    (void)state;
    static const struct edge_kind kind = {.want = door_want, .placed = door_placed, .flows = no_flows, .stop = no_stop};
    struct door door = {.edge.kind = &kind};
    begin(NULL, "0.0.0.0/0");
    exchange_add(bench.portal.exchange, &door.edge);
    add_control(&bench.portal, true, false, NULL); // added behind
    add_control(&bench.gate, false, true, NULL);
    for (size_t i = 0; i < SESSIONS; i++) {
        list_init(&door.openings[i].timed.node);
        edge_open(&door.edge, &door.openings[i]);
    }
    join(true);
    turn();
    assert_int_equal(bench.gate.opened, 1 + SESSIONS);
    assert_int_equal(bench.gate.first, USHER_CONTROL);
    for (size_t i = 0; i < SESSIONS; i++)
        assert_non_null(door.openings[i].session);
    settle();
    assert_int_equal(exchange_flows(bench.gate.exchange), 0);
    assert_int_equal(usher_engine_sessions(bench.gate.engine), 0);
    assert_int_equal(usher_engine_counters(bench.portal.engine)->sessions_opened, SESSIONS);
    assert_int_equal(usher_engine_counters(bench.gate.engine)->sessions_accepted, 0);
    assert_int_equal(usher_engine_counters(bench.gate.engine)->payload_received, 0);
    assert_int_equal(usher_engine_counters(bench.portal.engine)->payload_sent, 0);
    finish();
}

// Ends that do not know it, or may not

static void without_it(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool portal, gate, extended;
        unsigned opened;
    } cases[] = {
        {"a gate that refuses it", true, false, true, 1},
        {"a portal that does not open it", false, true, true, 0},
        {"a gate of another make", true, true, false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct asker asker;
        begin("0.0.0.0/0", "0.0.0.0/0");
        if (cases[i].portal)
            add_control(&bench.portal, true, true, NULL);
        if (cases[i].gate)
            add_control(&bench.gate, false, true, NULL);
        join(cases[i].extended);
        struct end *asks = cases[i].portal ? &bench.portal : &bench.gate;
        ask(asks, &asker, "two.test");
        pump(asker.told);
        CASE(cases[i].name, asker.told == 1 && asker.answer.status == PROBE_FAILED);
        settle();
        ask(asks, &asker, "two.test");
        turn();
        CASE(cases[i].name, asker.told == 1 && asker.answer.status == PROBE_FAILED);
        CASE(cases[i].name, bench.gate.opened == cases[i].opened && !bench.over);
        finish();
    }
}

static void tunnels_come_and_go(void **state)
{
    (void)state;
    struct asker early, silent, late, again;
    begin(NULL, "0.0.0.0/0");
    add_control(&bench.portal, true, false, NULL);
    add_control(&bench.gate, false, true, NULL);
    assert_false(exchange_is_holding(bench.portal.exchange));
    ask(&bench.portal, &early, "two.test");
    turn();
    assert_int_equal(early.told, 0); // a tunnel may come
    assert_true(exchange_is_holding(bench.portal.exchange));
    join(true);
    assert_false(exchange_is_holding(bench.portal.exchange));
    pump(early.told);
    assert_int_equal(early.answer.status, PROBE_EXISTS);
    ask(&bench.portal, &silent, "silent.test");
    settle();
    assert_int_equal(silent.told, 0);
    part();
    assert_int_equal(silent.told, 0); // never from within anything
    turn();
    assert_true(silent.told == 1 && silent.answer.status == PROBE_FAILED);
    ask(&bench.portal, &late, "two.test");
    bench.later = 4900 * USEC_PER_MSEC;
    turn();
    assert_int_equal(late.told, 0);
    bench.later = 5100 * USEC_PER_MSEC;
    turn();
    assert_true(late.told == 1 && late.answer.status == PROBE_FAILED); // none has come
    assert_false(exchange_is_holding(bench.portal.exchange));
    bench.later = 0;
    join(true);
    ask(&bench.portal, &again, "two.test");
    pump(again.told);
    assert_int_equal(again.answer.status, PROBE_EXISTS);
    finish();
}

static void no_answer_in_time(void **state)
{
    (void)state;
    struct asker asker, other;
    both_ends(NULL, "0.0.0.0/0");
    ask(&bench.portal, &asker, "silent.test");
    settle();
    bench.later = 4900 * USEC_PER_MSEC;
    turn();
    assert_int_equal(asker.told, 0);
    bench.later = 5100 * USEC_PER_MSEC;
    pump(asker.told);
    assert_int_equal(asker.answer.status, PROBE_FAILED);
    settle(); // the answer to what was given up means nothing
    ask(&bench.portal, &other, "none.test");
    bench.later = 0;
    pump(other.told);
    assert_int_equal(other.answer.status, PROBE_NO_NAME);
    assert_int_equal(asker.told, 1);
    finish();
}

static void the_loop_wakes_for_it(void **state)
{
    (void)state;
    struct asker asker;
    both_ends(NULL, "0.0.0.0/0");
    ask(&bench.portal, &asker, "silent.test");
    settle();
    usec_t since = clock_now();
    while (!asker.told && clock_now() < since + 10 * USEC_PER_SEC) {
        uv_run(&bench.loop, UV_RUN_ONCE);
        turn();
    }
    assert_true(asker.told == 1 && clock_now() < since + 5500 * USEC_PER_MSEC);
    finish();
}

// So many are asked at a time; more wait for their turn, and too many fail.
static void so_many_at_once(void **state)
{
    (void)state;
    static struct asker askers[WAITING_MAX + 1];
    unsigned told = 0, failed = 0;
    both_ends(NULL, "0.0.0.0/0");
    for (size_t i = 0; i < COUNT(askers); i++)
        ask(&bench.portal, &askers[i], i < ASKED_MAX - 1 ? "silent.test" : "-no-name-");
    pump(askers[WAITING_MAX].told && askers[WAITING_MAX - 1].told);
    assert_int_equal(askers[WAITING_MAX].answer.status, PROBE_FAILED); // one too many
    for (size_t i = ASKED_MAX - 1; i < WAITING_MAX; i++)               // one after the other, in the place that is left
        assert_true(askers[i].told == 1 && askers[i].answer.status == PROBE_NO_NAME);
    ask(&bench.portal, &askers[WAITING_MAX], "-no-name-"); // there is room again
    ask(&bench.portal, &askers[WAITING_MAX - 1], "silent.test");
    ask(&bench.portal, &askers[WAITING_MAX - 2], "-no-name-"); // and no place
    pump(askers[WAITING_MAX].told);
    settle();
    assert_int_equal(askers[WAITING_MAX].answer.status, PROBE_NO_NAME);
    assert_int_equal(askers[WAITING_MAX - 2].told, 0);
    probe_cancel(control_session_prober(bench.portal.control), &askers[0].probe);
    pump(askers[WAITING_MAX - 2].told);
    assert_int_equal(askers[WAITING_MAX - 2].answer.status, PROBE_NO_NAME);
    assert_int_equal(usher_engine_counters(bench.gate.engine)->glitches, 0);
    part();
    turn();
    for (size_t i = 0; i < ASKED_MAX - 1; i++) {
        told += askers[i].told;
        failed += askers[i].told && askers[i].answer.status == PROBE_FAILED;
    }
    assert_int_equal(told, ASKED_MAX - 2);
    assert_int_equal(failed, ASKED_MAX - 2);
    finish();
}

// Cancelled wherever it is: unsent, asked, and failed.
static void cancelled(void **state)
{
    (void)state;
    struct asker asker, other;
    both_ends(NULL, "0.0.0.0/0");
    ask(&bench.portal, &asker, "none.test");
    probe_cancel(control_session_prober(bench.portal.control), &asker.probe);
    settle();
    ask(&bench.portal, &asker, "none.test");
    carry(bench.portal.engine, bench.gate.engine);
    probe_cancel(control_session_prober(bench.portal.control), &asker.probe);
    ask(&bench.portal, &other, "none.test");
    pump(other.told);
    part();
    ask(&bench.portal, &asker, "none.test");
    probe_cancel(control_session_prober(bench.portal.control), &asker.probe);
    turn();
    assert_int_equal(asker.told, 0);
    finish();
}

static void asks_again_from_within(void **state)
{
    (void)state;
    struct asker asker;
    both_ends(NULL, "0.0.0.0/0");
    ask(&bench.portal, &asker, "none.test");
    asker.again = control_session_prober(bench.portal.control);
    pump(asker.told == 3);
    part();
    ask(&bench.portal, &asker, "none.test");
    asker.again = control_session_prober(bench.portal.control);
    bench.later = 5100 * USEC_PER_MSEC;
    turn();
    assert_int_equal(asker.told, 1); // the next is for the next turn
    turn();
    turn();
    assert_int_equal(asker.told, 3);
    finish();
}

// Ten thousand names one after the other cost no glitch, however fast the answers come.
static void as_fast_as_it_goes(void **state)
{
    (void)state;
    enum { NAMES = 10000 };
    static struct asker askers[ASKED_MAX];
    unsigned asked = 0, answered = 0;
    begin(NULL, "*.corp.example");
    add_control(&bench.portal, true, false, NULL);
    add_control(&bench.gate, false, true, NULL);
    join(true);
    settle();
    usec_t since = clock_now();
    while (answered < NAMES) {
        for (size_t i = 0; i < ASKED_MAX; i++) {
            if (askers[i].told && askers[i].probe.name) {
                assert_int_equal(askers[i].answer.status, PROBE_DENIED);
                answered++;
                askers[i].probe.name = NULL;
            }
            if (!askers[i].probe.name && asked < NAMES) {
                ask(&bench.portal, &askers[i], "two.test");
                asked++;
            }
        }
        turn();
    }
    assert_true(clock_now() - since >= 9000 * USEC_PER_SEC / 5000); // its own pace, behind the first thousand
    assert_int_equal(usher_engine_counters(bench.gate.engine)->glitches, 0);
    assert_int_equal(usher_engine_counters(bench.portal.engine)->glitches, 0);
    finish();
}

// Datagrams that do not arrive

struct sender {
    struct usher_session *session;
    unsigned opened, ended, told;
    struct usher_unreachable latest;
    char text[16];
};

static void sender_opened(void *owner)
{
    ((struct sender *)owner)->opened++;
}

static void sender_told(void *owner, const struct usher_unreachable *what)
{
    struct sender *sender = owner;
    sender->told++;
    sender->latest = *what;
    snprintf(sender->text, sizeof sender->text, "%s", what->text);
}

static void sender_ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct sender *sender = owner;
    sender->ended += ending == USHER_ENDED_RESET;
    sender->session = NULL;
    sender->latest.word = word;
    snprintf(sender->text, sizeof sender->text, "%s", text);
}

static const struct usher_session_ops SENDER = {
    .opened = sender_opened, .unreachable = sender_told, .ended = sender_ended};
static const struct usher_session_ops ENDS_OVER_IT = {.opened = sender_opened, .ended = sender_ended};

static struct usher_session *exits[SESSIONS];
static size_t exit_count;

static void gone(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    (void)ending, (void)word, (void)text;
    *(struct usher_session **)owner = NULL;
}

static void take_over(struct edge *edge, struct usher_session *session, const struct usher_open *open)
{
    static const struct usher_session_ops ops = {.ended = gone};
    (void)edge, (void)open;
    usher_session_attach(session, &ops, &exits[exit_count]);
    exits[exit_count++] = session;
    usher_session_accept(session);
}

static bool takes_udp(const struct edge *edge, uint16_t protocol)
{
    (void)edge;
    return protocol == USHER_UDP;
}

static void send_to(struct sender *sender, const struct usher_session_ops *ops)
{
    struct usher_open open = {.protocol = USHER_UDP, .port = 53};
    assert_true(address_parse(&open.addr, "10.73.0.2"));
    *sender = (struct sender){0};
    sender->session = usher_session_open(bench.portal.engine, &open, ops, sender);
    assert_non_null(sender->session);
    pump(sender->opened);
}

static void datagrams_that_do_not_arrive(void **state)
{
    (void)state;
    static const struct edge_kind kind = {.serves = takes_udp, .adopt = take_over, .flows = no_flows, .stop = no_stop};
    struct edge there = {.kind = &kind};
    struct sender patient, other;
    struct usher_unreachable what = {.word = USHER_UNREACHABLE, .text = "net"};
    exit_count = 0;
    begin(NULL, "*.corp.example");
    exchange_add(bench.gate.exchange, &there);
    add_control(&bench.portal, true, false, NULL);
    add_control(&bench.gate, false, true, NULL);
    join(true);
    settle();
    send_to(&patient, &SENDER);
    send_to(&other, &ENDS_OVER_IT);
    assert_true(endpoint_parse(&what.from, "10.1.0.2:5000") && endpoint_parse(&what.to, "10.73.0.2:53"));
    assert_true(usher_session_unreachable(exits[0], &what));
    pump(patient.told == 1);
    assert_true(endpoint_equal(&patient.latest.from, &what.from) && endpoint_equal(&patient.latest.to, &what.to));
    assert_true(patient.latest.word == USHER_UNREACHABLE && !strcmp(patient.text, "net"));
    assert_int_equal(other.told + other.ended, 0);
    // Whoever cannot tell his application of one datagram ends, as he does with a reset.
    what.word = USHER_REFUSED;
    what.text = "";
    assert_true(usher_session_unreachable(exits[1], &what));
    pump(other.ended == 1 && !exits[1]);
    assert_int_equal(other.latest.word, USHER_REFUSED);
    // A flood is cut at this end, so that it costs nothing at the other.
    for (int i = 0; i < 5000; i++) {
        assert_true(usher_session_unreachable(exits[0], &what));
        if (i % 50 == 0)
            turn();
    }
    settle();
    assert_in_range(patient.told, 64, 1500);
    assert_int_equal(patient.ended, 0);
    assert_int_equal(usher_engine_counters(bench.portal.engine)->glitches, 0);
    usher_session_reset(patient.session, USHER_FAILED, "enough");
    settle();
    assert_null(exits[0]);
    finish();
}

// An end that says nothing of it is not told; what is left is the reset.
static void an_end_that_does_not_heed_it(void **state)
{
    (void)state;
    static const struct edge_kind kind = {.serves = takes_udp, .adopt = take_over, .flows = no_flows, .stop = no_stop};
    struct edge there = {.kind = &kind};
    struct sender sender;
    const struct usher_unreachable what = {.word = USHER_REFUSED, .text = ""};
    for (int extended = 0; extended < 2; extended++) {
        exit_count = 0;
        begin(NULL, "*.corp.example");
        exchange_add(bench.gate.exchange, &there);
        add_control(&bench.gate, false, true, NULL);
        join(extended);
        settle();
        send_to(&sender, &SENDER);
        assert_false(usher_session_unreachable(exits[0], &what));
        usher_session_reset(sender.session, USHER_FAILED, "enough");
        settle();
        finish();
    }
}

// A hostile end

struct speaker {
    struct usher_session *session;
    const uint8_t *bytes;
    size_t len, at;
    bool opened, ended, refused, repeats;
    enum usher_word word;
    uint64_t heard;
};

static void speaker_opened(void *owner)
{
    ((struct speaker *)owner)->opened = true;
}

static size_t speaker_fill(void *owner, uint8_t *room, size_t size)
{
    struct speaker *speaker = owner;
    size_t len = 0;
    for (; len < size && speaker->len > 0 && (speaker->at < speaker->len || speaker->repeats); speaker->at++)
        room[len++] = speaker->bytes[speaker->at % speaker->len];
    return len;
}

static void speaker_data(void *owner, const struct slice *slice)
{
    struct speaker *speaker = owner;
    speaker->heard += slice->len;
    usher_session_consumed(speaker->session, slice->len);
}

static void speaker_nothing(void *owner)
{
    (void)owner;
}

static void speaker_ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct speaker *speaker = owner;
    (void)text;
    speaker->ended = true;
    speaker->refused = ending == USHER_ENDED_REFUSED;
    speaker->word = word;
}

static void speak(struct speaker *speaker, const char *host, const void *bytes, size_t len)
{
    static const struct usher_session_ops ops = {
        .opened = speaker_opened,
        .fill = speaker_fill,
        .data = speaker_data,
        .finished = speaker_nothing,
        .stop_sending = speaker_nothing,
        .ended = speaker_ended,
    };
    struct usher_open open = {.protocol = USHER_CONTROL, .by_name = true};
    strcpy(open.host, host);
    *speaker = (struct speaker){.bytes = bytes, .len = len};
    speaker->session = usher_session_open(bench.portal.engine, &open, &ops, speaker);
    assert_non_null(speaker->session);
    usher_session_ready(speaker->session);
}

static void alone(void)
{
    begin(NULL, "*.corp.example");
    bench.gate.keeps_origin = true;
    add_control(&bench.gate, false, true, NULL);
    join(true);
}

#define HELLO "\1\0\0\12\0\0\0\1\0\0\0\1v\0" // 14 bytes

static void what_ends_the_tunnel(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *why; // NULL: it lives on
    } cases[] = {
        {HELLO, 14, NULL},
        {HELLO "\115\0\0\3abc", 21, NULL},
        {HELLO "\115\2\0\0", 18, NULL}, // flags that are not known mean nothing
        {HELLO "\115\1\0\3abc", 21, "protocol error: control message 77: not known here, and critical"},
        {HELLO "\0\1\0\0", 18, "protocol error: control message 0: not known here, and critical"},
        {"\2\0\0\6\0\0\0\1a\0", 10, "protocol error: control message 2: before hello"},
        {"\115\1\0\3abc", 7, "protocol error: control message 77: before hello"},
        {"\1\0\0\0", 4, "protocol error: control message 1: malformed"},
        {HELLO "\2\0\0\1a", 19, "protocol error: control message 2: malformed"},
        {HELLO "\3\1\0\1a", 19, "protocol error: control message 3: malformed"},
        {HELLO "\7\1\0\1a", 19, "protocol error: control message 7: malformed"},
        {HELLO "\115\0\20\1", 18, "protocol error: control message 77: too long"},
        {HELLO "\2\1\0\6\0\0\0\1a\0", 24, NULL},                      // known ones may be critical
        {HELLO "\3\0\0\12\0\0\0\1\0\1\0\0\0\1", 28, NULL},            // an answer that nobody waits for
        {HELLO "\7\1\0\20\0\2\0\0\0\0\0\0\0\0\0\0\0\0x\0", 34, NULL}, // for this session itself
        {HELLO "\7\1\0\20\0\6\0\0\0\0\0\0\0\0\0\0\0\0x\0", 34, NULL}, // for one that is none
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct speaker speaker;
        alone();
        speak(&speaker, CONTROL_HOST, cases[i].bytes, cases[i].len);
        pump(speaker.opened);
        settle();
        CASE(cases[i].why ? cases[i].why : "lives", bench.over == !!cases[i].why);
        if (cases[i].why)
            assert_string_equal(usher_engine_reason(bench.gate.engine), cases[i].why);
        assert_int_equal(usher_engine_counters(bench.gate.engine)->glitches, 0);
        finish();
    }
}

static void the_session_lasts_as_long_as_the_tunnel(void **state)
{
    (void)state;
    static const char *const whys[] = {
        "protocol error: the control session was closed",
        "protocol error: the control session was closed",
        "protocol error: the control session was reset",
    };
    for (size_t i = 0; i < COUNT(whys); i++) {
        struct speaker speaker;
        alone();
        speak(&speaker, CONTROL_HOST, HELLO, 14);
        pump(speaker.opened && speaker.heard);
        if (i == 0)
            usher_session_finish(speaker.session);
        else if (i == 1)
            usher_session_close(speaker.session);
        else
            usher_session_reset(speaker.session, USHER_FAILED, "enough");
        pump(bench.over);
        assert_string_equal(usher_engine_reason(bench.gate.engine), whys[i]);
        finish();
    }
}

static void at_most_one_and_by_this_name(void **state)
{
    (void)state;
    struct speaker first;
    alone();
    speak(&first, "control.2", HELLO, 14);
    pump(first.ended);
    assert_true(first.refused && first.word == USHER_UNSUPPORTED);
    speak(&first, CONTROL_HOST, HELLO, 14);
    struct usher_open open = {.protocol = USHER_CONTROL, .by_name = true};
    assert_null(usher_session_open(bench.portal.engine, &open, NULL, NULL)); // our own engine has but one place
    pump(first.opened);
    // An engine that has more: the record by hand.
    uint8_t bytes[100];
    struct writer w = writer_over(bytes, sizeof bytes);
    strcpy(open.host, CONTROL_HOST);
    record_open_encode(&w, 100, &open);
    struct chunk *chunk = chunk_new(bench.pool);
    memcpy(chunk->bytes, bytes, sizeof bytes - writer_left(&w));
    const struct slice slice = {
        .chunk = chunk, .bytes = chunk->bytes, .len = (uint32_t)(sizeof bytes - writer_left(&w))};
    assert_int_equal(usher_engine_feed(bench.gate.engine, &slice, clock_now()), USHER_RUNNING);
    size_t len = usher_engine_pull(bench.gate.engine, chunk->bytes, CHUNK_SIZE, clock_now());
    assert_true(len > USHER_HEADER_SIZE + 2);
    const uint8_t *answer = chunk->bytes + len - USHER_HEADER_SIZE - 2 - sizeof "unsupported: no such service here";
    assert_memory_equal(answer, "\0\0\0\44\377\377\0\144\377\377unsupported", 21);
    chunk_drop(chunk);
    finish();
}

// What comes too often is not read, and in the end it is abuse.
static void floods(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t len;
    } cases[] = {
        {"hellos", HELLO, 14},
        {"unknown ones", "\115\0\0\0", 4},
        {"origins", "\4\0\0\12\0\2\0\1\0\4\12\1\0\2", 14},
        {"answers", "\3\0\0\12\0\0\0\1\0\1\0\0\0\1", 14},
        {"drains", "\5\0\0\1\0", 5},
        {"unreachables", "\7\0\0\20\0\6\0\0\0\0\0\0\0\0\0\0\0\0x\0", 20},
        {"probes", "\2\0\0\6\0\0\0\1a\0", 10},
        {"probes that wait", "\2\0\0\23\0\0\0\1x.corp.example\0", 23},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct speaker speaker;
        alone();
        speak(&speaker, CONTROL_HOST, HELLO, 14);
        pump(speaker.at == 14);
        speaker.bytes = (const uint8_t *)cases[i].bytes;
        speaker.len = cases[i].len;
        speaker.at = 0;
        speaker.repeats = true;
        pump(bench.over || (usher_session_ready(speaker.session), false));
        assert_string_equal(usher_engine_reason(bench.gate.engine), "protocol error: protocol abuse");
        CASE(cases[i].name, usher_engine_counters(bench.gate.engine)->glitches > 1000);
        finish();
    }
    nameserver_stop(&names); // with all the questions that wait there: a new one might find no room
    assert_true(nameserver_start(&names));
}

// Who asked

static struct endpoint heard[2 * SESSIONS]; // at the moment of the open; version 0: nobody knows
static size_t heard_count;

static void note_origin(struct edge *edge, struct usher_session *session, const struct usher_open *open)
{
    heard[heard_count] = (struct endpoint){0};
    usher_session_origin(session, &heard[heard_count++]);
    take_over(edge, session, open);
}

static struct endpoint asker_of(unsigned number)
{
    struct endpoint who = {.addr = {.version = 4, .bytes = {10, 1}}, .port = (uint16_t)number};
    if (number % 3 == 0)
        who.addr = (struct address){.version = 6, .bytes = {0xfd}};
    who.addr.bytes[3] = (uint8_t)(number >> 8);
    return who;
}

static void open_for(struct sender *sender, unsigned number)
{
    struct endpoint who = asker_of(number);
    struct usher_open open = {.protocol = USHER_UDP, .port = 53};
    assert_true(address_parse(&open.addr, "10.73.0.2"));
    *sender = (struct sender){0};
    sender->session = usher_session_open(bench.portal.engine, &open, &SENDER, sender);
    assert_non_null(sender->session);
    usher_session_say_origin(sender->session, &who);
}

// Identifiers come again in each round, and each time with what was said of them then; what is not agreed on is not said.
static void who_asked(void **state)
{
    (void)state;
    static const struct edge_kind kind = {
        .serves = takes_udp, .adopt = note_origin, .flows = no_flows, .stop = no_stop};
    for (int agreed = 0; agreed < 4; agreed++) {
        struct edge there = {.kind = &kind};
        struct sender senders[SESSIONS];
        begin(NULL, "*.corp.example");
        exchange_add(bench.gate.exchange, &there);
        bench.portal.tells_origin = agreed & 1;
        bench.gate.keeps_origin = agreed & 2;
        add_control(&bench.portal, true, false, NULL);
        add_control(&bench.gate, false, true, NULL);
        join(true);
        settle();
        for (unsigned round = 0; round < 500; round++) {
            exit_count = heard_count = 0;
            for (unsigned i = 0; i < SESSIONS; i++)
                open_for(&senders[i], 1 + round * SESSIONS + i);
            turn();
            assert_int_equal(heard_count, SESSIONS);
            for (unsigned i = 0; i < SESSIONS; i++) {
                struct endpoint who = asker_of(1 + round * SESSIONS + i), kept;
                assert_true(agreed == 3 ? endpoint_equal(&heard[i], &who) : !heard[i].addr.version);
                assert_int_equal(usher_session_origin(exits[i], &kept), agreed == 3);
                assert_false(usher_session_origin(senders[i].session, &kept)); // of the peer's alone
                usher_session_reset(senders[i].session, USHER_FAILED, "enough");
            }
            turn();
        }
        finish();
    }
}

// What is said of an identifier that is in use comes too late, and of more than there can be is forgotten.
static void origins_of_nothing(void **state)
{
    (void)state;
    struct speaker speaker;
    alone();
    speak(&speaker, CONTROL_HOST, HELLO, 14);
    pump(speaker.at == 14);
    uint8_t bytes[14] = "\4\0\0\12\0\0\0\1\0\4\12\1\0\2";
    for (unsigned id = 0; id < 4000; id++) {
        bytes[4] = (uint8_t)(id >> 8);
        bytes[5] = (uint8_t)id;
        speaker.bytes = bytes;
        speaker.len = sizeof bytes;
        speaker.at = 0;
        usher_session_ready(speaker.session);
        turn();
    }
    assert_false(bench.over);
    assert_int_equal(usher_engine_counters(bench.gate.engine)->glitches, 0);
    finish();
}

// Told once, at each end; and no confirmation goes that the other end does not expect.
static void what_is_taken_is_confirmed_if_both_can(void **state)
{
    (void)state;
    for (int can = 0; can < 4; can++) {
        begin(NULL, "0.0.0.0/0");
        bench.portal.confirms = can & 1;
        bench.gate.confirms = can & 2;
        add_control(&bench.portal, true, false, NULL);
        add_control(&bench.gate, false, true, NULL);
        join(true);
        settle();
        for (int k = 0; k < 2; k++) {
            struct end *end = k ? &bench.gate : &bench.portal;
            assert_int_equal(end->agreements[can == 3], 1);
            assert_int_equal(end->agreements[can != 3], 0);
        }
        bench.later = USEC_PER_SEC;
        for (int i = 0; i < 2; i++) {
            usher_engine_tick(bench.portal.engine, clock_now() + bench.later);
            usher_engine_tick(bench.gate.engine, clock_now() + bench.later);
            settle();
        }
        assert_int_equal(usher_engine_counters(bench.portal.engine)->strays, 0);
        assert_int_equal(usher_engine_counters(bench.gate.engine)->strays, 0);
        finish();
    }
    // A gate without a control session.
    begin(NULL, "0.0.0.0/0");
    bench.portal.confirms = true;
    add_control(&bench.portal, true, false, NULL);
    join(true);
    settle();
    assert_true(bench.portal.agreements[false] == 1 && bench.portal.agreements[true] == 0);
    finish();
}

static struct usher_engine *engine_of(struct end *end, bool server)
{
    static const struct usher_engine_ops ops = {.opened = opened, .wake = wake, .confirming = confirming};
    const struct usher_engine_config config = {.server = server,
                                               .max_sessions = SESSIONS,
                                               .max_unanswered = SESSIONS,
                                               .window_max = USHER_WINDOW_START,
                                               .extended = true};
    return usher_engine_new(&config, &ops, end, clock_now());
}

// Until that is answered over a second tunnel, which ends at an end of its own.
static void pump_second(struct end *end, struct usher_engine *near, struct usher_engine *far, const struct asker *asker)
{
    usec_t over = clock_now() + 10 * USEC_PER_SEC;
    while (!asker->told && clock_now() < over) {
        turn();
        exchange_before_pull(end->exchange, clock_now());
        carry(near, far);
        carry(far, near);
        exchange_after_pull(end->exchange, false, clock_now());
        usleep(1000);
    }
    assert_int_equal(asker->told, 1);
}

// The first gate wants to be left: a second tunnel comes, to another gate, and takes what is asked from then on; the first one
// is told so, and its end is nobody's loss.
static void left_for_another_tunnel(void **state)
{
    (void)state;
    struct asker asker;
    struct end second = {0};
    both_ends(NULL, "0.0.0.0/0");
    settle();
    control_session_drain(bench.gate.control);
    pump(bench.portal.drains[false]);
    assert_int_equal(bench.gate.drains[true], 0);
    ask(&bench.portal, &asker, "two.test"); // as long as there is no other
    pump(asker.told);
    assert_int_equal(asker.answer.status, PROBE_EXISTS);

    struct usher_engine *old = bench.portal.engine, *first = bench.gate.engine;
    add_end(&second, "0.0.0.0/0");
    add_control(&second, false, true, NULL);
    struct usher_engine *near = engine_of(&bench.portal, false), *far = engine_of(&second, true);
    exchange_attach(bench.portal.exchange, near);
    exchange_attach(second.exchange, far);
    ask(&bench.portal, &asker, "two.test");
    pump_second(&second, near, far, &asker);
    assert_int_equal(asker.answer.status, PROBE_EXISTS);
    assert_int_equal(second.opened, 1);
    assert_int_equal(bench.gate.drains[true], 1);
    assert_int_equal(bench.portal.drains[false], 1);

    bench.portal.engine = bench.gate.engine = NULL;
    exchange_detach(bench.gate.exchange);
    usher_engine_free(old);
    usher_engine_free(first);
    turn(); // what is left of it goes
    ask(&bench.portal, &asker, "two.test");
    pump_second(&second, near, far, &asker);
    assert_int_equal(asker.answer.status, PROBE_EXISTS);
    assert_false(bench.over);
    usher_engine_free(near);
    usher_engine_free(far);
    exchange_detach(bench.portal.exchange);
    exchange_free(second.exchange);
    resolver_free(second.resolver);
    policy_free(second.policy);
    finish();
}

static void who_does_not_heed_it_is_not_told(void **state)
{
    (void)state;
    begin(NULL, "0.0.0.0/0");
    bench.portal.deaf = true;
    add_control(&bench.portal, true, false, NULL);
    add_control(&bench.gate, false, true, NULL);
    join(true);
    control_session_drain(bench.gate.control); // before anything was said
    settle();
    uint64_t sent = usher_engine_counters(bench.gate.engine)->bytes_sent;
    control_session_drain(bench.gate.control);
    settle();
    assert_int_equal(usher_engine_counters(bench.gate.engine)->bytes_sent, sent);
    finish();
    both_ends(NULL, "0.0.0.0/0");
    control_session_drain(bench.gate.control);
    pump(bench.portal.drains[false]);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_asked),
        cmocka_unit_test(origins_of_nothing),
        cmocka_unit_test(what_is_told_of_a_name),
        cmocka_unit_test(denials),
        cmocka_unit_test(where_names_are_not_resolved),
        cmocka_unit_test(the_gate_asks_too),
        cmocka_unit_test(first_of_all),
        cmocka_unit_test(without_it),
        cmocka_unit_test(tunnels_come_and_go),
        cmocka_unit_test(no_answer_in_time),
        cmocka_unit_test(the_loop_wakes_for_it),
        cmocka_unit_test(so_many_at_once),
        cmocka_unit_test(cancelled),
        cmocka_unit_test(asks_again_from_within),
        cmocka_unit_test(as_fast_as_it_goes),
        cmocka_unit_test(datagrams_that_do_not_arrive),
        cmocka_unit_test(an_end_that_does_not_heed_it),
        cmocka_unit_test(what_ends_the_tunnel),
        cmocka_unit_test(the_session_lasts_as_long_as_the_tunnel),
        cmocka_unit_test(at_most_one_and_by_this_name),
        cmocka_unit_test(floods),
        cmocka_unit_test(what_is_taken_is_confirmed_if_both_can),
        cmocka_unit_test(left_for_another_tunnel),
        cmocka_unit_test(who_does_not_heed_it_is_not_told),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
