// SPDX-License-Identifier: GPL-2.0-or-later
// UDP associations against real sockets on loopback: many destinations behind one inside endpoint, who may answer, what
// refusals do, sizes, idleness.
#include "dial_rig.h"

#include "os/socket/udp.h"

static const char allowed[] = "udp:127.0.0.0/8, udp:::1";
static const struct dial_config plain = {.udp_offload = true};
static const struct endpoint inside = {.addr = {.version = 4, .bytes = {10, 1, 0, 2}}, .port = 5000};

static void send_datagram(struct app *app, const struct endpoint *to, const void *bytes, size_t len)
{
    const struct usher_datagram datagram = {.from = inside, .to = *to, .bytes = bytes, .len = len};
    assert_true(usher_session_datagram(app->session, &datagram));
}

// What came to a server, and from where; -1 when nothing did.
static ssize_t receive(int fd, void *room, size_t size, struct endpoint *from)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    ssize_t n = recvfrom(fd, room, size, 0, (struct sockaddr *)&sa, &len);
    if (n >= 0 && from)
        assert_true(endpoint_from_sockaddr(from, (struct sockaddr *)&sa));
    return n;
}

static void reply(int fd, const struct endpoint *to, const void *bytes, size_t len)
{
    struct sockaddr_storage sa;
    socklen_t sa_len = endpoint_to_sockaddr(to, &sa);
    assert_int_equal(sendto(fd, bytes, len, 0, (struct sockaddr *)&sa, sa_len), len);
}

// A server on loopback, which stands at `at`, and an association with it.
static int associate(struct rig *rig, struct app *app, struct endpoint *at)
{
    int server = serve("127.0.0.1", SOCK_DGRAM, at);
    app_open(rig, app, USHER_UDP, "127.0.0.1", at->port);
    pump(rig, app->opened);
    return server;
}

// One datagram to the server; where it came from there.
static struct endpoint ask(struct rig *rig, struct app *app, int server, const struct endpoint *at)
{
    struct endpoint from;
    char room[16];
    send_datagram(app, at, "x", 1);
    pump(rig, receive(server, room, sizeof room, &from) == 1);
    return from;
}

static void one_inside_endpoint_and_many_far_ends(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    struct endpoint at[3], from[2];
    int server[3];
    char room[100];
    for (int i = 0; i < 3; i++)
        server[i] = serve(i == 0 ? "127.0.0.1" : i == 1 ? "127.0.0.2" : "127.0.0.3", SOCK_DGRAM, &at[i]);
    app_open(rig, &app, USHER_UDP, "127.0.0.1", at[0].port);
    pump(rig, app.opened);
    for (int i = 0; i < 2; i++) {
        send_datagram(&app, &at[i], "question", 8);
        pump(rig, receive(server[i], room, sizeof room, &from[i]) == 8);
    }
    assert_int_equal(from[0].port, from[1].port); // RFC 4787 REQ-1
    // Answers come back with the far end's address; from a stranger nothing does.
    reply(server[2], &from[0], "spoof", 5);
    reply(server[1], &from[1], "second", 6);
    reply(server[0], &from[0], "first", 5);
    pump(rig, app.datagram_count == 2);
    settle(rig, 20);
    assert_int_equal(app.datagram_count, 2);
    assert_true(endpoint_equal(&app.datagrams[0].from, &at[1]));
    assert_true(endpoint_equal(&app.datagrams[0].to, &inside));
    assert_memory_equal(app.datagrams[0].bytes, "second", 6);
    assert_true(endpoint_equal(&app.datagrams[1].from, &at[0]));
    // From another port of a host that was asked, one does.
    struct endpoint other;
    int second_port = serve("127.0.0.1", SOCK_DGRAM, &other);
    reply(second_port, &from[0], "other", 5);
    pump(rig, app.datagram_count == 3);
    assert_true(endpoint_equal(&app.datagrams[2].from, &other));
    usher_session_close(app.session);
    pump(rig, app.ended && exchange_flows(rig->exchange) == 0);
    assert_int_equal(app.ending, USHER_ENDED_CLOSED);
    close(second_port);
    for (int i = 0; i < 3; i++)
        close(server[i]);
    rig_free(rig);
}

