// SPDX-License-Identifier: GPL-2.0-or-later
// Both ends of a connection: what one does is what the other sees, a reset included.
#include "os/socket/pair.h"
#include "os/socket/socket.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void await(int fd)
{
    assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLIN | POLLRDHUP}, 1, 2000), 1);
}

static void expect_descriptor(int fd)
{
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static void a_stream(void **state)
{
    (void)state;
    char bytes[8];
    int ends[2];
    assert_true(pair_stream(ends));
    expect_descriptor(ends[0]);
    expect_descriptor(ends[1]);
    assert_int_equal(send(ends[0], "abc", 3, 0), 3);
    shutdown(ends[0], SHUT_WR);
    await(ends[1]);
    assert_int_equal(recv(ends[1], bytes, 8, 0), 3);
    await(ends[1]);
    assert_int_equal(recv(ends[1], bytes, 8, 0), 0);
    assert_int_equal(send(ends[1], "de", 2, 0), 2); // the other half
    await(ends[0]);
    assert_int_equal(recv(ends[0], bytes, 8, 0), 2);
    assert_int_equal(send(ends[1], "f", 1, 0), 1);
    socket_close_reset(ends[1]);
    await(ends[0]);
    assert_int_equal(recv(ends[0], bytes, 8, 0), 1); // what came before it is not lost
    assert_int_equal(recv(ends[0], bytes, 8, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    close(ends[0]);
}

static void messages(void **state)
{
    (void)state;
    static char bytes[70000];
    int ends[2];
    assert_true(pair_messages(ends));
    expect_descriptor(ends[0]);
    expect_descriptor(ends[1]);
    assert_int_equal(send(ends[0], bytes, 65507, 0), 65507);
    assert_int_equal(send(ends[0], bytes, 0, 0), 0);
    assert_int_equal(send(ends[0], bytes, 3, 0), 3);
    assert_int_equal(recv(ends[1], bytes, sizeof bytes, 0), 65507);
    assert_int_equal(recv(ends[1], bytes, sizeof bytes, 0), 0);
    assert_int_equal(recv(ends[1], bytes, sizeof bytes, 0), 3);
    assert_int_equal(poll(&(struct pollfd){.fd = ends[1], .events = POLLRDHUP}, 1, 0), 0);
    close(ends[0]);
    await(ends[1]);
    assert_int_equal(recv(ends[1], bytes, 8, 0), 0);
    close(ends[1]);
}

static void many(void **state)
{
    (void)state;
    int ends[200][2];
    for (size_t i = 0; i < COUNT(ends); i++)
        assert_true(pair_stream(ends[i]));
    for (size_t i = 0; i < COUNT(ends); i++) {
        assert_int_equal(send(ends[i][0], &i, sizeof i, 0), sizeof i);
        size_t got = 0;
        await(ends[i][1]);
        assert_int_equal(recv(ends[i][1], &got, sizeof got, 0), sizeof got);
        assert_int_equal(got, i);
        close(ends[i][0]);
        close(ends[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream),
        cmocka_unit_test(messages),
        cmocka_unit_test(many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
