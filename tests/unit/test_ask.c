// SPDX-License-Identifier: GPL-2.0-or-later
// Clients that are asked, over real sockets; the other end is a dial and real servers on loopback.
#include "dial_rig.h"

#include "edge/listen/ask/ask.h"

#include <stdio.h>

enum { HOLD_MS = 300, QUESTION_MS = 60000, MAX_FLOWS = 300 };

static const struct dial_config plain = {.udp_offload = true};
static const char allowed[] = "127.0.0.0/8, ::1/128";

#define PROMPT "host port: "
#define WRONG  "That is no host and port, such as: www.example.net 80\r\n"

static struct rig *rig;
static struct endpoint at; // where it listens

static void begin(uint32_t max_flows)
{
    struct fault fault;
    struct endpoint any = {.port = 0};
    rig = rig_new(allowed, plain);
    const struct ask_config config = {.poller = rig->poller, .max_flows = max_flows};
    struct ask *ask = ask_new(&rig->loop, &config);
    exchange_add(rig_add_entrances(rig, HOLD_MS), ask_edge(ask));
    assert_true(address_parse(&any.addr, "127.0.0.1"));
    int fd = socket_listen(&any, 512, &fault);
    assert_true(socket_local(fd, &at));
    ask_listen(ask, fd);
}

static int client(void)
{
    int fd = socket_stream(4);
    assert_true(socket_connect(fd, &at) >= 0);
    return fd;
}

static void put(int fd, const void *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void type(int fd, const char *text)
{
    put(fd, text, strlen(text));
}

static void expect(int fd, const char *text)
{
    char got[512] = "";
    size_t len = strlen(text);
    ssize_t n = -1;
    pump(rig, (n = recv(fd, got, len, MSG_PEEK)) >= (ssize_t)len || n == 0 || (n < 0 && errno != EAGAIN));
    assert_int_equal(n, (ssize_t)len);
    assert_memory_equal(got, text, len);
    recv(fd, got, len, 0);
}

// In order; a reset would have taken along what was said before.
static void expect_end(int fd)
{
    char byte;
    ssize_t n = -1;
    pump(rig, (n = recv(fd, &byte, 1, 0)) >= 0 || errno != EAGAIN);
    assert_int_equal(n, 0);
    close(fd);
}

static int accept_at(int listener)
{
    int server = -1;
    pump(rig, (server = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0);
    close(listener);
    return server;
}

static void every_way_to_answer(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "127.0.0.2 %u\n",
        "127.0.0.2:%u\r\n",
        "  127.0.0.2   %u \r\n",
        "\xff\xfb\x18\xff\xfd\x03"
        "127.0.0\xff\xf1.2 %u\r\n",
        "nonsense\r\n127.0.0.2 %u\r\n",
    };
    begin(MAX_FLOWS);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct endpoint far;
        char text[100];
        int listener = serve("127.0.0.2", SOCK_STREAM, &far), fd = client();
        snprintf(text, sizeof text, cases[i], far.port);
        strcat(text, "early\r\n\xff\xfb"); // all of it the far end's, telnet or not
        type(fd, text);
        int server = accept_at(listener);
        expect(fd, PROMPT);
        if (strstr(text, "nonsense"))
            expect(fd, WRONG PROMPT);
        expect(server, "early\r\n\xff\xfb");
        type(server, "late");
        expect(fd, "late");
        shutdown(fd, SHUT_WR);
        expect_end(server);
        expect_end(fd);
        pump(rig, exchange_flows(rig->entrances) == 0);
    }
    rig_free(rig);
}

static void byte_by_byte(void **state)
{
    (void)state;
    struct endpoint far;
    char text[64];
    begin(MAX_FLOWS);
    int listener = serve("127.0.0.2", SOCK_STREAM, &far), fd = client();
    int len = snprintf(text, sizeof text,
                       "\xff\xfb\x18"
                       "127.0.0.2 %u\r",
                       far.port);
    text[len + 1] = 'x'; // behind the NUL of the line's end
    for (int i = 0; i < len + 2; i++) {
        put(fd, text + i, 1);
        settle(rig, 2);
    }
    int server = accept_at(listener);
    expect(server, "x");
    close(server);
    expect(fd, PROMPT);
    expect_end(fd);
    rig_free(rig);
}

static void three_wrong_answers(void **state)
{
    (void)state;
    begin(MAX_FLOWS);
    int fd = client();
    expect(fd, PROMPT);
    for (int i = 0; i < 3; i++) {
        type(fd, i == 1 ? "\n" : "host 0\r\n");
        expect(fd, i < 2 ? WRONG PROMPT : WRONG);
    }
    expect_end(fd);
    fd = client(); // all at once, and more
    type(fd, "a\nb\nc\nd\n127.0.0.2 1\n");
    expect(fd, PROMPT WRONG PROMPT WRONG PROMPT WRONG);
    expect_end(fd);
    rig_free(rig);
}

