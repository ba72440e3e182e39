// SPDX-License-Identifier: GPL-2.0-or-later
// Streams of sessions that we open for an application that has connected to us: the other end is a dial and a real server,
// so every application here goes all the way through two relays.
#include "dial_rig.h"

#include "edge/relay/stream.h"

static const struct dial_config plain;
static const char allowed[] = "127.0.0.0/8";

// Our end of an application's connection, as an edge that listens would have it.
struct entrance {
    struct relay_stream stream; // first
    struct endpoint inside;
    bool opened;
};

static bool hello; // said to the application when it is open

static void on_opened(struct relay_flow *flow)
{
    struct entrance *entrance = (struct entrance *)flow;
    entrance->opened = true;
    if (hello)
        assert_int_equal(send(entrance->stream.watch.fd, "hello", 5, MSG_NOSIGNAL), 5);
}

static unsigned refusals; // `entrance` is gone when a test looks
static enum usher_word refused_word;
static char refused_text[256];

static void on_refused(struct relay_flow *flow, enum usher_word word, const char *text)
{
    struct relay_stream *stream = (struct relay_stream *)flow;
    refusals++;
    refused_word = word;
    snprintf(refused_text, sizeof refused_text, "%s", text);
    assert_int_equal(send(stream->watch.fd, "no", 2, MSG_NOSIGNAL), 2);
    relay_stream_close(stream, false);
}

static void on_abandon(struct relay_flow *flow)
{
    relay_stream_close((struct relay_stream *)flow, true);
}

static const struct endpoint *inside(const struct relay_flow *flow)
{
    return &((const struct entrance *)flow)->inside;
}

static struct relay_kind kind = {
    .expired = relay_stream_expired,
    .abandon = on_abandon,
    .inside = inside,
    .opened = on_opened,
    .refused = on_refused,
};

static struct rig *rig;

static int setup(void **state)
{
    (void)state;
    rig = rig_new(allowed, plain);
    kind.relay = rig_add_relay(rig);
    hello = false;
    refusals = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_free(rig);
    return 0;
}