static void every_datagram_is_judged(void **state)
{
    (void)state;
    struct rig *rig = rig_new("udp:127.0.0.1", plain);
    struct app app;
    struct endpoint at, denied, from;
    char room[16];
    int server = serve("127.0.0.1", SOCK_DGRAM, &at), other = serve("127.0.0.2", SOCK_DGRAM, &denied);
    const struct endpoint nowhere = {0};
    app_open(rig, &app, USHER_UDP, "127.0.0.1", at.port);
    pump(rig, app.opened);
    send_datagram(&app, &denied, "no", 2);
    send_datagram(&app, &denied, "no", 2);
    send_datagram(&app, &nowhere, "no", 2);
    send_datagram(&app, &at, "yes", 3);
    pump(rig, receive(server, room, sizeof room, &from) == 3);
    assert_int_equal(receive(other, room, sizeof room, NULL), -1);
    assert_int_equal(dial_counters(rig->dial)->datagrams_denied, 3);
    // Having been sent to in vain lets nobody in.
    reply(other, &from, "in", 2);
    settle(rig, 20);
    assert_int_equal(app.datagram_count, 0);
    close(server);
    close(other);
    rig_free(rig);
}

static void more_far_ends_than_are_remembered(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    struct endpoint at, from;
    char room[16];
    int server = associate(rig, &app, &at);
    send_datagram(&app, &at, "first", 5); // alone, a refusal by one of the others would end it
    pump(rig, receive(server, room, sizeof room, &from) == 5);
    for (unsigned i = 0; i < 200; i++) {
        struct endpoint to = at;
        to.addr.bytes[3] = (uint8_t)(2 + i);
        send_datagram(&app, &to, "x", 1);
        turn(rig, UV_RUN_NOWAIT);
    }
    send_datagram(&app, &at, "last", 4);
    pump(rig, receive(server, room, sizeof room, &from) == 4);
    reply(server, &from, "answer", 6);
    pump(rig, app.datagram_count == 1);
    close(server);
    rig_free(rig);
}

// What an audit would say.
static char audited[8192];

static void told(void *owner, const struct account *account)
{
    size_t used = strlen(audited);
    (void)owner;
    assert_non_null(account);
    snprintf(audited + used, sizeof audited - used, "%u %s %s %llu/%llu %s%s\n", account->association, account->asked,
             account->rule, (unsigned long long)account->received, (unsigned long long)account->sent,
             account->how.ending == USHER_ENDED_RESET ? "reset " : "", account->how.text);
}

static struct rig *rig_audited(const char *allow)
{
    struct rig *rig = rig_new(allow, plain);
    audited[0] = '\0';
    exchange_attach(rig->exchange, rig->gate);
    exchange_keep_accounts(rig->exchange, told, NULL);
    return rig;
}

static void set_rules(struct rig *rig, const char *allow)
{
    struct policy *before = rig->policy;
    struct fault fault;
    rig->policy = policy_new();
    assert_true(policy_add(rig->policy, true, allow, &fault));
    exchange_set_policy(rig->exchange, rig->policy);
    policy_free(before);
    dial_judge_again(rig->dial);
}

