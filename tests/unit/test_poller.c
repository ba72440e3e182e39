// SPDX-License-Identifier: GPL-2.0-or-later
// Whether the loop tells what the kernel does, once an edge, and to nobody who has been forgotten, in whatever order
// watches come and go within a batch.
#include "os/socket/poller.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MANY = 600 }; // more than two batches

struct end {
    struct poller_watch watch; // first
    struct poller *poller;
    struct end *victim; // forgotten and freed when an event comes
    unsigned told;
    uint32_t events;
};

struct world {
    uv_loop_t loop;
    struct poller *poller;
};

static void setup(struct world *world)
{
    assert_int_equal(uv_loop_init(&world->loop), 0);
    world->poller = poller_new(&world->loop);
}

static void finish(struct world *world)
{
    poller_free(world->poller);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
}

static void end_free(struct end *end)
{
    poller_forget(end->poller, &end->watch);
    close(end->watch.fd);
    memset(end, 0xff, sizeof *end); // who still calls it, crashes
    free(end);
}

static void on_event(struct poller_watch *watch, uint32_t events)
{
    struct end *end = (struct end *)watch;
    end->told++;
    end->events = events;
    if (end->victim)
        end_free(end->victim);
    end->victim = NULL;
}

// One end of a pair of sockets, watched; the other is `*far`.
static struct end *end_new(struct world *world, uint32_t events, int *far)
{
    int fds[2];
    struct end *end = calloc(1, sizeof *end);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    end->poller = world->poller;
    assert_true(poller_add(world->poller, &end->watch, fds[0], events, on_event));
    assert_int_equal(end->watch.fd, fds[0]);
    *far = fds[1];
    return end;
}

static void run(struct world *world)
{
    for (int i = 0; i < 4; i++)
        uv_run(&world->loop, UV_RUN_NOWAIT);
}

static void an_edge_is_told_once(void **state)
{
    (void)state;
    struct world world;
    char room[8];
    int far;
    setup(&world);
    struct end *end = end_new(&world, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, &far);
    run(&world);
    assert_int_equal(end->told, 1); // what is so from the start
    assert_int_equal(end->events, EPOLLOUT);
    assert_int_equal(send(far, "a", 1, MSG_NOSIGNAL), 1);
    run(&world);
    assert_int_equal(end->told, 2);
    assert_int_equal(end->events, EPOLLIN | EPOLLOUT);
    assert_int_equal(send(far, "b", 1, MSG_NOSIGNAL), 1); // again, though nothing was read
    run(&world);
    assert_int_equal(end->told, 3);
    assert_int_equal(read(end->watch.fd, room, sizeof room), 2);
    close(far);
    run(&world);
    assert_int_equal(end->told, 4);
    assert_true(end->events & EPOLLRDHUP && end->events & EPOLLHUP);
    end_free(end);
    finish(&world);
}

static void what_is_so_is_told_without_the_loop(void **state)
{
    (void)state;
    struct world world;
    int far;
    setup(&world);
    poller_turn(world.poller); // nothing is watched
    struct end *end = end_new(&world, EPOLLIN | EPOLLOUT | EPOLLET, &far);
    assert_int_equal(end->told, 0);
    poller_turn(world.poller);
    assert_int_equal(end->told, 1);
    assert_int_equal(send(far, "a", 1, MSG_NOSIGNAL), 1);
    poller_turn(world.poller); // nothing was added
    assert_int_equal(end->told, 1);
    run(&world);
    assert_int_equal(end->told, 2);
    end_free(end);
    close(far);
    finish(&world);
}

static void a_level_is_told_until_it_is_gone(void **state)
{
    (void)state;
    struct world world;
    char room[8];
    int far;
    setup(&world);
    struct end *end = end_new(&world, EPOLLIN, &far);
    run(&world);
    assert_int_equal(end->told, 0);
    assert_int_equal(send(far, "a", 1, MSG_NOSIGNAL), 1);
    run(&world);
    assert_int_equal(end->told, 4); // each turn
    assert_int_equal(read(end->watch.fd, room, sizeof room), 1);
    run(&world);
    assert_int_equal(end->told, 4);
    // Deleted, the descriptor is as it was; it may be added anew.
    assert_int_equal(send(far, "a", 1, MSG_NOSIGNAL), 1);
    poller_delete(world.poller, &end->watch);
    run(&world);
    assert_int_equal(end->told, 4);
    assert_true(poller_add(world.poller, &end->watch, end->watch.fd, EPOLLIN | EPOLLET, on_event));
    run(&world);
    assert_int_equal(end->told, 5);
    end_free(end);
    close(far);
    finish(&world);
}

