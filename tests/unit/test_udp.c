// SPDX-License-Identifier: GPL-2.0-or-later
// Trains and batches over loopback.
#include "unit.h"

#include "os/sanitized.h"
#include "os/socket/socket.h"
#include "os/socket/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint8_t bytes[65536];

static int bound(const char *address, struct endpoint *at)
{
    struct sockaddr_storage sa;
    assert_true(address_parse(&at->addr, address));
    at->port = 0;
    socklen_t len = endpoint_to_sockaddr(at, &sa);
    int fd = socket_datagram(at->addr.version);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    assert_true(socket_local(fd, at));
    return fd;
}

static long resident_kib(void)
{
    long pages = 0;
    FILE *in = fopen("/proc/self/statm", "r");
    assert_true(in && fscanf(in, "%*d %ld", &pages) == 1);
    fclose(in);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 253);
    return 0;
}

// A train arrives as single datagrams where nobody asked for trains, and whole where somebody did.
static void test_a_train(void **state)
{
    static const struct {
        const char *address;
        size_t len, piece;
    } cases[] = {{"127.0.0.1", 1000, 100}, {"127.0.0.1", 1001, 100}, {"127.0.0.1", 64, 1},    {"127.0.0.1", 100, 99},
                 {"::1", 1000, 100},       {"::1", 1472 * 44, 1472}, {"127.0.0.1", 200, 200}, {"127.0.0.1", 0, 0}};
    struct udp_inbox *inbox = udp_inbox_new();
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(cases); i++) {
        size_t len = cases[i / 2].len, piece = cases[i / 2].piece, got = 0;
        struct endpoint to, from;
        int server = bound(cases[i / 2].address, &to), client = bound(cases[i / 2].address, &from);
        bool trains = i % 2 == 1;
        if (trains)
            udp_set_batches(server);
        if (!udp_send(client, &to, bytes, len, piece))
            fail_msg("case %zu: %s", i, strerror(errno));
        unsigned messages = 0;
        for (int count; (count = udp_receive(inbox, server, UDP_MESSAGES)) > 0; messages += (unsigned)count) {
            for (int k = 0; k < count; k++) {
                struct udp_message message = udp_message(inbox, k);
                assert_true(endpoint_equal(&message.from, &from));
                assert_int_equal(message.piece, trains || len - got > piece ? piece : len - got);
                assert_memory_equal(message.bytes, bytes + got, message.len);
                got += message.len;
            }
        }
        assert_int_equal(errno, EAGAIN);
        assert_int_equal(got, len);
        assert_int_equal(messages, trains || len <= piece ? 1 : (len + piece - 1) / piece);
        close(server);
        close(client);
    }
    udp_inbox_free(inbox);
}

static void test_a_batch_and_its_rest(void **state)
{
    (void)state;
    struct udp_inbox *inbox = udp_inbox_new();
    struct endpoint to, from;
    int server = bound("127.0.0.1", &to), client = bound("127.0.0.1", &from);
    for (size_t i = 0; i < UDP_MESSAGES + 3; i++)
        assert_true(udp_send(client, &to, bytes, i, i));
    assert_int_equal(udp_receive(inbox, server, UDP_MESSAGES), UDP_MESSAGES);
    for (int i = 0; i < UDP_MESSAGES; i++)
        assert_int_equal(udp_message(inbox, i).len, i);
    assert_int_equal(udp_receive(inbox, server, UDP_MESSAGES), 3);
    assert_int_equal(udp_message(inbox, 0).len, UDP_MESSAGES);
    assert_int_equal(udp_receive(inbox, server, UDP_MESSAGES), -1);
    assert_int_equal(errno, EAGAIN);
    close(server);
    close(client);
    udp_inbox_free(inbox);
}

static void test_connected(void **state)
{
    (void)state;
    struct udp_inbox *inbox = udp_inbox_new();
    struct endpoint to, from;
    int server = bound("127.0.0.1", &to), client = bound("127.0.0.1", &from);
    assert_int_equal(socket_connect(client, &to), 0);
    assert_true(udp_send(client, NULL, bytes, 300, 100));
    assert_int_equal(udp_receive(inbox, server, UDP_MESSAGES), 3);
    // What ICMP says of an earlier one is told to the next, of which then nothing is sent.
    close(server);
    assert_true(udp_send(client, NULL, bytes, 1, 1));
    assert_false(udp_send(client, NULL, bytes, 300, 100));
    assert_int_equal(errno, ECONNREFUSED);
    close(client);
    udp_inbox_free(inbox);
}

static void test_pieces_above_the_mtu_are_refused(void **state)
{
    (void)state;
    struct endpoint to, from;
    int server = bound("::1", &to), client = bound("::1", &from);
    assert_false(udp_send(client, &to, bytes, 65520, 65500)); // loopback's is 65,536, headers included
    assert_true(errno == EINVAL || errno == EMSGSIZE);
    assert_true(udp_send(client, &to, bytes, 65520, 65520)); // in fragments
    close(server);
    close(client);
}

// Large datagrams take their pages, and these go back.
static void the_inbox_is_trimmed(void **state)
{
    (void)state;
    struct udp_inbox *inbox = udp_inbox_new();
    for (int round = 0; round < 2; round++) {
        struct endpoint to;
        int fd = bound("127.0.0.1", &to);
        for (int i = 0; i < UDP_MESSAGES; i++)
            udp_send(fd, &to, bytes, 60000, 60000);
        long before = resident_kib();
        while (udp_receive(inbox, fd, UDP_MESSAGES) > 0)
            continue;
        long filled = resident_kib();
        udp_inbox_trim(inbox);
        udp_inbox_trim(inbox);
        assert_in_range(filled - before, round || SANITIZED ? 0 : 100, 1200);
        assert_in_range(filled - resident_kib(), SANITIZED ? 0 : 100, 1200);
        close(fd);
    }
    udp_inbox_free(inbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_inbox_is_trimmed),
        cmocka_unit_test(test_a_train),
        cmocka_unit_test(test_a_batch_and_its_rest),
        cmocka_unit_test(test_connected),
        cmocka_unit_test(test_pieces_above_the_mtu_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