static void each_far_end_has_its_account(void **state)
{
    (void)state;
    struct rig *rig = rig_audited("udp:127.0.0.1, udp:127.0.0.2");
    struct app app;
    struct endpoint at[3], from;
    int server[3];
    for (int i = 0; i < 3; i++)
        server[i] = serve(i == 0 ? "127.0.0.1" : i == 1 ? "127.0.0.2" : "127.0.0.3", SOCK_DGRAM, &at[i]);
    app_open(rig, &app, USHER_UDP, "127.0.0.1", at[0].port);
    pump(rig, app.opened);
    from = ask(rig, &app, server[0], &at[0]);
    ask(rig, &app, server[1], &at[1]);
    ask(rig, &app, server[1], &at[1]);
    send_datagram(&app, &at[2], "denied", 6);
    assert_true(udp_send(server[1], &from, (const uint8_t *)"abcdefgh", 8, 3));
    reply(server[0], &from, "hello", 5);
    pump(rig, app.datagram_count == 4);
    set_rules(rig, "udp:127.0.0.1, udp:127.0.0.3");
    assert_string_equal(audited, "1 127.0.0.2 Allow = udp:127.0.0.2/32 2/8 reset not permitted any more\n");
    audited[0] = '\0';
    ask(rig, &app, server[2], &at[2]); // which had no account until it was allowed
    ask(rig, &app, server[0], &at[0]);
    usher_session_close(app.session);
    pump(rig, app.ended && exchange_flows(rig->exchange) == 0);
    assert_string_equal(audited, "1 127.0.0.3 Allow = udp:127.0.0.3/32 1/0 \n"
                                 "1 127.0.0.1 Allow = udp:127.0.0.1/32 2/5 \n");
    for (int i = 0; i < 3; i++)
        close(server[i]);
    rig_free(rig);
}

static void the_far_end_that_gives_way(void **state)
{
    enum { REMEMBERED = 64 };
    (void)state;
    struct rig *rig = rig_audited("udp:127.0.0.0/8");
    struct app app;
    struct endpoint at;
    int server = associate(rig, &app, &at);
    ask(rig, &app, server, &at);
    for (unsigned i = 0; i < REMEMBERED; i++) { // the first of all gives way, which is the session's own
        struct endpoint to = at;
        to.addr.bytes[2] = 1, to.addr.bytes[3] = (uint8_t)i;
        assert_string_equal(audited, "");
        send_datagram(&app, &to, "x", 1);
        turn(rig, UV_RUN_NOWAIT);
    }
    assert_string_equal(audited, "");
    ask(rig, &app, server, &at);
    assert_string_equal(audited, "1 127.0.1.0 Allow = udp:127.0.0.0/8 1/0 gave way to another far end\n");
    close(server);
    rig_free(rig); // the tunnel ends before
    assert_non_null(strstr(audited, "\n1 127.0.1.63 Allow = udp:127.0.0.0/8 1/0 "));
    unsigned count = 0;
    for (const char *at_line = audited; (at_line = strchr(at_line, '\n')); at_line++)
        count++;
    assert_int_equal(count, REMEMBERED + 2); // and both of the first
}

static void one_far_end_is_one_account(void **state)
{
    (void)state;
    struct rig *rig = rig_audited("udp:127.0.0.0/8");
    struct app app;
    struct endpoint at;
    int server = associate(rig, &app, &at);
    ask(rig, &app, server, &at);
    usher_session_close(app.session);
    pump(rig, app.ended && exchange_flows(rig->exchange) == 0);
    assert_string_equal(audited, "0 127.0.0.1 Allow = udp:127.0.0.0/8 1/0 \n");
    close(server);
    rig_free(rig);
}

static void by_name_there_are_no_addresses(void **state)
{
    (void)state;
    static const char *const hosts[] = {"::1", "127.0.0.1"};
    for (size_t i = 0; i < COUNT(hosts); i++) {
        struct rig *rig = rig_new(allowed, plain);
        struct app app = {0};
        struct endpoint at, from;
        char room[16];
        int server = serve(hosts[i], SOCK_DGRAM, &at);
        struct usher_open open = {.protocol = USHER_UDP, .port = at.port, .by_name = true};
        strcpy(open.host, hosts[i]);
        app.session = usher_session_open(rig->portal, &open, &app_ops, &app);
        pump(rig, app.opened);
        send_datagram(&app, &at, "question", 8);
        pump(rig, receive(server, room, sizeof room, &from) == 8);
        reply(server, &from, "answer", 6);
        pump(rig, app.datagram_count == 1);
        assert_int_equal(app.datagrams[0].from.addr.version, 0);
        assert_int_equal(app.datagrams[0].from.port, 0);
        assert_int_equal(app.datagrams[0].to.port, 0);
        close(server);
        rig_free(rig);
    }
}

