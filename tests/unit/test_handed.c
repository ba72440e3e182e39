// SPDX-License-Identifier: GPL-2.0-or-later
// Descriptors that are handed over; the other end is a dial and real servers on loopback.
#include "dial_rig.h"

#include "edge/listen/handed/handed.h"
#include "edge/listen/place.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

enum { HOLD_MS = 300, MAX_FLOWS = 3 };

static const struct dial_config plain = {.udp_offload = true};
static const char allowed[] = "127.0.0.0/8, ::1/128";

static struct rig *rig;
static struct handed *handed;

// What one was told.
struct answer {
    int times, fd, error;
    char why[256];
};

static void told(void *owner, int fd, int error, const char *why)
{
    struct answer *answer = owner;
    answer->times++;
    answer->fd = fd;
    answer->error = error;
    snprintf(answer->why, sizeof answer->why, "%s", why);
}

static void begin(void)
{
    rig = rig_new(allowed, plain);
    const struct handed_config config = {.poller = rig->poller, .max_flows = MAX_FLOWS, .udp_idle_ms = UDP_IDLE_MS};
    handed = handed_new(&rig->loop, &config);
    exchange_add(rig_add_entrances(rig, HOLD_MS), handed_edge(handed));
}

static struct handed_flow *open_to(uint16_t protocol, const char *place, struct answer *answer)
{
    struct usher_open open = {.protocol = protocol};
    assert_true(place_parse(&open, place));
    *answer = (struct answer){.fd = -1};
    struct handed_flow *flow = handed_open(handed, &open, told, answer);
    assert_int_equal(answer->times, 0);
    return flow;
}

static int opened_to(uint16_t protocol, const struct endpoint *far)
{
    char text[ENDPOINT_TEXT_SIZE];
    struct answer answer;
    assert_non_null(open_to(protocol, endpoint_text(far, text), &answer));
    pump(rig, answer.times == 1);
    assert_true(answer.fd >= 0);
    assert_int_equal(answer.error, 0);
    assert_true(fcntl(answer.fd, F_GETFD) & FD_CLOEXEC);
    assert_false(fcntl(answer.fd, F_GETFL) & O_NONBLOCK);
    fcntl(answer.fd, F_SETFL, O_NONBLOCK); // as the tests' own sockets
    return answer.fd;
}

static uint32_t flows(void)
{
    return exchange_flows(rig->entrances);
}

static ssize_t next(int fd, char *room, size_t size)
{
    ssize_t n = -1;
    errno = 0;
    pump(rig, (n = recv(fd, room, size, 0)) >= 0 || errno != EAGAIN);
    return n;
}

static int accept_at(int listener)
{
    int server = -1;
    pump(rig, (server = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0);
    close(listener);
    return server;
}

static void a_stream(void **state)
{
    (void)state;
    char room[16];
    struct endpoint far;
    begin();
    int listener = serve("127.0.0.2", SOCK_STREAM, &far);
    int fd = opened_to(USHER_TCP, &far), server = accept_at(listener);
    assert_int_equal(send(fd, "up", 2, 0), 2);
    assert_int_equal(next(server, room, sizeof room), 2);
    shutdown(fd, SHUT_WR);
    assert_int_equal(next(server, room, sizeof room), 0);
    assert_int_equal(send(server, "down", 4, 0), 4);
    assert_int_equal(next(fd, room, sizeof room), 4);
    close(server);
    assert_int_equal(next(fd, room, sizeof room), 0);
    close(fd);
    pump(rig, flows() == 0);
    rig_free(rig);
}

static void resets(void **state)
{
    (void)state;
    char room[16];
    struct endpoint far;
    begin();
    int listener = serve("127.0.0.2", SOCK_STREAM, &far);
    int fd = opened_to(USHER_TCP, &far), server = accept_at(listener);
    assert_int_equal(send(server, "last", 4, 0), 4);
    assert_int_equal(next(fd, room, sizeof room), 4);
    socket_close_reset(server);
    assert_int_equal(next(fd, room, sizeof room), -1);
    assert_int_equal(errno, ECONNRESET);
    close(fd);
    listener = serve("127.0.0.2", SOCK_STREAM, &far);
    fd = opened_to(USHER_TCP, &far), server = accept_at(listener);
    assert_int_equal(send(server, "unread", 6, 0), 6);
    settle(rig, 20);
    close(fd); // with bytes in it
    assert_int_equal(next(server, room, sizeof room), -1);
    assert_int_equal(errno, ECONNRESET);
    close(server);
    pump(rig, flows() == 0);
    rig_free(rig);
}

static void what_is_refused(void **state)
{
    (void)state;
    struct endpoint far;
    char closed[ENDPOINT_TEXT_SIZE];
    begin();
    close(serve("127.0.0.2", SOCK_STREAM, &far));
    endpoint_text(&far, closed);
    const struct {
        uint16_t protocol;
        const char *place;
        int error;
        const char *why;
    } cases[] = {
        {USHER_TCP, closed, ECONNREFUSED, "refused: "},
        {USHER_TCP, "10.9.9.9:1", EACCES, "denied: "},
        {USHER_UDP, "fd09::1 1", EACCES, "denied: "},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct answer answer;
        open_to(cases[i].protocol, cases[i].place, &answer);
        pump(rig, answer.times == 1);
        assert_int_equal(answer.fd, -1);
        assert_int_equal(answer.error, cases[i].error);
        assert_memory_equal(answer.why, cases[i].why, strlen(cases[i].why));
    }
    settle(rig, 20);
    assert_int_equal(flows(), 0);
    rig_free(rig);
}

static void datagrams(void **state)
{
    (void)state;
    static char room[70000];
    struct endpoint far;
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    begin();
    int server = serve("127.0.0.2", SOCK_DGRAM, &far);
    int fd = opened_to(USHER_UDP, &far);
    assert_int_equal(send(fd, "one", 3, 0), 3);
    assert_int_equal(send(fd, room, 0, 0), 0);
    assert_int_equal(send(fd, room, 20000, 0), 20000);
    ssize_t n = -1;
    pump(rig, (n = recvfrom(server, room, sizeof room, 0, (struct sockaddr *)&from, &len)) >= 0);
    assert_int_equal(n, 3);
    assert_int_equal(next(server, room, sizeof room), 0);
    assert_int_equal(next(server, room, sizeof room), 20000);
    assert_int_equal(sendto(server, "back", 4, 0, (struct sockaddr *)&from, len), 4);
    assert_int_equal(sendto(server, "", 0, 0, (struct sockaddr *)&from, len), 0);
    assert_int_equal(next(fd, room, sizeof room), 4);
    assert_int_equal(next(fd, room, sizeof room), 0);
    assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0), 0); // which was no end
    // Another port of the same host is not who was asked for.
    struct endpoint other;
    int stranger = serve("127.0.0.2", SOCK_DGRAM, &other);
    sendto(stranger, "psst", 4, 0, (struct sockaddr *)&from, len);
    settle(rig, 20);
    assert_int_equal(recv(fd, room, 8, MSG_DONTWAIT), -1);
    close(stranger);
    send(fd, "late", 4, 0);
    close(fd); // what it has sent goes out, and it is noticed at once
    assert_int_equal(next(server, room, sizeof room), 4);
    pump(rig, flows() == 0);
    close(server);
    rig_free(rig);
}

