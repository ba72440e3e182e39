// SPDX-License-Identifier: GPL-2.0-or-later
// SOCKS clients over real sockets; the other end is a dial and real servers on loopback.
#include "dial_rig.h"

#include "edge/listen/socks/message.h"
#include "edge/listen/socks/socks.h"

enum { HOLD_MS = 300, HANDSHAKE_MS = 10000, GUESS_PAUSE_MS = 2000, MAX_FLOWS = 300, SOURCES_MAX = 256 };

static const struct dial_config plain = {.udp_offload = true};
static const char allowed[] = "127.0.0.0/8, ::1/128";

static struct rig *rig;
static struct socks *socks;
static struct endpoint at; // where it listens

static void begin(const char *allow, const char *password)
{
    static struct prefix prefix;
    struct fault fault;
    struct endpoint any = {.port = 0};
    rig = rig_new(allowed, plain);
    assert_true(prefix_parse(&prefix, allow));
    const struct socks_config config = {
        .poller = rig->poller,
        .allow = &prefix,
        .allow_count = 1,
        .user = password ? "ali" : NULL,
        .password = password,
        .max_flows = MAX_FLOWS,
        .udp_idle_ms = UDP_IDLE_MS,
        .udp_dns_idle_ms = DNS_IDLE_MS,
        .udp_offload = true,
    };
    socks = socks_new(&rig->loop, &config);
    exchange_add(rig_add_entrances(rig, HOLD_MS), socks_edge(socks));
    assert_true(address_parse(&any.addr, "127.0.0.1"));
    int fd = socket_listen(&any, 16, &fault);
    assert_true(socket_local(fd, &at));
    socks_listen(socks, fd);
}

static int client(void)
{
    int fd = socket_stream(4);
    assert_true(socket_connect(fd, &at) >= 0);
    return fd;
}

static void say(int fd, const void *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}
#define SAY(fd, ...) say(fd, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void expect(int fd, const void *bytes, size_t len)
{
    uint8_t got[64];
    ssize_t n = -1;
    pump(rig, (n = recv(fd, got, len, MSG_PEEK)) >= (ssize_t)len || n == 0 || (n < 0 && errno != EAGAIN));
    assert_int_equal(n, (ssize_t)len);
    assert_memory_equal(got, bytes, len);
    recv(fd, got, len, 0);
}
#define EXPECT(fd, ...)       expect(fd, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define EXPECT_CODE(fd, code) EXPECT(fd, 5, code, 0, 1, 0, 0, 0, 0, 0, 0)

// In order; a reset would have taken along what is read before.
static void expect_end(int fd)
{
    char byte;
    ssize_t n = -1;
    pump(rig, (n = recv(fd, &byte, 1, 0)) >= 0 || errno != EAGAIN);
    assert_int_equal(n, 0);
    close(fd);
}

static void expect_reset(int fd)
{
    char byte;
    pump(rig, recv(fd, &byte, 1, 0) < 0 && errno == ECONNRESET);
    close(fd);
}

static uint32_t flows(void)
{
    return exchange_flows(rig->entrances);
}

static void ask(int fd, uint8_t command, const struct endpoint *far)
{
    SAY(fd, 5, 1, 0);
    SAY(fd, 5, command, 0, 1, far->addr.bytes[0], far->addr.bytes[1], far->addr.bytes[2], far->addr.bytes[3],
        (uint8_t)(far->port >> 8), (uint8_t)far->port);
}

// A client that has asked for a new server: the server's listener.
static int ask_server(int fd, struct endpoint *far)
{
    int listener = serve("127.0.0.2", SOCK_STREAM, far);
    ask(fd, SOCKS_CONNECT, far);
    return listener;
}