// Events for both of a pair are in one batch, and whichever is told first ends the other.
static void the_forgotten_hear_nothing(void **state)
{
    (void)state;
    struct world world;
    setup(&world);
    for (int i = 0; i < 2; i++) {
        int far[2], told = 0;
        struct end *ends[2];
        for (int k = 0; k < 2; k++)
            ends[k] = end_new(&world, EPOLLIN | EPOLLET, &far[k]);
        ends[0]->victim = ends[1];
        ends[1]->victim = ends[0];
        for (int k = 0; k < 2; k++)
            assert_int_equal(send(far[k ^ i], "a", 1, MSG_NOSIGNAL), 1);
        run(&world);
        // Written to first, told first; the other is gone, as is its descriptor's place in the kernel.
        assert_int_equal(ends[i]->told, 1);
        for (int k = 0; k < 2; k++)
            told += send(far[k], "b", 1, MSG_NOSIGNAL) == 1;
        assert_int_equal(told, 1);
        run(&world);
        assert_int_equal(ends[i]->told, 2);
        end_free(ends[i]);
        for (int k = 0; k < 2; k++)
            close(far[k]);
    }
    finish(&world);
}

static void suicide(struct poller_watch *watch, uint32_t events)
{
    (void)events;
    end_free((struct end *)watch);
}

static void one_may_end_itself(void **state)
{
    (void)state;
    struct world world;
    int far;
    setup(&world);
    struct end *end = end_new(&world, EPOLLIN | EPOLLET, &far);
    end->watch.ready = suicide;
    assert_int_equal(send(far, "a", 1, MSG_NOSIGNAL), 1);
    run(&world);
    assert_int_equal(send(far, "a", 1, MSG_NOSIGNAL), -1); // it is closed
    close(far);
    finish(&world);
}

static void more_than_a_batch(void **state)
{
    (void)state;
    static struct end *ends[MANY];
    static int far[MANY];
    const struct rlimit limit = {2 * MANY + 64, 2 * MANY + 64};
    struct world world;
    setrlimit(RLIMIT_NOFILE, &limit);
    setup(&world);
    for (int i = 0; i < MANY; i++)
        ends[i] = end_new(&world, EPOLLIN | EPOLLET, &far[i]);
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < MANY; i++)
            assert_int_equal(send(far[i], "a", 1, MSG_NOSIGNAL), 1);
        run(&world);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(ends[i]->told, round);
    }
    for (int i = 0; i < MANY; i++) {
        end_free(ends[i]);
        close(far[i]);
    }
    finish(&world);
}

static void set(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void nothing_spins(void **state)
{
    (void)state;
    struct world world;
    bool over = false;
    unsigned turns = 0;
    int far;
    uv_timer_t timer;
    setup(&world);
    struct end *end = end_new(&world, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, &far);
    assert_int_equal(send(far, "a", 1, MSG_NOSIGNAL), 1);
    close(far); // unread, and ended
    uv_timer_init(&world.loop, &timer);
    timer.data = &over;
    uv_timer_start(&timer, set, 50, 0);
    while (!over) {
        uv_run(&world.loop, UV_RUN_ONCE);
        turns++;
    }
    assert_true(turns < 5);
    uv_close((uv_handle_t *)&timer, NULL);
    end_free(end);
    finish(&world);
}

static void what_cannot_be_watched_is_told(void **state)
{
    (void)state;
    struct world world;
    struct poller_watch watch;
    setup(&world);
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_false(poller_add(world.poller, &watch, fd, EPOLLIN, on_event));
    assert_int_equal(errno, EPERM);
    assert_int_equal(watch.fd, fd);
    close(fd);
    finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edge_is_told_once),
        cmocka_unit_test(what_is_so_is_told_without_the_loop),
        cmocka_unit_test(a_level_is_told_until_it_is_gone),
        cmocka_unit_test(the_forgotten_hear_nothing),
        cmocka_unit_test(one_may_end_itself),
        cmocka_unit_test(more_than_a_batch),
        cmocka_unit_test(nothing_spins),
        cmocka_unit_test(what_cannot_be_watched_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
