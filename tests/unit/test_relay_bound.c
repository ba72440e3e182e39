// SPDX-License-Identifier: GPL-2.0-or-later
// A bound UDP socket and the applications behind it: to one far end, as a forward, or to many, each named in front of the
// bytes. The other end is a dial and real servers.
#include "dial_rig.h"

#include "edge/relay/bound.h"

static const struct dial_config plain = {.udp_offload = true};
static const char allowed[] = "127.0.0.0/8";

static struct rig *rig;
static struct relay_bound bound;
static struct endpoint at, far; // of the bound socket; of the server
static unsigned refusals, opens;

static void on_refused(struct relay_flow *flow, enum usher_word word, const char *text)
{
    (void)word;
    (void)text;
    refusals++;
    relay_source_close((struct relay_source *)flow);
}

static struct relay_kind kind = {
    .expired = relay_source_expired,
    .abandon = relay_source_abandon,
    .inside = relay_source_inside,
    .refused = on_refused,
};

static struct relay_source *open_source(const struct endpoint *inside, const struct usher_open *open)
{
    struct relay_source *source = relay_source_add(&bound, &kind, sizeof(struct relay_source), inside, open);
    source->flow.opening.session = usher_session_open(rig->portal, open, &relay_source_ops, source);
    assert_non_null(source->flow.opening.session);
    opens++;
    return source;
}

// All that comes goes to one place.
static struct relay_source *route_forward(struct relay_bound *of, struct usher_datagram *datagram)
{
    const struct usher_open open = {.protocol = USHER_UDP, .addr = far.addr, .port = far.port};
    struct relay_source *source = relay_source_find(of, &datagram->from, NULL);
    return source ? source : open_source(&datagram->from, &open);
}

static const struct relay_bound_ops forward = {.route = route_forward};

// The first two bytes of each datagram are the far port, there and back.
static struct relay_source *route_by_port(struct relay_bound *of, struct usher_datagram *datagram)
{
    if (datagram->len < 2)
        return NULL;
    const struct usher_open open = {.protocol = USHER_UDP, .addr = far.addr, .port = far.port};
    datagram->to.addr = far.addr;
    datagram->to.port = (uint16_t)(datagram->bytes[0] << 8 | datagram->bytes[1]);
    datagram->bytes += 2;
    datagram->len -= 2;
    struct relay_source *source = relay_source_find(of, &datagram->from, &far);
    return source ? source : open_source(&datagram->from, &open);
}

static void answer_with_port(struct relay_source *source, const struct usher_datagram *datagram)
{
    uint8_t bytes[64] = {(uint8_t)(datagram->from.port >> 8), (uint8_t)datagram->from.port};
    memcpy(bytes + 2, datagram->bytes, datagram->len);
    relay_source_send(source, bytes, datagram->len + 2);
}

static const struct relay_bound_ops by_port = {.route = route_by_port, .answer = answer_with_port};

static void begin(const struct relay_bound_ops *ops)
{
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    refusals = opens = 0;
    rig = rig_new(allowed, plain);
    kind.relay = rig_add_relay(rig);
    int fd = socket_datagram(4);
    assert_int_equal(bind(fd, (const struct sockaddr *)&any, sizeof any), 0);
    assert_true(socket_local(fd, &at));
    assert_true(relay_bound_open(&bound, rig->relay, fd, ops));
}

static void finish(void)
{
    usher_engine_end(rig->portal, "the end"); // its sources go with it
    assert_int_equal(rig->relay->count, 0);
    relay_bound_close(&bound);
    rig_free(rig);
}

static int application(void)
{
    int fd = socket_datagram(4);
    assert_true(socket_connect(fd, &at) >= 0);
    return fd;
}

static void say(int fd, const char *text, size_t len)
{
    assert_int_equal(send(fd, text, len, 0), (ssize_t)len);
}

// What the server gets next; answers it with `answer`, if there is one.
static void expect_at(int server, const char *text, const char *answer)
{
    char bytes[64] = "";
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    ssize_t n = -1;
    pump(rig, (n = recvfrom(server, bytes, sizeof bytes - 1, MSG_DONTWAIT, (struct sockaddr *)&from, &len)) >= 0);
    assert_string_equal(bytes, text);
    if (answer)
        sendto(server, answer, strlen(answer), 0, (struct sockaddr *)&from, len);
}

