// SPDX-License-Identifier: GPL-2.0-or-later
// What one supervisor leaves to the next program: it comes out as it went in, and nothing that is not whole is taken.
#include "gate/upgrade/state_file.h"
#include "gate/upgrade/state_wire.h"
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int listeners[] = {10, 11};
static int sockets[] = {30, 31, 32};
static struct state_child children[] = {
    {.pid = 4711,
     .channel = 20,
     .socket = -1,
     .peer = {.addr = {.version = 4, .bytes = {10, 2, 0, 2}}, .port = 4000},
     .since = 1700000000,
     .up = true,
     .draining = true,
     .listens = true,
     .stranger = true,
     .replacements = 3,
     .name = "branch \"of\" somebody",
     .serial = "01AB",
     .cipher = "TLS_AES_128_GCM_SHA256",
     .expires = 1800000000000000,
     .ticket_count = 1,
     .tickets = {"fifteen letters"}},
    {.pid = 4712,
     .channel = 21,
     .socket = 22,
     .peer = {.addr = {.version = 6, .bytes = {0xfd}}, .port = 1},
     .since = 1},
};
static struct state_held held[] = {
    {.index = 2, .count = 3, .sockets = sockets},
    {.index = 5, .sockets = sockets, .tun = {.fd = 40, .index = 7, .offload = true, .name = "ux5"}},
};
static const struct gate_state STATE = {
    .version = "1.2",
    .channel_version = 9,
    .name_or_file = "/etc/usher/gate.conf",
    .since = 1700000000,
    .retiring = true,
    .slot = 64,
    .lock = 3,
    .slots = 4,
    .control = 5,
    .handover = 6,
    .previous = 7,
    .asker = 8,
    .listener_count = 2,
    .child_count = 2,
    .held_count = 2,
    .listeners = listeners,
    .children = children,
    .held = held,
    .admission = {(uint8_t *)"abc", 3},
};

static uint8_t room[8192];

static void comes_out_as_it_went_in(void **state)
{
    (void)state;
    struct gate_state out;
    struct fault fault;
    int fd = state_write(&STATE, &fault);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(fd, "x", 1), -1); // nobody changes it any more
    assert_true(state_read(&out, fd, &fault));
    close(fd);
    assert_string_equal(out.version, "1.2");
    assert_int_equal(out.channel_version, 9);
    assert_string_equal(out.name_or_file, STATE.name_or_file);
    assert_true(out.since == STATE.since && out.retiring && out.slot == 64);
    assert_true(out.lock == 3 && out.slots == 4 && out.control == 5 && out.handover == 6 && out.previous == 7);
    assert_int_equal(out.asker, 8);
    assert_int_equal(out.listener_count, 2);
    assert_memory_equal(out.listeners, listeners, sizeof listeners);
    assert_int_equal(out.child_count, 2);
    assert_memory_equal(out.children, children, sizeof children);
    assert_int_equal(out.held_count, 2);
    assert_int_equal(out.held[0].count, 3);
    assert_memory_equal(out.held[0].sockets, sockets, sizeof sockets);
    assert_true(out.held[0].index == 2 && out.held[0].tun.index == 0);
    assert_true(out.held[1].count == 0 && out.held[1].tun.fd == 40 && out.held[1].tun.offload && !out.held[1].tun.uso);
    assert_string_equal(out.held[1].tun.name, "ux5");
    assert_true(out.admission.len == 3 && !memcmp(out.admission.bytes, "abc", 3));
    state_fini(&out);
    state_fini(&out); // nothing is left
}

static void nobody_asks(void **state)
{
    (void)state;
    struct gate_state in = STATE, out;
    struct fault fault;
    in.asker = -1;
    in.listener_count = in.child_count = in.held_count = 0;
    in.admission.len = 0;
    size_t len = state_encode(&in, room, sizeof room);
    assert_true(state_decode(&out, room, len, &fault));
    assert_true(out.asker == -1 && out.listener_count + out.child_count + out.held_count == 0);
    state_fini(&out);
}

