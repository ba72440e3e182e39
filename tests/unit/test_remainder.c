// SPDX-License-Identifier: GPL-2.0-or-later
// Far ends that read nothing, and sessions that end over them: what is left to be written stands in a budget, and the
// last to have moved stays.
#include "dial_rig.h"

#include <poll.h>

enum {
    FLOWS = 5,
    WINDOW_MAX = 1 << 20, // the rig's; a window comes to a quarter of it at least
};

// A connection whose far end does not read, filled until nothing more goes.
static int fill(struct rig *rig, struct app *app)
{
    struct endpoint at;
    int listener = serve("127.0.0.2", SOCK_STREAM, &at), server = -1;
    app_open(rig, app, USHER_TCP, "127.0.0.2", at.port);
    pump(rig, app->opened && (server >= 0 || (server = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0));
    close(listener);
    app_send(app, 1 << 30, false);
    for (uint64_t before = 1; before != app->sent;) {
        before = app->sent;
        for (int i = 0; i < 200; i++)
            turn(rig, UV_RUN_NOWAIT);
    }
    assert_in_range(usher_session_send_room(app->session), 0, USHER_SEND_MAX); // a crumb waits for more
    return server;
}

// Both directions close; at the gate everything is written but what the far end's kernel does not take.
static void end(struct rig *rig, struct app *app, int server)
{
    usher_session_finish_empty(app->session);
    shutdown(server, SHUT_WR);
    pump(rig, app->ended);
    assert_int_equal(app->ending, USHER_ENDED_CLOSED);
}

static void what_is_left_stands_in_a_budget(void **state)
{
    (void)state;
    static const struct {
        uint64_t budget;
        uint32_t least, most; // flows that stay
    } cases[] = {{0, FLOWS, FLOWS}, {1, 0, 0}, {WINDOW_MAX + 1, 1, FLOWS - 1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        static struct app apps[FLOWS];
        int servers[FLOWS];
        struct rig *rig = rig_new("127.0.0.0/8", (struct dial_config){.remainder_budget = cases[i].budget});
        for (size_t k = 0; k < FLOWS; k++)
            servers[k] = fill(rig, &apps[k]);
        for (size_t k = 0; k < FLOWS; k++)
            end(rig, &apps[k], servers[k]);
        uint32_t left = exchange_flows(rig->exchange);
        assert_in_range(left, cases[i].least, cases[i].most);
        // The latest are left, to the last byte; those before them were reset.
        for (size_t k = 0; k < FLOWS; k++) {
            bool stays = k >= FLOWS - left;
            uint64_t got = 0;
            bool over = false;
            if (stays)
                pump(rig, (over = over || read_pattern(servers[k], &got)));
            assert_int_equal(got, stays ? apps[k].sent : 0);
            struct pollfd pollfd = {.fd = servers[k]};
            assert_int_equal(poll(&pollfd, 1, 0) == 1 && pollfd.revents & POLLERR, !stays);
            close(servers[k]);
        }
        pump(rig, exchange_flows(rig->exchange) == 0);
        rig_free(rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_stands_in_a_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
