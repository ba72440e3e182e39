// SPDX-License-Identifier: GPL-2.0-or-later
// New rules for what is open: what would be denied now is reset, by what was asked for and where it goes; the rest stays.
#include "dial_rig.h"
#include "nameserver.h"

#include "edge/local/local.h"

static struct nameserver server;

static int set_up(void **state)
{
    (void)state;
    return nameserver_start(&server) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    nameserver_stop(&server);
    return 0;
}

// From now on; the rig frees it.
static uint32_t judge_by(struct rig *rig, const char *allow)
{
    struct fault fault;
    policy_free(rig->policy);
    rig->policy = policy_new();
    if (*allow && !policy_add(rig->policy, true, allow, &fault))
        fail_msg("%s", fault.text);
    exchange_set_policy(rig->exchange, rig->policy);
    return dial_judge_again(rig->dial);
}

static const struct {
    const char *name, *before, *host, *now;
    bool local; // translated
    bool stays;
} streams[] = {
    {"the same rules", "127.0.0.9/32", "127.0.0.9", "127.0.0.9/32", false, true},
    {"allowed otherwise", "127.0.0.9/32", "127.0.0.9", "tcp:127.0.0.9:1-65535", false, true},
    {"no rule any more", "127.0.0.9/32", "127.0.0.9", "", false, false},
    {"another address", "127.0.0.9/32", "127.0.0.9", "127.0.0.8/32", false, false},
    {"another protocol", "127.0.0.9/32", "127.0.0.9", "udp:127.0.0.9", false, false},
    {"IPv6", "::1/128", "::1", "::1/128", false, true},
    {"IPv6, no more", "::1/128", "::1", "127.0.0.9/32", false, false},
    {"a name and its address", "tcp:*.test, 127.0.0.9/32", "near4.test", "tcp:near4.test, 127.0.0.9/32", false, true},
    {"its address alone", "tcp:*.test, 127.0.0.9/32", "near4.test", "127.0.0.9/32", false, true},
    {"its name alone, which opens no loopback", "127.0.0.9/32", "near4.test", "tcp:near4.test", false, false},
    {"another name", "127.0.0.9/32", "near4.test", "tcp:other.test, 127.0.0.8/32", false, false},
    {"Local: what was asked for", "192.0.2.7/32", "192.0.2.7", "192.0.2.0/24", true, true},
    {"Local: where it goes", "192.0.2.7/32", "192.0.2.7", "127.0.0.0/8, ::1/128", true, false},
    {"Local: a name", "tcp:*.test", "near4.test", "tcp:near4.test", true, true},
    {"Local: another name", "tcp:*.test", "near4.test", "tcp:other.test", true, false},
};

static void streams_are_judged_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(streams); i++) {
        struct endpoint at;
        struct app app;
        const struct dial_config config = {.translate = streams[i].local ? &local_translate : NULL};
        struct rig *rig = rig_new_named(streams[i].before, config, server.servers);
        const char *where = !strcmp(streams[i].host, "::1") ? "::1" : streams[i].local ? "127.0.0.1" : "127.0.0.9";
        int listener = serve(where, SOCK_STREAM, &at), fd = -1;
        app_open(rig, &app, USHER_TCP, streams[i].host, at.port);
        pump(rig, app.ended || (app.opened && (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0));
        CASE(streams[i].name, app.opened);
        CASE(streams[i].name, judge_by(rig, streams[i].now) == !streams[i].stays);
        char room[4];
        if (streams[i].stays) {
            app_send(&app, 1, false);
            pump(rig, read(fd, room, sizeof room) == 1);
            CASE(streams[i].name, !app.ended);
        } else {
            pump(rig, app.ended);
            CASE(streams[i].name, app.ending == USHER_ENDED_RESET && app.word == USHER_DENIED);
            CASE(streams[i].name, read(fd, room, sizeof room) < 0 && errno == ECONNRESET);
            CASE(streams[i].name, exchange_flows(rig->exchange) == 0);
        }
        close(fd);
        close(listener);
        rig_free(rig);
    }
}

// One that has no answer yet is refused, and reaches nobody.
static void what_is_pending_is_refused(void **state)
{
    (void)state;
    static const char *const hosts[] = {"192.0.2.1", "silent.test"};
    for (size_t i = 0; i < COUNT(hosts); i++) {
        struct app app;
        struct rig *rig = rig_new_named("192.0.2.0/24, tcp:*.test", (struct dial_config){0}, server.servers);
        app_open(rig, &app, USHER_TCP, hosts[i], 7);
        settle(rig, 5);
        if (!app.ended) { // a host without any route refuses it by itself
            assert_int_equal(judge_by(rig, "udp:127.0.0.1/32"), 1);
            pump(rig, app.ended);
            assert_int_equal(app.word, USHER_DENIED);
        }
        rig_free(rig);
    }
}

static void send_to(struct app *app, const struct endpoint *to)
{
    const struct usher_datagram datagram = {.from = {.addr = {.version = 4, .bytes = {10, 1, 0, 2}}, .port = 5000},
                                            .to = *to,
                                            .bytes = (const uint8_t *)"x",
                                            .len = 1};
    assert_true(usher_session_datagram(app->session, &datagram));
}

// An association goes on with those that it may still send to, and only when there are none it is reset.
static void associations_are_judged_again(void **state)
{
    (void)state;
    struct rig *rig = rig_new("udp:127.0.0.0/8", (struct dial_config){0});
    struct endpoint at[2];
    struct app app;
    char room[4];
    int fds[] = {serve("127.0.0.1", SOCK_DGRAM, &at[0]), serve("127.0.0.2", SOCK_DGRAM, &at[1])};
    app_open(rig, &app, USHER_UDP, "127.0.0.1", at[0].port);
    pump(rig, app.opened);
    for (size_t i = 0; i < 2; i++) {
        send_to(&app, &at[i]);
        pump(rig, recv(fds[i], room, sizeof room, MSG_DONTWAIT) == 1);
    }
    assert_int_equal(judge_by(rig, "udp:127.0.0.2"), 0);
    send_to(&app, &at[0]);
    send_to(&app, &at[1]);
    pump(rig, recv(fds[1], room, sizeof room, MSG_DONTWAIT) == 1);
    assert_int_equal(recv(fds[0], room, sizeof room, MSG_DONTWAIT), -1);
    assert_false(app.ended);
    assert_int_equal(judge_by(rig, "udp:127.0.0.3"), 1);
    pump(rig, app.ended);
    assert_int_equal(app.word, USHER_DENIED);
    close(fds[0]);
    close(fds[1]);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_are_judged_again),
        cmocka_unit_test(what_is_pending_is_refused),
        cmocka_unit_test(associations_are_judged_again),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