static void expect(int fd, const char *bytes, size_t size)
{
    char got[64];
    ssize_t n = -1;
    pump(rig, (n = recv(fd, got, sizeof got, MSG_DONTWAIT)) >= 0);
    assert_int_equal(n, (ssize_t)size);
    assert_memory_equal(got, bytes, size);
}

static void every_application_has_its_own(void **state)
{
    (void)state;
    begin(&forward);
    int server = serve("127.0.0.2", SOCK_DGRAM, &far), a = application(), b = application();
    say(a, "one", 3);
    expect_at(server, "one", "1");
    say(b, "two", 3);
    expect_at(server, "two", "2");
    expect(a, "1", 1);
    expect(b, "2", 1);
    say(a, "three", 5);
    expect_at(server, "three", NULL);
    assert_int_equal(opens, 2);
    assert_int_equal(rig->relay->count, 2);
    assert_int_equal(exchange_flows(rig->exchange), 2);
    close(a);
    close(b);
    close(server);
    finish();
}

// Some of them come before the session is open, and all of them in one call.
static void what_comes_at_once_arrives_in_order(void **state)
{
    (void)state;
    begin(&forward);
    int server = serve("127.0.0.2", SOCK_DGRAM, &far), a = application();
    for (char c = 'a'; c < 'k'; c++)
        say(a, &c, 1);
    for (char c = 'a'; c < 'k'; c++)
        expect_at(server, (const char[2]){c}, NULL);
    assert_int_equal(opens, 1);
    close(a);
    close(server);
    finish();
}

static void one_application_has_many_far_ends(void **state)
{
    (void)state;
    begin(&by_port);
    struct endpoint other;
    int second = serve("127.0.0.2", SOCK_DGRAM, &other), server = serve("127.0.0.2", SOCK_DGRAM, &far);
    int a = application();
    const char to_first[] = {(char)(far.port >> 8), (char)far.port, 'x'};
    const char to_second[] = {(char)(other.port >> 8), (char)other.port, 'y'};
    say(a, to_first, 3);
    expect_at(server, "x", "x");
    expect(a, to_first, 3);
    say(a, to_second, 3);
    expect_at(second, "y", "y");
    expect(a, to_second, 3);
    say(a, "z", 1); // names no far end
    settle(rig, 20);
    assert_int_equal(opens, 1);
    close(a);
    close(server);
    close(second);
    finish();
}

static void a_refusal_is_told_to_the_owner(void **state)
{
    (void)state;
    begin(&forward);
    assert_true(address_parse(&far.addr, "10.9.9.9")); // no rule allows it
    far.port = 9;
    int a = application();
    say(a, "one", 3);
    pump(rig, refusals == 1);
    assert_int_equal(rig->relay->count, 0);
    close(a);
    finish();
}

static void idle_sources_close_and_begin_anew(void **state)
{
    (void)state;
    begin(&forward);
    int server = serve("127.0.0.2", SOCK_DGRAM, &far), a = application();
    say(a, "one", 3);
    expect_at(server, "one", NULL);
    rig->skew_ms = UDP_IDLE_MS + 1000;
    pump(rig, rig->relay->count == 0 && exchange_flows(rig->exchange) == 0);
    say(a, "two", 3);
    expect_at(server, "two", "2");
    expect(a, "2", 1);
    assert_int_equal(opens, 2);
    close(a);
    close(server);
    finish();
}

// Its port refuses what the far end answers; the others are not concerned.
static void an_application_that_has_gone_ends_its_session(void **state)
{
    (void)state;
    begin(&forward);
    int server = serve("127.0.0.2", SOCK_DGRAM, &far), a = application(), b = application();
    say(b, "two", 3);
    expect_at(server, "two", NULL);
    say(a, "one", 3);
    pump(rig, rig->relay->count == 2 && exchange_flows(rig->exchange) == 2 && rig->relay->pending == 0);
    close(a);
    expect_at(server, "one", "1");
    pump(rig, rig->relay->count == 1 && exchange_flows(rig->exchange) == 1);
    say(b, "more", 4);
    expect_at(server, "more", "3");
    expect(b, "3", 1);
    close(b);
    close(server);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_application_has_its_own),
        cmocka_unit_test(what_comes_at_once_arrives_in_order),
        cmocka_unit_test(one_application_has_many_far_ends),
        cmocka_unit_test(a_refusal_is_told_to_the_owner),
        cmocka_unit_test(idle_sources_close_and_begin_anew),
        cmocka_unit_test(an_application_that_has_gone_ends_its_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