static int accept_at(int listener)
{
    int server = -1;
    pump(rig, (server = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0);
    close(listener);
    return server;
}

static void version_5(void **state)
{
    (void)state;
    struct endpoint far;
    begin("127.0.0.1/32", NULL);
    int fd = client(), listener = ask_server(fd, &far);
    say(fd, "early", 5);
    int server = accept_at(listener);
    EXPECT(fd, 5, 0);
    EXPECT_CODE(fd, 0);
    expect(server, "early", 5);
    say(server, "late", 4);
    expect(fd, "late", 4);
    shutdown(fd, SHUT_WR);
    expect_end(server);
    expect_end(fd);
    pump(rig, flows() == 0);
    rig_free(rig);
}

static void version_4(void **state)
{
    (void)state;
    struct endpoint far;
    begin("127.0.0.1/32", NULL);
    int fd = client(), listener = serve("127.0.0.2", SOCK_STREAM, &far);
    SAY(fd, 4, 1, (uint8_t)(far.port >> 8), (uint8_t)far.port, 127, 0, 0, 2, 'm', 'e', 0, 'h', 'i');
    int server = accept_at(listener);
    EXPECT(fd, 0, 0x5a, 0, 0, 0, 0, 0, 0);
    expect(server, "hi", 2);
    close(server);
    expect_end(fd);
    rig_free(rig);
}

static void what_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t said[24], said_len, told[16], told_len;
    } cases[] = {
        {{5, 1, 2}, 3, {5, 0xff}, 2},
        {{5, 1, 0, 5, 2, 0, 1, 127, 0, 0, 2, 0, 1}, 13, {5, 0, 5, 7, 0, 1, 0, 0, 0, 0, 0, 0}, 12},
        {{5, 1, 0, 5, 9, 0, 1, 127, 0, 0, 2, 0, 1}, 13, {5, 0, 5, 7, 0, 1, 0, 0, 0, 0, 0, 0}, 12},
        {{5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 2, 0, 0}, 13, {5, 0, 5, 1, 0, 1, 0, 0, 0, 0, 0, 0}, 12},
        {{5, 1, 0, 5, 1, 0, 1, 10, 9, 9, 9, 0, 1}, 13, {5, 0, 5, 2, 0, 1, 0, 0, 0, 0, 0, 0}, 12},
        {{5, 1, 0, 5, 1, 0, 9, 1}, 8, {5, 0, 5, 1, 0, 1, 0, 0, 0, 0, 0, 0}, 12},
        {{5, 1, 0, 4, 1, 0, 1, 127, 0, 0, 2, 0}, 12, {5, 0}, 2},
        {{4, 2, 0, 1, 127, 0, 0, 2, 0}, 9, {0, 0x5b, 0, 0, 0, 0, 0, 0}, 8},
        {{4, 3, 0, 1, 127, 0, 0, 2, 0}, 9, {0, 0x5b, 0, 0, 0, 0, 0, 0}, 8},
        {{4, 1, 0, 1, 10, 9, 9, 9, 0}, 9, {0, 0x5b, 0, 0, 0, 0, 0, 0}, 8},
    };
    begin("127.0.0.1/32", NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        int fd = client();
        say(fd, cases[i].said, cases[i].said_len);
        expect(fd, cases[i].told, cases[i].told_len);
        pump(rig, flows() == 0);
        close(fd);
    }
    rig_free(rig);
}

static void what_is_no_socks_is_closed(void **state)
{
    (void)state;
    begin("127.0.0.1/32", NULL);
    int fd = client();
    say(fd, "GET / HTTP/1.0\r\n\r\n", 18);
    expect_reset(fd);
    fd = client();
    SAY(fd, 5, 2, 0); // one method is missing
    shutdown(fd, SHUT_WR);
    expect_reset(fd);
    rig_free(rig);
}

static void strangers_are_not_heard(void **state)
{
    (void)state;
    begin("127.0.0.2/32", NULL);
    expect_reset(client());
    rig_free(rig);
}