static void a_refusal_ends_an_association_with_one_far_end(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < COUNT(hosts); i++) {
        struct rig *rig = rig_new(allowed, plain);
        struct app app;
        struct endpoint at;
        close(serve(hosts[i], SOCK_DGRAM, &at));
        app_open(rig, &app, USHER_UDP, hosts[i], at.port);
        pump(rig, app.opened);
        send_datagram(&app, &at, "x", 1);
        pump(rig, app.ended);
        CASE(hosts[i], app.ending == USHER_ENDED_RESET && app.word == USHER_REFUSED);
        assert_int_equal(exchange_flows(rig->exchange), 0);
        rig_free(rig);
    }
}

static void a_refusal_by_one_of_several_does_not(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    struct endpoint at, closed, from;
    char room[16];
    int server = serve("127.0.0.1", SOCK_DGRAM, &at);
    close(serve("127.0.0.2", SOCK_DGRAM, &closed));
    app_open(rig, &app, USHER_UDP, "127.0.0.1", at.port);
    pump(rig, app.opened);
    for (int i = 0; i < 5; i++) {
        send_datagram(&app, &at, "live", 4);
        send_datagram(&app, &closed, "dead", 4);
        pump(rig, receive(server, room, sizeof room, &from) == 4);
        settle(rig, 5);
    }
    assert_false(app.ended);
    assert_true(idle_turns(rig, 50) < 10);
    reply(server, &from, "answer", 6);
    pump(rig, app.datagram_count == 1);
    close(server);
    rig_free(rig);
}

static void sizes(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 1472, 16376, 65507};
    static uint8_t bytes[65536], room[65536];
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    struct endpoint at, from;
    int server = associate(rig, &app, &at);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = pattern(i);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        app.datagram_count = 0;
        send_datagram(&app, &at, bytes, lengths[i]);
        pump(rig, receive(server, room, sizeof room, &from) == (ssize_t)lengths[i]);
        assert_memory_equal(room, bytes, lengths[i]);
        reply(server, &from, bytes, lengths[i]);
        pump(rig, app.datagram_count == 1);
        assert_int_equal(app.datagrams[0].len, lengths[i]);
    }
    close(server);
    rig_free(rig);
}

// More than one socket may read in a turn: the rest is told again.
static void a_burst_comes_through(void **state)
{
    (void)state;
    enum { BURST = 150 };
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    struct endpoint at, from;
    int server = associate(rig, &app, &at);
    from = ask(rig, &app, server, &at);
    for (int i = 0; i < BURST; i++)
        reply(server, &from, "y", 1);
    pump(rig, app.datagram_count == BURST);
    assert_true(idle_turns(rig, 50) < 10);
    close(server);
    rig_free(rig);
}

// What goes the same way in one turn arrives whole, each by itself, and in order; to two far ends by turns, too.
static void trains_arrive_as_datagrams(void **state)
{
    (void)state;
    static const size_t lengths[] = {100, 100, 100, 60, 100, 0, 100, 1, 2000, 2000, 2000, 16000, 16000};
    static uint8_t bytes[16000], room[65536];
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    struct endpoint at[2], from;
    int server[2];
    for (int i = 0; i < 2; i++)
        server[i] = serve(i == 0 ? "127.0.0.1" : "127.0.0.2", SOCK_DGRAM, &at[i]);
    app_open(rig, &app, USHER_UDP, "127.0.0.1", at[0].port);
    pump(rig, app.opened);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = pattern(i);
    for (size_t i = 0; i < COUNT(lengths); i++)
        send_datagram(&app, &at[0], bytes, lengths[i]);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        send_datagram(&app, &at[i % 2], bytes + i, 10);
        send_datagram(&app, &at[i % 2], bytes + i, 10);
    }
    for (size_t i = 0; i < COUNT(lengths); i++) {
        pump(rig, receive(server[0], room, sizeof room, &from) == (ssize_t)lengths[i]);
        assert_memory_equal(room, bytes, lengths[i]);
    }
    for (size_t i = 0; i < 2 * COUNT(lengths); i++) {
        pump(rig, receive(server[i / 2 % 2], room, sizeof room, &from) == 10);
        assert_memory_equal(room, bytes + i / 2, 10);
    }
    for (int i = 0; i < 2; i++)
        close(server[i]);
    rig_free(rig);
}