static void half_of_it_is_nothing(void **state)
{
    (void)state;
    struct gate_state out;
    struct fault fault;
    size_t len = state_encode(&STATE, room, sizeof room);
    assert_true(len > 100);
    for (size_t part = 0; part < len; part++) {
        uint8_t *copy = malloc(part + 1); // for what looks beyond
        memcpy(copy, room, part);
        assert_false(state_decode(&out, copy, part, &fault));
        assert_non_null(strstr(fault.text, part < 8 ? "is no state of a gate" : "not whole"));
        free(copy);
    }
    assert_false(state_decode(&out, room, len + 1, &fault));
    assert_int_equal(state_encode(&STATE, room, len - 1), 0);
}

static void another_version(void **state)
{
    (void)state;
    struct gate_state out;
    struct fault fault;
    size_t len = state_encode(&STATE, room, sizeof room);
    room[11]++;
    assert_false(state_decode(&out, room, len, &fault));
    assert_non_null(strstr(fault.text, "it reads states of version 1, not 2: the gate has to be started again"));
}

// Each byte set to what means most: it is refused, or it is a state again.
static void any_byte_else(void **state)
{
    (void)state;
    static const uint8_t values[] = {0, 1, 2, 0x7f, 0x80, 0xff};
    struct gate_state out;
    struct fault fault;
    size_t len = state_encode(&STATE, room, sizeof room), taken = 0;
    for (size_t at = 0; at < len; at++)
        for (size_t i = 0; i < sizeof values; i++) {
            uint8_t was = room[at];
            room[at] = values[i];
            if (state_decode(&out, room, len, &fault)) {
                taken++;
                state_fini(&out);
            }
            room[at] = was;
        }
    assert_true(taken > 0);
}

static void numbers_that_are_none(void **state)
{
    (void)state;
    static struct {
        const char *name;
        int lock, listener, channel, tun;
        uint32_t pid;
    } cases[] = {
        {"a standard descriptor", 2, 10, 20, 40, 4711},
        {"another", 3, 0, 20, 40, 4711},
        {"a channel that is none", 3, 10, -1, 40, 4711},
        {"a device that is none", 3, 10, 20, 1, 4711},
        {"init", 3, 10, 20, 40, 1},
        {"nobody", 3, 10, 20, 40, 0},
        {"all", 3, 10, 20, 40, UINT32_MAX},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct gate_state in = STATE, out;
        struct fault fault;
        int some[] = {cases[i].listener};
        struct state_child child = children[0];
        struct state_held device = held[1];
        child.channel = cases[i].channel;
        child.pid = cases[i].pid;
        device.tun.fd = cases[i].tun;
        in.lock = cases[i].lock;
        in.listeners = some;
        in.children = &child;
        in.held = &device;
        in.listener_count = in.child_count = in.held_count = 1;
        size_t len = state_encode(&in, room, sizeof room);
        CASE(cases[i].name, len && !state_decode(&out, room, len, &fault));
    }
}

static void they_stay_open_or_not(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    struct gate_state all = {
        .lock = fds[0], .slots = fds[0], .control = fds[1], .handover = fds[1], .previous = fds[1]};
    all.asker = -1;
    assert_true(state_keep_open(&all, true));
    assert_int_equal(fcntl(fds[0], F_GETFD) | fcntl(fds[1], F_GETFD), 0);
    assert_true(state_keep_open(&all, false));
    assert_int_equal(fcntl(fds[0], F_GETFD) & fcntl(fds[1], F_GETFD), FD_CLOEXEC);
    close(fds[0]);
    assert_false(state_keep_open(&all, true));
    close(fds[1]);
}

static void no_file_of_ours(void **state)
{
    (void)state;
    struct gate_state out;
    struct fault fault;
    assert_false(state_read(&out, -1, &fault));
    int fd = memfd_create("empty", MFD_CLOEXEC);
    assert_false(state_read(&out, fd, &fault));
    assert_string_equal(fault.text, "no state was left to it");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_out_as_it_went_in), cmocka_unit_test(nobody_asks),
        cmocka_unit_test(half_of_it_is_nothing),   cmocka_unit_test(another_version),
        cmocka_unit_test(any_byte_else),           cmocka_unit_test(numbers_that_are_none),
        cmocka_unit_test(they_stay_open_or_not),   cmocka_unit_test(no_file_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