static void handshakes_end(void **state)
{
    (void)state;
    begin("127.0.0.1/32", NULL);
    int fd = client();
    SAY(fd, 5, 1);
    settle(rig, 20);
    rig->skew_ms = HANDSHAKE_MS - 1000;
    settle(rig, 20);
    assert_true(recv(fd, &(char){0}, 1, 0) < 0 && errno == EAGAIN);
    rig->skew_ms = HANDSHAKE_MS + 1000;
    expect_reset(fd);
    fd = client(); // that goes by itself
    settle(rig, 20);
    close(fd);
    settle(rig, 20);
    rig_free(rig);
}

#define HELLO      5, 2, 0, 2
#define RIGHT      1, 3, 'a', 'l', 'i', 6, 's', 'e', 's', 'a', 'm', 'e'
#define WRONG      1, 3, 'a', 'l', 'i', 6, 's', 'e', 's', 'a', 'm', 'i'
#define WRONG_USER 1, 3, 'a', 'l', 'a', 6, 's', 'e', 's', 'a', 'm', 'e'
#define PREFIX     1, 3, 'a', 'l', 'i', 3, 's', 'e', 's'

static void a_password(void **state)
{
    (void)state;
    struct endpoint far;
    begin("127.0.0.1/32", "sesame");
    int fd = client(), listener = serve("127.0.0.2", SOCK_STREAM, &far);
    SAY(fd, HELLO, RIGHT, 5, 1, 0, 1, 127, 0, 0, 2, (uint8_t)(far.port >> 8), (uint8_t)far.port);
    int server = accept_at(listener);
    EXPECT(fd, 5, 2, 1, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0);
    close(server);
    expect_end(fd);
    fd = client();
    SAY(fd, 5, 1, 0);
    EXPECT(fd, 5, 0xff);
    expect_end(fd);
    fd = client(); // which has no words for it
    SAY(fd, 4, 1, 0, 80, 127, 0, 0, 2, 0);
    EXPECT(fd, 0, 0x5b, 0, 0, 0, 0, 0, 0);
    expect_end(fd);
    rig_free(rig);
}

static void guessing_is_slow(void **state)
{
    (void)state;
    enum { GUESSES = 8 };
    int guesses[GUESSES];
    begin("127.0.0.1/32", "sesame");
    for (int i = 0; i < GUESSES; i++) {
        guesses[i] = client();
        if (i % 3 == 0)
            SAY(guesses[i], HELLO, WRONG);
        else if (i % 3 == 1)
            SAY(guesses[i], HELLO, WRONG_USER);
        else
            SAY(guesses[i], HELLO, PREFIX);
        EXPECT(guesses[i], 5, 2);
    }
    settle(rig, 20);
    int right = client(); // too many of this source wait
    SAY(right, HELLO, RIGHT);
    EXPECT(right, 5, 2);
    expect_reset(right);
    for (int i = 0; i < GUESSES; i++)
        assert_true(recv(guesses[i], &(char){0}, 1, 0) < 0 && errno == EAGAIN);
    rig->skew_ms = GUESS_PAUSE_MS + 1000;
    for (int i = 0; i < GUESSES; i++) {
        EXPECT(guesses[i], 1, 1);
        expect_end(guesses[i]);
    }
    right = client();
    SAY(right, HELLO, RIGHT);
    EXPECT(right, 5, 2, 1, 0);
    close(right);
    settle(rig, 20);
    rig_free(rig);
}

// It waits for a tunnel, and what its client says is not lost; a client that gives up is forgotten.
static void without_a_tunnel(void **state)
{
    (void)state;
    struct endpoint far;
    begin("127.0.0.1/32", NULL);
    exchange_detach(rig->entrances);
    int fd = client(), listener = ask_server(fd, &far), other = client();
    ask(other, SOCKS_CONNECT, &far);
    say(fd, "early", 5);
    shutdown(fd, SHUT_WR);
    pump(rig, flows() == 2);
    settle(rig, 20);
    socket_close_reset(other);
    pump(rig, flows() == 1);
    exchange_attach(rig->entrances, rig->portal);
    int server = accept_at(listener);
    expect(server, "early", 5);
    expect_end(server);
    EXPECT(fd, 5, 0);
    EXPECT_CODE(fd, 0);
    expect_end(fd);
    pump(rig, flows() == 0);
    exchange_detach(rig->entrances);
    fd = client();
    ask(fd, SOCKS_CONNECT, &far);
    EXPECT(fd, 5, 0);
    EXPECT_CODE(fd, 4); // in time
    expect_end(fd);
    rig_free(rig);
}