// An application that has connected to us: its end. Its session goes to `to`.
static int connect_to(const struct endpoint *to, struct entrance **out)
{
    struct endpoint at;
    int listener = serve("127.0.0.1", SOCK_STREAM, &at), fd = socket_stream(4), accepted = -1;
    assert_true(socket_connect(fd, &at) >= 0);
    pump(rig, (accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0);
    close(listener);
    const struct usher_open open = {.protocol = USHER_TCP, .addr = to->addr, .port = to->port};
    struct entrance *entrance = (struct entrance *)relay_stream_add(&kind, sizeof *entrance, &open);
    assert_true(socket_local(fd, &entrance->inside));
    entrance->stream.flow.opening.session = usher_session_open(rig->portal, &open, &relay_stream_ops, entrance);
    assert_non_null(entrance->stream.flow.opening.session);
    assert_true(relay_stream_join(&entrance->stream, accepted));
    *out = entrance;
    return fd;
}

// The same, up to the server: that one's end too.
static int connect_through(int *server, struct entrance **out)
{
    struct endpoint at;
    int listener = serve("127.0.0.2", SOCK_STREAM, &at), fd = connect_to(&at, out);
    *server = -1;
    pump(rig, (*out)->opened && (*server >= 0 || (*server = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0));
    close(listener);
    return fd;
}

static bool is_over(void)
{
    return rig->relay->count == 0 && exchange_flows(rig->exchange) == 0;
}

static void bytes_go_both_ways_and_each_end_is_told(void **state)
{
    (void)state;
    enum { MUCH = 3 << 20 };
    struct entrance *entrance;
    uint64_t put = 0, got = 0, back = 0, returned = 0;
    bool end = false;
    int server, fd = connect_through(&server, &entrance);
    while (!write_pattern(fd, &put, MUCH)) {
        turn(rig, UV_RUN_NOWAIT);
        read_pattern(server, &got);
    }
    shutdown(fd, SHUT_WR);
    pump(rig, (end = end || read_pattern(server, &got)));
    assert_int_equal(got, MUCH);
    while (!write_pattern(server, &back, MUCH)) { // the other direction goes on
        turn(rig, UV_RUN_NOWAIT);
        read_pattern(fd, &returned);
    }
    close(server);
    end = false;
    pump(rig, (end = end || read_pattern(fd, &returned)));
    assert_int_equal(returned, MUCH);
    pump(rig, is_over());
    close(fd);
}

static void what_comes_before_the_answer_waits(void **state)
{
    (void)state;
    struct endpoint at;
    struct entrance *entrance;
    uint64_t put = 0, got = 0;
    bool end = false;
    int listener = serve("127.0.0.2", SOCK_STREAM, &at), fd = connect_to(&at, &entrance), server = -1;
    assert_true(write_pattern(fd, &put, 5000));
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 5; i++)
        uv_run(&rig->loop, UV_RUN_NOWAIT); // the socket is heard while the session is pending
    assert_true(entrance->stream.flow.pending && entrance->stream.flow.readable);
    pump(rig, (server = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0);
    pump(rig, (end = end || read_pattern(server, &got)));
    assert_int_equal(got, 5000);
    close(server);
    pump(rig, is_over());
    close(listener);
    close(fd);
}

static void the_owner_speaks_before_the_far_end(void **state)
{
    (void)state;
    struct entrance *entrance;
    char bytes[16] = "";
    ssize_t n = 0;
    hello = true;
    int server, fd = connect_through(&server, &entrance);
    assert_int_equal(send(server, " there", 6, MSG_NOSIGNAL), 6);
    pump(rig, (n = recv(fd, bytes, sizeof bytes, MSG_PEEK)) >= 11);
    assert_string_equal(bytes, "hello there");
    close(server);
    close(fd);
    pump(rig, is_over());
}

static void a_refusal_is_the_owners_to_tell(void **state)
{
    (void)state;
    struct endpoint at;
    struct entrance *entrance;
    char bytes[16], want[128], text[ENDPOINT_TEXT_SIZE];
    ssize_t n = -1;
    close(serve("127.0.0.2", SOCK_STREAM, &at)); // nobody is there any more
    int fd = connect_to(&at, &entrance);
    pump(rig, (n = recv(fd, bytes, sizeof bytes, 0)) >= 0);
    assert_int_equal(n, 2);
    assert_memory_equal(bytes, "no", 2);
    pump(rig, (n = recv(fd, bytes, sizeof bytes, 0)) >= 0);
    assert_int_equal(n, 0); // in order
    assert_int_equal(refusals, 1);
    assert_int_equal(refused_word, USHER_REFUSED);
    snprintf(want, sizeof want, "%s: Connection refused", endpoint_text(&at, text));
    assert_string_equal(refused_text, want);
    assert_true(is_over());
    close(fd);
}

static void a_reset_goes_through(void **state)
{
    (void)state;
    struct entrance *entrance;
    char byte;
    int server, fd = connect_through(&server, &entrance);
    socket_close_reset(server);
    pump(rig, recv(fd, &byte, 1, 0) < 0 && errno == ECONNRESET);
    pump(rig, is_over());
    close(fd);
    fd = connect_through(&server, &entrance);
    socket_close_reset(fd);
    pump(rig, recv(server, &byte, 1, 0) < 0 && errno == ECONNRESET);
    pump(rig, is_over());
    close(server);
}

static void a_lost_tunnel_is_a_reset(void **state)
{
    (void)state;
    struct entrance *entrance;
    char byte;
    int server, fd = connect_through(&server, &entrance);
    usher_engine_end(rig->portal, "test");
    assert_int_equal(recv(fd, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(rig->relay->count, 0);
    assert_int_equal(refusals, 0);
    close(server);
    close(fd);
}

static void a_tunnel_lost_before_the_answer_is_a_refusal(void **state)
{
    (void)state;
    struct endpoint at;
    struct entrance *entrance;
    int listener = serve("127.0.0.2", SOCK_STREAM, &at), fd = connect_to(&at, &entrance);
    usher_engine_end(rig->portal, "test");
    assert_int_equal(refusals, 1);
    assert_int_equal(rig->relay->count, 0);
    close(listener);
    close(fd);
}

// Nobody is left to be answered, but the session is not given up before its own answer: an application that does so again
// and again is none of the tunnel's business.
static void an_application_that_goes_before_the_answer(void **state)
{
    (void)state;
    enum { TIMES = 1500 }; // more than the peer's patience with sessions that end before they begin
    struct endpoint at;
    struct entrance *entrance;
    int listener = serve("127.0.0.2", SOCK_STREAM, &at);
    for (int i = 0; i < TIMES; i++) {
        int fd = connect_to(&at, &entrance), server = -1;
        assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
        socket_close_reset(fd);
        uv_run(&rig->loop, UV_RUN_NOWAIT); // heard before the session has been asked for
        assert_true(entrance->stream.flow.broken);
        pump(rig, is_over());
        if ((server = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
            close(server);
    }
    assert_int_equal(usher_engine_counters(rig->gate)->glitches, 0);
    assert_true(usher_engine_is_running(rig->portal));
    assert_int_equal(refusals, 0);
    close(listener);
}

// The same with a far end that refuses.
static void an_application_that_goes_before_it_is_refused(void **state)
{
    (void)state;
    struct endpoint at;
    struct entrance *entrance;
    close(serve("127.0.0.2", SOCK_STREAM, &at));
    int fd = connect_to(&at, &entrance);
    socket_close_reset(fd);
    uv_run(&rig->loop, UV_RUN_NOWAIT);
    pump(rig, is_over());
    assert_int_equal(refusals, 0);
}

struct seen {
    unsigned count;
    struct flow_info info;
};

static void see(void *arg, const struct flow_info *info)
{
    struct seen *seen = arg;
    seen->count++;
    seen->info = *info;
}

static void flows_are_listed_from_inside_out(void **state)
{
    (void)state;
    struct entrance *entrance;
    struct seen seen = {0};
    uint64_t put = 0, got = 0;
    int server, fd = connect_through(&server, &entrance);
    assert_true(write_pattern(fd, &put, 1000));
    pump(rig, (read_pattern(server, &got), got == 1000));
    relay_each_flow(rig->relay, see, &seen, clock_now());
    assert_int_equal(seen.count, 1);
    assert_true(endpoint_equal(&seen.info.inside, &entrance->inside));
    assert_true(endpoint_equal(&seen.info.outside, &entrance->stream.flow.outside));
    assert_int_equal(seen.info.bytes_out, 1000);
    assert_int_equal(seen.info.bytes_in, 0);
    assert_string_equal(seen.info.state, "active");
    close(server);
    close(fd);
    pump(rig, is_over());
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(bytes_go_both_ways_and_each_end_is_told),
        TEST(what_comes_before_the_answer_waits),
        TEST(the_owner_speaks_before_the_far_end),
        TEST(a_refusal_is_the_owners_to_tell),
        TEST(a_reset_goes_through),
        TEST(a_lost_tunnel_is_a_reset),
        TEST(a_tunnel_lost_before_the_answer_is_a_refusal),
        TEST(an_application_that_goes_before_the_answer),
        TEST(an_application_that_goes_before_it_is_refused),
        TEST(flows_are_listed_from_inside_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
