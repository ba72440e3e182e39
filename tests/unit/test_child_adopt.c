// SPDX-License-Identifier: GPL-2.0-or-later
// A worker that an earlier program in this process has started, played by a forked child: it is heard, told and outlived as one
// of our own; one that another version has started is told no more than it understands.
#include "base/memory.h"
#include "gate/supervisor/adoption.h"
#include "gate/supervisor/child.h"
#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    uv_loop_t loop;
    int ends[2]; // ours, the worker's
    unsigned ups, leavings, listed, ended;
    int code, signal;
} world;

static void up(void *owner, struct child *child)
{
    (void)owner;
    (void)child;
    world.ups++;
}

static void refused(void *owner, struct child *child, const char *why)
{
    (void)owner;
    (void)child;
    fail_msg("%s", why);
}

static void told(void *owner, struct child *child)
{
    (void)owner;
    (void)child;
}

static void leaving(void *owner, struct child *child)
{
    (void)owner;
    assert_true(child->draining);
    world.leavings++;
}

static void listed(void *owner, struct child *child, const struct channel_message *message)
{
    (void)owner;
    (void)child;
    world.listed += message->flows.more;
}

static void ended(void *owner, struct child *child, int code, int signal)
{
    (void)owner;
    (void)child;
    world.ended++;
    world.code = code;
    world.signal = signal;
}

static const struct child_ops OPS = {
    .up = up, .refused = refused, .told = told, .listed = listed, .leaving = leaving, .ended = ended};

// It exits with what it is sent, a byte, as everything else of a worker is played here.
static struct child *adopt(bool is_up, bool stranger, int *leash)
{
    struct fault fault;
    int line[2];
    memset(&world, 0, sizeof world);
    uv_loop_init(&world.loop);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, world.ends), 0);
    assert_int_equal(pipe(line), 0);
    pid_t pid = fork();
    if (pid == 0) {
        uint8_t byte = 0;
        close(line[1]);
        _exit(read(line[0], &byte, 1) == 1 ? byte : 99);
    }
    close(line[0]);
    *leash = line[1];
    struct state_child was = {.pid = (uint32_t)pid,
                              .channel = world.ends[0],
                              .socket = -1,
                              .peer = {.addr = {.version = 4, .bytes = {10, 2, 0, 2}}, .port = 9},
                              .since = 1700000000,
                              .up = is_up,
                              .name = "branch"};
    struct child *child = child_adopt(&world.loop, &was, stranger, &OPS, NULL, &fault);
    assert_non_null(child);
    struct state_child again;
    child_save(child, &again);
    was.stranger = stranger;
    assert_memory_equal(&again, &was, sizeof was);
    return child;
}

static void finish(void)
{
    uv_run(&world.loop, UV_RUN_DEFAULT);
    assert_int_equal(world.ended, 1);
    assert_int_equal(uv_loop_close(&world.loop), 0);
    close(world.ends[1]);
}

// What the worker was told last, and nothing behind it.
static enum channel_type hear(void)
{
    static struct channel_message message;
    enum channel_type type = 0;
    while (channel_receive(world.ends[1], &message) == CHANNEL_TAKEN)
        type = message.type;
    return type;
}

static void say(enum channel_type type)
{
    static struct channel_message message;
    message = (struct channel_message){.type = type};
    if (type == CHANNEL_UP)
        strcpy(message.up.name, "branch");
    assert_true(channel_send(world.ends[1], &message));
    uv_run(&world.loop, UV_RUN_NOWAIT);
}

static void as_one_of_our_own(void **state)
{
    (void)state;
    int leash;
    struct child *child = adopt(false, false, &leash);
    say(CHANNEL_UP);
    assert_int_equal(world.ups, 1);
    child_poll(child);
    assert_int_equal(hear(), CHANNEL_POLL);
    child_drain(child, 1000);
    assert_int_equal(hear(), CHANNEL_DRAIN);
    say(CHANNEL_LEAVING);
    assert_int_equal(world.leavings, 1);
    const uint8_t code = 7;
    assert_int_equal(write(leash, &code, 1), 1);
    close(leash);
    finish();
    assert_true(world.code == 7 && world.signal == 0);
}

static void what_no_worker_says(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum channel_type type;
        bool twice;
    } cases[] = {
        {"up again", CHANNEL_UP, false},
        {"facts that nobody wanted", CHANNEL_FACTS, true}, // but perhaps the program before
        {"flows that nobody wanted", CHANNEL_FLOWS, true},
        {"leaving, again and again", CHANNEL_LEAVING, true},
        {"what is for workers", CHANNEL_POLL, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int leash;
        adopt(true, false, &leash);
        if (cases[i].twice)
            say(cases[i].type);
        CASE(cases[i].name, world.ended == 0);
        say(cases[i].type);
        finish();
        close(leash);
        CASE(cases[i].name, world.signal == SIGKILL);
    }
}