// A far end that takes trains sees that they are sent as such, unless they are switched off.
static void trains_are_sent_whole(void **state)
{
    (void)state;
    for (int offload = 0; offload < 2; offload++) {
        struct rig *rig = rig_new(allowed, (struct dial_config){.udp_offload = offload});
        struct udp_inbox *inbox = udp_inbox_new();
        struct app app;
        struct endpoint at;
        int count, server = serve("127.0.0.1", SOCK_DGRAM, &at);
        udp_set_batches(server);
        app_open(rig, &app, USHER_UDP, "127.0.0.1", at.port);
        pump(rig, app.opened);
        for (int i = 0; i < 5; i++)
            send_datagram(&app, &at, "carriage", 8);
        pump(rig, (count = udp_receive(inbox, server, UDP_MESSAGES)) > 0);
        struct udp_message message = udp_message(inbox, 0);
        assert_int_equal(count, offload ? 1 : 5);
        assert_int_equal(message.len, offload ? 40 : 8);
        assert_int_equal(message.piece, 8);
        udp_inbox_free(inbox);
        close(server);
        rig_free(rig);
    }
}

// Two associations bring more in one turn than may wait in the engine: what has no room there waits in the kernel.
static void trains_do_not_overflow_the_tunnel(void **state)
{
    enum { TRAINS = 3, PIECE = 1000, PIECES = 60 };
    (void)state;
    static uint8_t bytes[PIECES * PIECE];
    struct rig *rig = rig_new(allowed, plain);
    struct app app[2];
    struct endpoint at[2], from[2];
    int server[2];
    for (int i = 0; i < 2; i++) {
        server[i] = associate(rig, &app[i], &at[i]);
        from[i] = ask(rig, &app[i], server[i], &at[i]);
    }
    for (unsigned round = 1; round <= 2; round++) { // the second after a pause
        for (int i = 0; i < 2 * TRAINS; i++)
            assert_true(udp_send(server[i % 2], &from[i % 2], bytes, sizeof bytes, PIECE));
        pump(rig, app[0].datagram_count == round * TRAINS * PIECES);
        pump(rig, app[1].datagram_count == round * TRAINS * PIECES);
    }
    close(server[0]);
    close(server[1]);
    rig_free(rig);
}

// What was sent before the close arrives, and an ICMP error that meets a train ends its association once.
static void the_end_of_a_train(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    struct endpoint at, from;
    char room[16];
    int server = associate(rig, &app, &at);
    for (int i = 0; i < 10; i++)
        send_datagram(&app, &at, "last", 4);
    usher_session_close(app.session);
    pump(rig, app.ended && exchange_flows(rig->exchange) == 0);
    assert_int_equal(app.ending, USHER_ENDED_CLOSED);
    for (int i = 0; i < 10; i++)
        assert_int_equal(receive(server, room, sizeof room, &from), 4);
    close(server);

    app_open(rig, &app, USHER_UDP, "127.0.0.1", at.port);
    pump(rig, app.opened);
    for (int i = 0; i < 200; i++)
        send_datagram(&app, &at, "lost", 4);
    usher_session_close(app.session);
    pump(rig, app.ended && exchange_flows(rig->exchange) == 0);
    rig_free(rig);
}

static void trains_come_back_as_datagrams(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    struct endpoint at, from;
    int server = associate(rig, &app, &at);
    from = ask(rig, &app, server, &at);
    assert_true(udp_send(server, &from, (const uint8_t *)"abcdefgh", 8, 3));
    pump(rig, app.datagram_count == 3);
    static const char *const pieces[] = {"abc", "def", "gh"};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        assert_int_equal(app.datagrams[i].len, strlen(pieces[i]));
        assert_memory_equal(app.datagrams[i].bytes, pieces[i], strlen(pieces[i]));
        assert_true(endpoint_equal(&app.datagrams[i].from, &at));
    }
    close(server);
    rig_free(rig);
}