static void a_tunnel_that_is_lost(void **state)
{
    (void)state;
    struct endpoint far;
    begin("127.0.0.1/32", NULL);
    int fd = client(), server = accept_at(ask_server(fd, &far));
    EXPECT(fd, 5, 0);
    EXPECT_CODE(fd, 0);
    usher_engine_end(rig->portal, "test");
    expect_reset(fd);
    assert_int_equal(flows(), 0);
    close(server);
    rig_free(rig);
}

// UDP

static struct endpoint port; // of the association

static int associate(void)
{
    int fd = client();
    uint8_t reply[12];
    ask(fd, SOCKS_UDP_ASSOCIATE, &(struct endpoint){0});
    pump(rig, recv(fd, reply, sizeof reply, MSG_PEEK) == sizeof reply);
    recv(fd, reply, sizeof reply, 0);
    assert_memory_equal(reply, "\5\0\5\0\0\1\x7f\0\0\1", 10);
    port = (struct endpoint){.addr = address_v4(reply + 6), .port = (uint16_t)(reply[10] << 8 | reply[11])};
    return fd;
}

static int application(void)
{
    int fd = socket_datagram(4);
    assert_true(socket_connect(fd, &port) >= 0);
    return fd;
}

static void send_to(int fd, const struct endpoint *far, const char *text)
{
    uint8_t bytes[64 + SOCKS_UDP_HEADER_MAX];
    size_t header = socks_datagram_write(bytes, &(struct socks_target){.addr = far->addr, .port = far->port});
    memcpy(bytes + header, text, strlen(text));
    say(fd, bytes, header + strlen(text));
}

// What a server gets next; it goes back.
static void echo(int server, const char *text)
{
    char bytes[64] = "";
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    pump(rig, recvfrom(server, bytes, sizeof bytes - 1, MSG_DONTWAIT, (struct sockaddr *)&from, &len) >= 0);
    assert_string_equal(bytes, text);
    sendto(server, text, strlen(text), 0, (struct sockaddr *)&from, len);
}

static void expect_from(int fd, const struct endpoint *far, const char *text)
{
    uint8_t bytes[64 + SOCKS_UDP_HEADER_MAX];
    struct socks_target from;
    ssize_t n = -1;
    size_t header = 0;
    pump(rig, (n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) >= 0);
    assert_true(socks_datagram_parse(&from, bytes, (size_t)n, &header));
    assert_true(address_equal(&from.addr, &far->addr) && from.port == far->port);
    assert_int_equal((size_t)n - header, strlen(text));
    assert_memory_equal(bytes + header, text, strlen(text));
}

static void datagrams_to_many(void **state)
{
    (void)state;
    struct endpoint far[3];
    static const char *const hosts[] = {"127.0.0.2", "127.0.0.3", "::1"};
    static const char *const texts[] = {"one", "two", "three"};
    int servers[3];
    begin("127.0.0.1/32", NULL);
    int control = associate(), app = application();
    for (int i = 0; i < 3; i++) {
        servers[i] = serve(hosts[i], SOCK_DGRAM, &far[i]);
        send_to(app, &far[i], texts[i]);
    }
    for (int i = 2; i >= 0; i--) {
        echo(servers[i], texts[i]);
        expect_from(app, &far[i], texts[i]);
    }
    assert_int_equal(flows(), 2); // IPv4 shares one
    int stranger = application();
    send_to(stranger, &far[0], "stranger");
    send_to(app, &far[0], "again");
    echo(servers[0], "again");
    expect_from(app, &far[0], "again");
    close(control);
    pump(rig, flows() == 0 && exchange_flows(rig->exchange) == 0);
    pump(rig, send(app, "", 0, MSG_NOSIGNAL) < 0); // its port is gone
    for (int i = 0; i < 3; i++)
        close(servers[i]);
    close(stranger);
    close(app);
    rig_free(rig);
}