// Each answer goes further than the question, or there would be no end to them.
static void flows_without_end(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct channel_place last;
        size_t len; // of what is told
        bool good;
    } cases[] = {
        {"further", {5, 8}, 1, true},       {"much further", {6, 0}, 1, true}, {"nothing", {6, 0}, 0, false},
        {"where it was", {5, 7}, 1, false}, {"back", {4, 9}, 1, false},
    };
    const struct channel_place behind = {5, 7};
    const struct audit_record flow = {
        .kind = AUDIT_SESSION, .text = "", .account = {.via = "", .asked = "", .rule = ""}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        int leash;
        struct child *child = adopt(true, false, &leash);
        struct channel_message *message = memory_new(sizeof *message);
        CASE(cases[i].name, child_ask_flows(child, &behind) && hear() == CHANNEL_LIST);
        CASE(cases[i].name, !child_ask_flows(child, &behind)); // one at a time
        message->type = CHANNEL_FLOWS;
        message->flows.more = true;
        message->flows.last = cases[i].last;
        struct writer w = writer_over(message->flows.bytes, sizeof message->flows.bytes);
        audit_record_write(&w, &flow);
        message->flows.len = cases[i].len * (sizeof message->flows.bytes - writer_left(&w));
        assert_true(channel_send(world.ends[1], message));
        uv_run(&world.loop, UV_RUN_NOWAIT);
        CASE(cases[i].name, world.listed == cases[i].good);
        free(message);
        close(leash);
        finish();
        CASE(cases[i].name, cases[i].good ? world.code == 99 : world.signal == SIGKILL);
    }
}

static void of_another_version(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum channel_type type, hears;
    } cases[] = {
        {"to end", CHANNEL_END, CHANNEL_END},
        {"to drain", CHANNEL_DRAIN, CHANNEL_DRAIN},
        {"its forwards are another's", CHANNEL_FORWARDS_OVER, CHANNEL_FORWARDS_OVER},
        {"new rules", CHANNEL_NEWS, CHANNEL_END},
        {"new addresses", CHANNEL_LOCALS, CHANNEL_END},
        {"a device", CHANNEL_EXPORT, CHANNEL_END},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int leash;
        struct child *child = adopt(true, true, &leash);
        struct channel_message *message = memory_new(sizeof *message);
        message->type = cases[i].type;
        child_tell(child, message);
        CASE(cases[i].name, hear() == cases[i].hears);
        child_tell(child, message);
        bool again = cases[i].type == cases[i].hears;
        CASE(cases[i].name, hear() == (again ? cases[i].hears : 0)); // it was told to end once
        child_poll(child);
        CASE(cases[i].name, hear() == 0);
        free(message);
        close(leash);
        finish();
        CASE(cases[i].name, world.code == 99);
    }
}

// Its tunnel cannot be carried on: it would not understand whose connection that is.
static void show_a_ticket(bool stranger)
{
    static const uint8_t number[TLS_TICKET_SIZE] = {1, 2, 3};
    static struct channel_message message;
    int leash, fds[CHANNEL_FDS_MAX], shower[2];
    size_t count;
    struct child *child = adopt(true, stranger, &leash);
    struct adoption *adoption = adoption_new(NULL);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, shower), 0);
    struct child other = {.channel_fd = shower[0], .socket_fd = dup(shower[0]), .peer = {.port = 77}, .ending = true};
    assert_true(adoption_ticket(adoption, child, number));
    assert_true(adoption_shown(adoption, &other, number));
    enum channel_result heard = channel_receive_fds(world.ends[1], &message, fds, &count);
    assert_int_equal(heard, stranger ? CHANNEL_EMPTY : CHANNEL_TAKEN);
    if (!stranger) {
        assert_true(message.type == CHANNEL_LANE && count == 1 && message.lane.peer.port == 77);
        close(fds[0]);
    }
    assert_int_equal(channel_receive(shower[1], &message), CHANNEL_TAKEN);
    assert_int_equal(message.type, stranger ? CHANNEL_SERVE : CHANNEL_END);
    child_close_socket(&other);
    close(shower[0]);
    close(shower[1]);
    adoption_ended(adoption, child);
    adoption_free(adoption);
    close(leash);
    finish();
}

static void who_carries_a_tunnel_on(void **state)
{
    (void)state;
    show_a_ticket(false);
    show_a_ticket(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_one_of_our_own), cmocka_unit_test(what_no_worker_says),
                                       cmocka_unit_test(flows_without_end), cmocka_unit_test(of_another_version),
                                       cmocka_unit_test(who_carries_a_tunnel_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