// The far end is nobody's: the taker reads an end, and cannot send any more.
static void datagrams_to_nobody(void **state)
{
    (void)state;
    char room[8];
    struct endpoint far;
    begin();
    close(serve("127.0.0.2", SOCK_DGRAM, &far));
    int fd = opened_to(USHER_UDP, &far);
    assert_int_equal(send(fd, "x", 1, 0), 1);
    assert_int_equal(next(fd, room, sizeof room), 0);
    assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
    assert_int_equal(errno, EPIPE);
    close(fd);
    pump(rig, flows() == 0);
    rig_free(rig);
}

static void an_idle_association_ends(void **state)
{
    (void)state;
    char room[8];
    struct endpoint far;
    begin();
    int server = serve("127.0.0.2", SOCK_DGRAM, &far);
    int fd = opened_to(USHER_UDP, &far);
    rig->skew_ms = UDP_IDLE_MS + 1000;
    assert_int_equal(next(fd, room, sizeof room), 0);
    close(fd);
    close(server);
    pump(rig, flows() == 0);
    rig_free(rig);
}

static void given_up(void **state)
{
    (void)state;
    struct answer answer;
    struct endpoint far;
    char text[ENDPOINT_TEXT_SIZE], byte;
    begin();
    for (int protocol = USHER_TCP; protocol <= USHER_UDP; protocol += USHER_UDP - USHER_TCP) {
        int listener = serve("127.0.0.2", protocol == USHER_TCP ? SOCK_STREAM : SOCK_DGRAM, &far);
        handed_give_up(open_to((uint16_t)protocol, endpoint_text(&far, text), &answer));
        pump(rig, flows() == 0);
        settle(rig, 20);
        assert_int_equal(answer.times, 0);
        if (protocol == USHER_TCP) {
            int server = accept_at(listener); // it was asked for, and is reset
            assert_int_equal(next(server, &byte, 1), -1);
            assert_int_equal(errno, ECONNRESET);
            close(server);
        } else {
            close(listener);
        }
    }
    rig_free(rig);
}

static void as_many_as_may(void **state)
{
    (void)state;
    struct endpoint far;
    int fds[MAX_FLOWS];
    begin();
    int server = serve("127.0.0.2", SOCK_DGRAM, &far);
    for (int i = 0; i < MAX_FLOWS; i++)
        fds[i] = opened_to(USHER_UDP, &far);
    struct answer answer;
    char text[ENDPOINT_TEXT_SIZE];
    assert_null(open_to(USHER_UDP, endpoint_text(&far, text), &answer));
    for (int i = 0; i < MAX_FLOWS; i++)
        close(fds[i]);
    close(server);
    pump(rig, flows() == 0);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream),
        cmocka_unit_test(resets),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(datagrams),
        cmocka_unit_test(datagrams_to_nobody),
        cmocka_unit_test(an_idle_association_ends),
        cmocka_unit_test(given_up),
        cmocka_unit_test(as_many_as_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