static void a_denied_one_takes_no_other_along(void **state)
{
    (void)state;
    struct endpoint far, denied = {.port = 53};
    begin("127.0.0.1/32", NULL);
    assert_true(address_parse(&denied.addr, "10.9.9.9"));
    int server = serve("127.0.0.2", SOCK_DGRAM, &far), control = associate(), app = application();
    send_to(app, &denied, "no");
    send_to(app, &far, "yes");
    echo(server, "yes");
    expect_from(app, &far, "yes");
    SAY(control, 0); // has no meaning, and ends it
    expect_reset(control);
    assert_int_equal(flows(), 0);
    close(server);
    close(app);
    rig_free(rig);
}

static void sources_are_bounded(void **state)
{
    (void)state;
    begin("127.0.0.1/32", NULL);
    int control = associate(), app = application();
    for (int i = 0; i < SOURCES_MAX + 20; i++) {
        struct endpoint far = {.port = (uint16_t)(20000 + i)};
        assert_true(address_parse(&far.addr, "::2")); // denied; the answer is not waited for
        send_to(app, &far, "x");
        uv_run(&rig->loop, UV_RUN_NOWAIT); // heard, and not carried on
    }
    assert_int_equal(flows(), SOURCES_MAX);
    pump(rig, flows() == 0);
    close(control);
    settle(rig, 20);
    close(app);
    rig_free(rig);
}

static void idle_ones_close(void **state)
{
    (void)state;
    struct endpoint far;
    begin("127.0.0.1/32", NULL);
    int server = serve("127.0.0.2", SOCK_DGRAM, &far), control = associate(), app = application();
    send_to(app, &far, "one");
    echo(server, "one");
    expect_from(app, &far, "one");
    rig->skew_ms = UDP_IDLE_MS + 1000;
    pump(rig, flows() == 0);
    send_to(app, &far, "two"); // the port is still there
    echo(server, "two");
    expect_from(app, &far, "two");
    close(control);
    pump(rig, flows() == 0);
    close(server);
    close(app);
    rig_free(rig);
}

static void flows_are_bounded(void **state)
{
    (void)state;
    struct endpoint far;
    int clients[MAX_FLOWS];
    begin("127.0.0.1/32", NULL);
    exchange_detach(rig->entrances); // nobody answers
    close(serve("127.0.0.2", SOCK_STREAM, &far));
    for (int i = 0; i < MAX_FLOWS; i++) {
        ask(clients[i] = client(), SOCKS_CONNECT, &far);
        if (i % 8 == 0)
            turn(rig, UV_RUN_NOWAIT);
    }
    pump(rig, flows() == MAX_FLOWS);
    int fd = client();
    ask(fd, SOCKS_CONNECT, &far);
    EXPECT(fd, 5, 0);
    EXPECT_CODE(fd, 1);
    expect_end(fd);
    for (int i = 0; i < MAX_FLOWS; i++)
        socket_close_reset(clients[i]);
    pump(rig, flows() == 0);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_5),
        cmocka_unit_test(version_4),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(what_is_no_socks_is_closed),
        cmocka_unit_test(strangers_are_not_heard),
        cmocka_unit_test(handshakes_end),
        cmocka_unit_test(a_password),
        cmocka_unit_test(guessing_is_slow),
        cmocka_unit_test(without_a_tunnel),
        cmocka_unit_test(a_tunnel_that_is_lost),
        cmocka_unit_test(datagrams_to_many),
        cmocka_unit_test(a_denied_one_takes_no_other_along),
        cmocka_unit_test(sources_are_bounded),
        cmocka_unit_test(idle_ones_close),
        cmocka_unit_test(flows_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
