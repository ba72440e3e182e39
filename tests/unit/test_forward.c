// SPDX-License-Identifier: GPL-2.0-or-later
// Forwards on an exchange of their own; the other end is a dial and real servers.
#include "dial_rig.h"

#include "edge/listen/forward/forward.h"
#include "os/log.h"

#include <poll.h>

static const struct dial_config plain;
static const char allowed[] = "127.0.0.0/8";

enum { FLOWS_MAX = 2, HOLD_MS = 100 };

static struct rig *rig;
static struct exchange *exchange;
static struct forward *forward;
static uint64_t refused, limited;

static int setup(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    rig = rig_new(allowed, plain);
    const struct exchange_config around = {.hold_ms = HOLD_MS, .wake = rig_wake, .owner = rig};
    const struct forward_config config = {.loop = &rig->loop,
                                          .poller = rig->poller,
                                          .max_flows = FLOWS_MAX,
                                          .udp_idle_ms = UDP_IDLE_MS,
                                          .udp_dns_idle_ms = DNS_IDLE_MS};
    exchange = exchange_new(&rig->loop, &around);
    forward = forward_new(&config);
    exchange_add(exchange, forward_edge(forward));
    exchange_attach(exchange, rig->portal);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    usher_engine_end(rig->portal, "test");
    exchange_detach(exchange);
    exchange_free(exchange);
    rig_free(rig);
    return 0;
}

// Its own turn, in front of what is waited for.
static bool side(void)
{
    usec_t now = clock_now();
    exchange_before_pull(exchange, now);
    exchange_after_pull(exchange, false, now);
    return true;
}

static void hear(struct facts *facts, const struct fact *fact)
{
    (void)facts;
    refused = strcmp(fact->name, "forwards_refused") ? refused : fact->value;
    limited = strcmp(fact->name, "forwards_limited") ? limited : fact->value;
}

static void begin(struct facts *facts, enum facts_level level, const char *name)
{
    (void)facts;
    (void)level;
    (void)name;
}

static void end(struct facts *facts)
{
    (void)facts;
}

static void count(void)
{
    static const struct facts_ops ops = {.fact = hear, .begin = begin, .end = end};
    struct facts facts = {.ops = &ops};
    exchange_describe(exchange, &facts);
}

// A port of ours that leads to `to`; or, without that, to a name that nobody resolves.
static struct endpoint lead(uint16_t protocol, const struct endpoint *to)
{
    struct endpoint at = {.addr = {.version = 4, .bytes = {127, 0, 0, 1}}};
    struct usher_open open = {.protocol = protocol, .host = "db.example", .by_name = !to, .port = 22};
    struct fault fault;
    int fd = protocol == USHER_TCP ? socket_listen(&at, 16, &fault) : socket_bound_datagram(&at, &fault);
    assert_true(fd >= 0 && socket_local(fd, &at));
    if (to) {
        open.addr = to->addr;
        open.port = to->port;
    }
    assert_true(forward_add(forward, fd, &open));
    return at;
}

static int application(uint16_t protocol, const struct endpoint *at)
{
    int fd = protocol == USHER_TCP ? socket_stream(4) : socket_datagram(4);
    assert_true(socket_connect(fd, at) >= 0);
    assert_int_equal(send(fd, "early", 5, MSG_NOSIGNAL), 5);
    return fd;
}

static bool is_reset(int fd)
{
    char byte;
    return recv(fd, &byte, 1, 0) < 0 && errno == ECONNRESET;
}

static bool has(int fd, const char *text)
{
    char bytes[64] = "";
    return recv(fd, bytes, sizeof bytes - 1, MSG_PEEK) > 0 && !strcmp(bytes, text);
}