static void failures_in_words(void **state)
{
    (void)state;
    char closed[64], words[200];
    struct endpoint far;
    close(serve("127.0.0.2", SOCK_STREAM, &far));
    snprintf(closed, sizeof closed, "127.0.0.2 %u and so on", far.port);
    closed[strcspn(closed, "a")] = '\n';
    snprintf(words, sizeof words, "127.0.0.2:%u: connection refused (127.0.0.2:%u: Connection refused)\r\n", far.port,
             far.port);
    const struct {
        const char *typed, *told;
    } cases[] = {
        {closed, words},
        {"10.9.9.9 1\n", "10.9.9.9:1: not permitted ("},
        {"[fd09::1]:1\n", "[fd09::1]:1: not permitted ("},
        {"host.example 1\n", "host.example:1: "},
    };
    begin(MAX_FLOWS);
    for (size_t i = 0; i < COUNT(cases); i++) {
        int fd = client();
        type(fd, cases[i].typed);
        expect(fd, PROMPT);
        expect(fd, cases[i].told);
        char rest[400];
        ssize_t n = -1;
        pump(rig, (n = recv(fd, rest, sizeof rest, 0)) == 0 || (n < 0 && errno != EAGAIN)); // in order
        assert_int_equal(n, 0);
        close(fd);
    }
    rig_free(rig);
}

static void too_long_a_line(void **state)
{
    (void)state;
    char text[1024];
    memset(text, 'a', sizeof text);
    begin(MAX_FLOWS);
    int fd = client();
    put(fd, text, sizeof text - 1);
    expect(fd, PROMPT);
    settle(rig, 10);
    assert_true(recv(fd, text, 1, 0) < 0 && errno == EAGAIN);
    put(fd, text, 1);
    expect(fd, "That line is too long.\r\n");
    expect_end(fd);
    rig_free(rig);
}

static void no_answer(void **state)
{
    (void)state;
    begin(MAX_FLOWS);
    int fd = client();
    type(fd, "www.example.net");
    expect(fd, PROMPT);
    rig->skew_ms = QUESTION_MS - 1000;
    settle(rig, 20);
    assert_true(recv(fd, &(char){0}, 1, 0) < 0 && errno == EAGAIN);
    rig->skew_ms = QUESTION_MS + 1000;
    expect(fd, "\r\nNobody has answered in time.\r\n");
    expect_end(fd);
    fd = client(); // that goes in the middle of it
    type(fd, "www.exam");
    expect(fd, PROMPT);
    shutdown(fd, SHUT_WR);
    expect_end(fd);
    rig_free(rig);
}

static void the_oldest_gives_way(void **state)
{
    (void)state;
    int fds[ASK_UNANSWERED_MAX + 1];
    begin(MAX_FLOWS);
    for (size_t i = 0; i < COUNT(fds); i++) {
        fds[i] = client();
        expect(fds[i], PROMPT);
    }
    expect(fds[0], "\r\nNobody has answered in time.\r\n");
    expect_end(fds[0]);
    for (size_t i = 1; i < COUNT(fds); i++) {
        assert_true(recv(fds[i], &(char){0}, 1, 0) < 0 && errno == EAGAIN);
        close(fds[i]);
    }
    settle(rig, 20);
    rig_free(rig);
}

static void as_many_as_may(void **state)
{
    (void)state;
    struct endpoint far;
    char text[64];
    begin(1);
    int listener = serve("127.0.0.2", SOCK_STREAM, &far), fd = client();
    snprintf(text, sizeof text, "127.0.0.2 %u\n", far.port);
    type(fd, text);
    int server = accept_at(listener);
    int more = client();
    type(more, text);
    expect(more, PROMPT "There are too many connections.\r\n");
    expect_end(more);
    close(server);
    expect(fd, PROMPT);
    expect_end(fd);
    rig_free(rig);
}

static void stopped_in_the_middle(void **state)
{
    (void)state;
    begin(MAX_FLOWS);
    int fd = client();
    expect(fd, PROMPT);
    close(fd);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_to_answer),   cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(three_wrong_answers),   cmocka_unit_test(failures_in_words),
        cmocka_unit_test(too_long_a_line),       cmocka_unit_test(no_answer),
        cmocka_unit_test(the_oldest_gives_way),  cmocka_unit_test(as_many_as_may),
        cmocka_unit_test(stopped_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