static void idle_associations_end(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    struct endpoint at;
    int server = associate(rig, &app, &at);
    rig->skew_ms = UDP_IDLE_MS - 1000;
    settle(rig, 10);
    assert_false(app.ended);
    rig->skew_ms = UDP_IDLE_MS + 1000;
    pump(rig, app.ended && exchange_flows(rig->exchange) == 0);
    assert_int_equal(app.ending, USHER_ENDED_CLOSED);
    close(server);
    rig_free(rig);
}

static void a_peer_that_does_not_answer_the_close(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    struct endpoint at, from;
    int server = associate(rig, &app, &at);
    from = ask(rig, &app, server, &at);
    rig->blocked = true;
    rig->skew_ms = UDP_IDLE_MS + 1000;
    settle(rig, 10);
    assert_int_equal(exchange_flows(rig->exchange), 1);
    // What comes now is for nobody, and does not keep the loop awake.
    reply(server, &from, "late", 4);
    assert_true(idle_turns(rig, 50) < 10);
    rig->skew_ms = 5 * 60 * 1000 + 1000;
    pump(rig, exchange_flows(rig->exchange) == 0);
    rig->blocked = false;
    pump(rig, app.ended);
    assert_int_equal(app.datagram_count, 0);
    close(server);
    rig_free(rig);
}

static void the_alarm_rings_by_itself(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, (struct dial_config){.udp_idle_ms = 100});
    struct app app;
    app_open(rig, &app, USHER_UDP, "127.0.0.1", 9);
    pump(rig, app.opened);
    assert_true(idle_turns(rig, 60) < 10);
    assert_false(app.ended);
    pump(rig, app.ended);
    rig_free(rig);
}

static void answered_by_a_name_server_it_is_soon_over(void **state)
{
    (void)state;
    const struct endpoint at = {.addr = {.version = 4, .bytes = {127, 0, 0, 53}}, .port = 53};
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(&at, &sa);
    struct endpoint from;
    char room[16];
    int server = socket_datagram(4);
    if (bind(server, (struct sockaddr *)&sa, len) != 0) {
        close(server); // no privilege, or the host's own resolver is there
        skip();
    }
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    app_open(rig, &app, USHER_UDP, "127.0.0.53", 53);
    pump(rig, app.opened);
    send_datagram(&app, &at, "q", 1);
    pump(rig, receive(server, room, sizeof room, &from) == 1);
    rig->skew_ms = DNS_IDLE_MS + 1000;
    settle(rig, 10);
    assert_false(app.ended); // still waiting for its answer
    reply(server, &from, "a", 1);
    pump(rig, app.datagram_count == 1);
    rig->skew_ms = DNS_IDLE_MS - 1000;
    settle(rig, 10);
    assert_false(app.ended);
    rig->skew_ms = DNS_IDLE_MS + 1000;
    pump(rig, app.ended);
    assert_int_equal(app.ending, USHER_ENDED_CLOSED);
    rig_free(rig);
    close(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_inside_endpoint_and_many_far_ends),
        cmocka_unit_test(every_datagram_is_judged),
        cmocka_unit_test(more_far_ends_than_are_remembered),
        cmocka_unit_test(each_far_end_has_its_account),
        cmocka_unit_test(the_far_end_that_gives_way),
        cmocka_unit_test(one_far_end_is_one_account),
        cmocka_unit_test(by_name_there_are_no_addresses),
        cmocka_unit_test(a_refusal_ends_an_association_with_one_far_end),
        cmocka_unit_test(a_refusal_by_one_of_several_does_not),
        cmocka_unit_test(sizes),
        cmocka_unit_test(a_burst_comes_through),
        cmocka_unit_test(trains_arrive_as_datagrams),
        cmocka_unit_test(trains_are_sent_whole),
        cmocka_unit_test(trains_do_not_overflow_the_tunnel),
        cmocka_unit_test(the_end_of_a_train),
        cmocka_unit_test(trains_come_back_as_datagrams),
        cmocka_unit_test(idle_associations_end),
        cmocka_unit_test(a_peer_that_does_not_answer_the_close),
        cmocka_unit_test(the_alarm_rings_by_itself),
        cmocka_unit_test(answered_by_a_name_server_it_is_soon_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