static void what_comes_is_opened(void **state)
{
    (void)state;
    struct endpoint far;
    int listener = serve("127.0.0.2", SOCK_STREAM, &far), server = -1;
    struct endpoint at = lead(USHER_TCP, &far);
    int fd = application(USHER_TCP, &at);
    pump(rig, side() && (server >= 0 || (server = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0));
    pump(rig, side() && has(server, "early"));
    close(server);
    close(fd);
    pump(rig, side() && exchange_flows(exchange) == 0);
    close(listener);

    server = serve("127.0.0.2", SOCK_DGRAM, &far);
    at = lead(USHER_UDP, &far);
    fd = application(USHER_UDP, &at);
    pump(rig, side() && has(server, "early"));
    assert_int_equal(exchange_flows(exchange), 1);
    close(server);
    close(fd);
}

static void what_is_refused_is_a_reset(void **state)
{
    (void)state;
    struct endpoint far = {.addr = {.version = 4, .bytes = {10, 9, 9, 9}}, .port = 9}; // no rule allows it
    const struct endpoint at[] = {lead(USHER_TCP, &far), lead(USHER_TCP, NULL)};
    for (size_t i = 0; i < COUNT(at); i++) {
        int fd = application(USHER_TCP, &at[i]);
        pump(rig, side() && is_reset(fd));
        close(fd);
    }
    count();
    assert_int_equal(refused, COUNT(at));
    pump(rig, side() && exchange_flows(exchange) == 0);
}

// One open for all of them, and another when a second has passed.
static void refused_datagrams_are_tried_again_later(void **state)
{
    (void)state;
    struct endpoint far = {.addr = {.version = 4, .bytes = {10, 9, 9, 9}}, .port = 9};
    const struct endpoint at = lead(USHER_UDP, &far);
    int fd = application(USHER_UDP, &at);
    pump(rig, side() && (count(), refused == 1));
    for (int i = 0; i < 20; i++)
        send(fd, "again", 5, 0);
    for (int i = 0; i < 20; i++) {
        side();
        turn(rig, UV_RUN_NOWAIT);
    }
    assert_int_equal(usher_engine_counters(rig->portal)->sessions_opened, 1);
    pump(rig, side() && exchange_flows(exchange) == 0);
    send(fd, "again", 5, 0);
    pump(rig, side() && (count(), refused == 2));
    close(fd);
}

static void more_than_may_be_are_reset(void **state)
{
    (void)state;
    struct endpoint far;
    int fds[FLOWS_MAX + 1], listener = serve("127.0.0.2", SOCK_STREAM, &far);
    const struct endpoint at = lead(USHER_TCP, &far);
    for (int i = 0; i <= FLOWS_MAX; i++)
        fds[i] = application(USHER_TCP, &at);
    pump(rig, side() && is_reset(fds[FLOWS_MAX]));
    count();
    assert_int_equal(limited, 1);
    assert_int_equal(exchange_flows(exchange), FLOWS_MAX);
    for (int i = 0; i <= FLOWS_MAX; i++)
        close(fds[i]);
    close(listener);
    pump(rig, side() && exchange_flows(exchange) == 0);
}

static void see(void *arg, const struct flow_info *info)
{
    *(struct flow_info *)arg = *info;
}

// It waits, with what it says and whatever becomes of it; the far end's name is in the list.
static void without_a_tunnel_it_waits(void **state)
{
    (void)state;
    struct endpoint far;
    struct flow_info info = {0};
    int listener = serve("127.0.0.2", SOCK_STREAM, &far), server = -1;
    const struct endpoint at = lead(USHER_TCP, &far), named = lead(USHER_TCP, NULL);
    exchange_detach(exchange);
    int fd = application(USHER_TCP, &named);
    pump(rig, side() && exchange_is_holding(exchange));
    exchange_each_flow(exchange, see, &info, clock_now());
    assert_string_equal(info.state, "waiting");
    assert_string_equal(info.host, "db.example");
    socket_close_reset(fd); // it gives up
    pump(rig, side() && exchange_flows(exchange) == 0);
    assert_false(exchange_is_holding(exchange));

    fd = application(USHER_TCP, &at);
    pump(rig, side() && is_reset(fd)); // none has come in time
    close(fd);

    fd = application(USHER_TCP, &at);
    pump(rig, side() && exchange_is_holding(exchange));
    exchange_attach(exchange, rig->portal);
    pump(rig, side() && (server >= 0 || (server = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0));
    pump(rig, side() && has(server, "early"));
    close(server);
    close(fd);
    close(listener);
    pump(rig, side() && exchange_flows(exchange) == 0);
}

static bool is_nobody_there(uint16_t protocol, const struct endpoint *at)
{
    int fd = protocol == USHER_TCP ? socket_stream(4) : socket_datagram(4);
    int error = socket_connect(fd, at) < 0 ? errno : 0;
    struct pollfd news = {.fd = fd, .events = protocol == USHER_TCP ? POLLOUT : POLLIN};
    socklen_t len = sizeof error;
    if (protocol == USHER_UDP)
        send(fd, "", 1, 0);
    if (!error && poll(&news, 1, 1000) == 1)
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    close(fd);
    return error == ECONNREFUSED;
}

// Of two ports the one that is closed: open flows, and those that wait for a tunnel. The other one is left alone.
static void a_port_that_is_closed(void **state)
{
    (void)state;
    struct endpoint far;
    int listener = serve("127.0.0.2", SOCK_STREAM, &far), servers[2] = {-1, -1};
    const struct endpoint at[] = {lead(USHER_TCP, &far), lead(USHER_TCP, &far)};
    int fds[2];
    for (size_t i = 0; i < 2; i++) {
        fds[i] = application(USHER_TCP, &at[i]);
        pump(rig, side() && (servers[i] >= 0 || (servers[i] = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0));
    }
    forward_close(forward, USHER_UDP, &at[0]); // is no such port
    forward_close(forward, USHER_TCP, &far);   // nor is this
    assert_int_equal(exchange_flows(exchange), 2);
    forward_close(forward, USHER_TCP, &at[0]);
    pump(rig, side() && is_reset(fds[0]));
    pump(rig, side() && recv(servers[0], fds, 0, MSG_PEEK) < 0 && errno == ECONNRESET);
    assert_true(is_nobody_there(USHER_TCP, &at[0]));
    assert_int_equal(exchange_flows(exchange), 1);
    assert_int_equal(send(fds[1], "more", 4, MSG_NOSIGNAL), 4);
    pump(rig, side() && has(servers[1], "earlymore"));
    for (size_t i = 0; i < 2; i++) {
        close(fds[i]);
        close(servers[i]);
    }
    pump(rig, side() && exchange_flows(exchange) == 0);

    exchange_detach(exchange);
    fds[1] = application(USHER_TCP, &at[1]);
    pump(rig, side() && exchange_is_holding(exchange));
    forward_close(forward, USHER_TCP, &at[1]);
    pump(rig, side() && is_reset(fds[1]));
    assert_false(exchange_is_holding(exchange));
    close(fds[1]);
    close(listener);
}

static void a_port_of_datagrams_that_is_closed(void **state)
{
    (void)state;
    struct endpoint far;
    int server = serve("127.0.0.2", SOCK_DGRAM, &far);
    struct endpoint at = lead(USHER_UDP, &far);
    int fd = application(USHER_UDP, &at);
    pump(rig, side() && has(server, "early"));
    forward_close(forward, USHER_UDP, &at);
    pump(rig, side() && exchange_flows(exchange) == 0);
    assert_true(is_nobody_there(USHER_UDP, &at));
    close(fd);

    exchange_detach(exchange);
    at = lead(USHER_UDP, &far);
    fd = application(USHER_UDP, &at);
    pump(rig, side() && exchange_is_holding(exchange));
    forward_close(forward, USHER_UDP, &at);
    assert_false(exchange_is_holding(exchange));
    assert_int_equal(exchange_flows(exchange), 0);
    close(fd);
    close(server);
}

// What was open is reset, what comes next goes to the other far end.
static void a_port_that_leads_elsewhere(void **state)
{
    (void)state;
    static const uint16_t protocols[] = {USHER_TCP, USHER_UDP};
    for (size_t i = 0; i < COUNT(protocols); i++) {
        int type = protocols[i] == USHER_TCP ? SOCK_STREAM : SOCK_DGRAM, server = -1;
        struct endpoint old, new;
        int before = serve("127.0.0.2", type, &old), after = serve("127.0.0.2", type, &new);
        const struct endpoint at = lead(protocols[i], &old);
        int fd = application(protocols[i], &at);
        pump(rig, side() && usher_engine_counters(rig->portal)->sessions_opened == 2 * i + 1);
        pump(rig, side() && exchange_flows(exchange) == 1);
        forward_lead(forward, &at, &(struct usher_open){.protocol = protocols[i], .addr = new.addr, .port = new.port});
        pump(rig, side() && exchange_flows(exchange) == 0 && (type == SOCK_DGRAM || is_reset(fd)));
        close(fd);
        fd = application(protocols[i], &at);
        if (type == SOCK_STREAM)
            pump(rig, side() && (server >= 0 || (server = accept4(after, NULL, NULL, SOCK_NONBLOCK)) >= 0));
        pump(rig, side() && has(type == SOCK_STREAM ? server : after, "early"));
        close(fd);
        close(server);
        close(before);
        close(after);
        forward_close(forward, protocols[i], &at);
        pump(rig, side() && exchange_flows(exchange) == 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_comes_is_opened),
        TEST(what_is_refused_is_a_reset),
        TEST(refused_datagrams_are_tried_again_later),
        TEST(more_than_may_be_are_reset),
        TEST(without_a_tunnel_it_waits),
        TEST(a_port_that_is_closed),
        TEST(a_port_of_datagrams_that_is_closed),
        TEST(a_port_that_leads_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
