// SPDX-License-Identifier: GPL-2.0-or-later
// A path against gates that come and go on loopback.
#include "unit.h"

#include "link/path/path.h"
#include "os/clock.h"
#include "os/socket/socket.h"

#include "certs.h"

#include <sys/socket.h>

enum { DOWNS_MAX = 64 };

struct world {
    uv_loop_t loop;
    uv_timer_t limit;
    bool too_late, woken;
    struct tls_identity *gate_identity, *portal_identity;
    struct endpoint at;
    struct path_gate to;
    int listener; // -1 while the gate is away
    struct tunnel *gate;
    struct tunnel *left; // that was the gate's before, and goes on
    bool keeps;          // a new connection replaces none
    bool gate_down;
    struct path *path;
    int ups, downs, lost, moved; // `lost`: downs of a tunnel that was up
    enum path_end end;           // of the last down
    char why[512];
    usec_t down_at[DOWNS_MAX];
};

static void on_limit(uv_timer_t *timer)
{
    struct world *world = timer->data;
    world->too_late = true;
}

static void gate_up(void *owner)
{
    (void)owner;
}

static void gate_opened(void *owner, struct usher_session *session, const struct usher_open *open)
{
    (void)owner;
    (void)session;
    (void)open;
}

static void gate_down(void *owner, const char *why)
{
    struct world *world = owner;
    (void)why;
    bool left = world->left && !tunnel_engine(world->left);
    tunnel_free(left ? world->left : world->gate);
    if (left)
        world->left = NULL;
    else
        world->gate = NULL;
}

static void on_wake(void *owner)
{
    struct world *world = owner;
    world->woken = true;
}

static const struct tunnel_ops gate_ops = {.up = gate_up, .opened = gate_opened, .down = gate_down, .wake = on_wake};

static void on_up(void *owner, struct tunnel *tunnel)
{
    struct world *world = owner;
    assert_ptr_equal(path_tunnel(world->path), tunnel);
    world->ups++;
}

static void on_down(void *owner, enum path_end end, const char *why)
{
    struct world *world = owner;
    assert_null(path_tunnel(world->path));
    if (world->downs < DOWNS_MAX)
        world->down_at[world->downs] = clock_now();
    world->downs++;
    world->lost += end == PATH_LOST;
    world->moved += end == PATH_MOVED;
    world->end = end;
    snprintf(world->why, sizeof(world->why), "%s", why);
}

static const struct path_ops path_ops = {.up = on_up, .opened = gate_opened, .down = on_down, .wake = on_wake};

static const struct tunnel_config tunnel_config = {
    .engine = {.max_sessions = 100, .max_unanswered = 100, .window_budget = 1 << 20, .window_max = 1 << 20},
    .lane = {.handshake_timeout_ms = 500},
    .batch = 256 * 1024,
    .batch_interactive = 64 * 1024,
};

static void gate_opens(struct world *world)
{
    struct fault fault;
    world->listener = socket_listen(&world->at, 8, &fault);
    if (world->listener < 0)
        fail_msg("%s", fault.text);
    socket_local(world->listener, &world->at);
}

static void gate_closes(struct world *world)
{
    close(world->listener);
    world->listener = -1;
    tunnel_free(world->gate);
    world->gate = NULL;
}

static void gate_accepts(struct world *world)
{
    struct fault fault;
    int fd = world->listener < 0 ? -1 : accept4(world->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (world->keeps)
        world->left = world->gate;
    else
        tunnel_free(world->gate);
    struct lane *lane = lane_new(&world->loop, fd, world->gate_identity, TLS_GATE, NULL, &tunnel_config.lane, &fault);
    world->gate = tunnel_new(&world->loop, &tunnel_config, &gate_ops, world);
    tunnel_carry(world->gate, lane);
}

static struct world *world_of(const char *host, struct certs_case portal, const char *peer_name)
{
    struct fault fault = {""};
    struct world *world = calloc(1, sizeof(*world));
    uv_loop_init(&world->loop);
    uv_timer_init(&world->loop, &world->limit);
    world->limit.data = world;
    world->gate_identity = certs_identity(TLS_GATE, (struct certs_case){.stem = "pki/gate.example.net"});
    world->portal_identity = certs_identity(TLS_PORTAL, portal);
    endpoint_parse(&world->at, "127.0.0.1:0");
    gate_opens(world);
    world->to = (struct path_gate){.host = host, .port = world->at.port, .peer_name = peer_name};
    const struct path_config config = {
        .gates = &world->to, .gate_count = 1, .identity = world->portal_identity, .tunnel = tunnel_config};
    world->path = path_new(&world->loop, &config, &path_ops, world, &fault);
    if (!world->path)
        fail_msg("%s", fault.text);
    return world;
}

static struct world *world_new(const char *host)
{
    return world_of(host, (struct certs_case){.stem = "pki/branch"}, "gate.example.net");
}

static bool run(struct world *world, bool (*done)(struct world *world), unsigned ms)
{
    bool more = true;
    world->too_late = false;
    uv_timer_start(&world->limit, on_limit, ms, 0);
    while (!done(world) && !world->too_late) {
        world->woken = false;
        // The gate has no watcher of its own: it looks each millisecond.
        if (!more)
            usleep(1000);
        uv_run(&world->loop, UV_RUN_NOWAIT);
        gate_accepts(world);
        usec_t now = clock_now();
        more = path_turn(world->path, now);
        more |= world->gate && tunnel_turn(world->gate, now);
        more |= world->left && tunnel_turn(world->left, now);
        more |= world->woken;
    }
    uv_timer_stop(&world->limit);
    return !world->too_late;
}

static void world_free(struct world *world)
{
    path_free(world->path);
    tunnel_free(world->gate);
    tunnel_free(world->left);
    if (world->listener >= 0)
        close(world->listener);
    uv_close((uv_handle_t *)&world->limit, NULL);
    for (int i = 0; i < 10; i++)
        uv_run(&world->loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    tls_identity_free(world->gate_identity);
    tls_identity_free(world->portal_identity);
    free(world);
}

static bool up(struct world *world)
{
    return world->ups > 0;
}

static bool up_twice(struct world *world)
{
    return world->ups == 2;
}

static bool down(struct world *world)
{
    return world->downs > 0;
}

static bool down_four_times(struct world *world)
{
    return world->downs >= 4;
}

static bool never(struct world *world)
{
    (void)world;
    return false;
}

static void test_up_by_address_and_name(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        struct world *world = world_new(hosts[i]);
        CASE(hosts[i], run(world, up, 5000));
        CASE(hosts[i], world->downs == 0);
        world_free(world);
    }
}

static void test_unknown_host(void **state)
{
    (void)state;
    struct world *world = world_new("no-such-host.invalid");
    assert_true(run(world, down, 8000));
    CASE(world->why, strstr(world->why, "cannot resolve no-such-host.invalid: "));
    assert_int_equal(world->end, PATH_UNREACHABLE);
    world_free(world);
}

// Attempts at a gate that is away come at 0, 0.2, 0.6 and 1.4 s, a quarter more or less each; when it is back it is found.
static void test_backoff_and_return(void **state)
{
    (void)state;
    struct world *world = world_new("127.0.0.1");
    gate_closes(world);
    usec_t start = clock_now();
    assert_true(run(world, down_four_times, 5000));
    CASE(world->why, strstr(world->why, "Connection refused") && world->lost == 0);
    static const unsigned earliest_ms[] = {0, 150, 450, 1050}, latest_ms[] = {150, 400, 950, 2000};
    for (size_t i = 0; i < 4; i++)
        assert_in_range(world->down_at[i] - start, earliest_ms[i] * 1000, latest_ms[i] * 1000);
    gate_opens(world);
    assert_true(run(world, up, 5000));
    world_free(world);
}

// The network has changed: no more waiting.
static void test_network_change(void **state)
{
    (void)state;
    struct world *world = world_new("127.0.0.1");
    gate_closes(world);
    run(world, down_four_times, 5000);
    gate_opens(world);
    usec_t start = clock_now();
    path_network_changed(world->path);
    assert_true(run(world, up, 1000));
    assert_true(clock_now() - start < 500 * USEC_PER_MSEC);
    // And a tunnel whose address is still there is left alone.
    path_network_changed(world->path);
    run(world, never, 100);
    assert_true(world->downs == 4 && path_tunnel(world->path));
    world_free(world);
}

static void test_lost_and_again(void **state)
{
    (void)state;
    struct world *world = world_new("127.0.0.1");
    assert_true(run(world, up, 5000));
    tunnel_free(world->gate);
    world->gate = NULL;
    usec_t start = clock_now();
    assert_true(run(world, up_twice, 5000));
    assert_true(world->lost == 1 && world->downs == 1);
    assert_true(clock_now() - start < 1000 * USEC_PER_MSEC);
    world_free(world);
}

static bool displaced(struct world *world)
{
    if (path_tunnel(world->path) && world->gate && tunnel_engine(world->gate))
        tunnel_end(world->gate, TUNNEL_REPLACED);
    return world->lost == 2;
}

// Two holders of one certificate: the second time it waits, whoever wants the tunnel, and says why.
static void test_displaced_by_another(void **state)
{
    (void)state;
    struct world *world = world_new("127.0.0.1");
    usec_t start = clock_now();
    path_want(world->path, true);
    assert_true(run(world, displaced, 5000));
    assert_true(clock_now() - start < 1500 * USEC_PER_MSEC);
    assert_non_null(strstr(world->why, "another portal with this certificate takes its place"));
    assert_int_equal(world->ups, 2);
    usec_t at = clock_now();
    world->lost = 0;
    world->ups = 0;
    run(world, never, 2800);
    assert_int_equal(world->ups, 0);
    assert_true(run(world, up, 3000));
    assert_true(clock_now() - at < 6 * USEC_PER_SEC);
    world_free(world);
}

static bool moved(struct world *world)
{
    return world->moved == 1 && world->ups == 2;
}

static bool left_is_over(struct world *world)
{
    return !world->left;
}

static unsigned session_over;

static void count_over(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    (void)owner, (void)ending, (void)word, (void)text;
    session_over++;
}

// The tunnel is left for another one: a session in it goes on, and ends with it alone.
static void test_moved(void **state)
{
    static const struct usher_session_ops ops = {.ended = count_over};
    const struct usher_open open = {
        .protocol = USHER_TCP, .port = 80, .addr = address_v4((const uint8_t[]){10, 0, 0, 1})};
    (void)state;
    struct world *world = world_new("127.0.0.1");
    session_over = 0;
    assert_true(run(world, up, 5000));
    struct tunnel *old = path_tunnel(world->path);
    assert_non_null(usher_session_open(tunnel_engine(old), &open, &ops, NULL));
    world->keeps = true;
    usec_t start = clock_now();
    path_move(world->path, "as the gate wants");
    path_move(world->path, "as the gate wants"); // asked twice
    assert_true(run(world, moved, 5000));
    assert_true(clock_now() - start >= 150 * USEC_PER_MSEC); // the tunnel was young: not round in circles
    assert_non_null(strstr(world->why, "as the gate wants"));
    assert_ptr_not_equal(path_tunnel(world->path), old);
    assert_true(world->downs == 1 && world->lost == 0);
    uint64_t sent = path_left_counters(world->path)->bytes_sent;
    run(world, never, 50);
    assert_true(path_left_counters(world->path)->bytes_sent >= sent && sent > 0);
    world->keeps = false;
    tunnel_end(world->left, "drained");
    assert_true(run(world, left_is_over, 2000));
    run(world, never, 50);
    assert_true(session_over == 1 && world->downs == 1 && path_tunnel(world->path));
    world_free(world);
}

// The gate lets nobody in: what there is serves on, and when it is lost the path goes on as ever.
static void test_nowhere_to_move(void **state)
{
    (void)state;
    struct world *world = world_new("127.0.0.1");
    assert_true(run(world, up, 5000));
    close(world->listener);
    world->listener = -1;
    path_move(world->path, "as the gate wants");
    run(world, never, 1500);
    assert_true(world->downs == 0 && path_tunnel(world->path));
    tunnel_end(world->gate, "drained");
    assert_true(run(world, down, 2000));
    assert_true(world->lost == 1 && world->moved == 0);
    gate_opens(world);
    assert_true(run(world, up_twice, 5000));
    world_free(world);
}

// Both say goodbye when the path is stopped.
static void test_stop_after_move(void **state)
{
    (void)state;
    struct world *world = world_new("127.0.0.1");
    assert_true(run(world, up, 5000));
    world->keeps = true;
    path_move(world->path, "as the gate wants");
    assert_true(run(world, moved, 5000));
    path_stop(world->path, "asked to");
    world->downs = 0;
    assert_true(run(world, down, 2000));
    assert_true(world->lost == 1);
    run(world, left_is_over, 1000);
    assert_null(world->left);
    world_free(world);
}

static void test_stop(void **state)
{
    (void)state;
    struct world *world = world_new("127.0.0.1");
    assert_true(run(world, up, 5000));
    path_stop(world->path, "asked to");
    assert_true(run(world, down, 2000));
    assert_true(world->lost == 1 && strstr(world->why, "asked to"));
    run(world, never, 500);
    assert_true(world->ups == 1 && world->downs == 1);
    world_free(world);

    world = world_new("127.0.0.1");
    path_stop(world->path, "asked to");
    assert_true(run(world, down, 1000));
    assert_true(world->lost == 0 && strstr(world->why, "asked to"));
    world_free(world);
}

// A listener that never says a word of TLS.
static void test_mute_gate(void **state)
{
    (void)state;
    struct world *world = world_new("127.0.0.1");
    int listener = world->listener;
    world->listener = -1;
    assert_true(run(world, down, 3000));
    CASE(world->why, strstr(world->why, "did not complete the TLS handshake"));
    assert_int_equal(world->end, PATH_UNREACHABLE);
    close(listener);
    world_free(world);
}

// Either end refuses the other: the owner learns that waiting is of no use.
static void test_untrusted(void **state)
{
    static const struct {
        const char *portal, *gate_name, *says;
    } rows[] = {
        {"pki/branch", "other.example.net", "is for another name"},
        {"expired-portal", "gate.example.net", "refused our certificate: it has expired"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world *world = world_of("127.0.0.1", (struct certs_case){.stem = rows[i].portal}, rows[i].gate_name);
        assert_true(run(world, down, 3000));
        CASE(world->why, strstr(world->why, rows[i].says) && world->end == PATH_UNTRUSTED && world->ups == 0);
        world_free(world);
    }
}

static bool down_twice(struct world *world)
{
    return world->downs == 2;
}

// By another identity, if it is not NULL, and to a gate that is configured as `host`.
static void renew(struct world *world, const char *host, struct tls_identity *identity)
{
    struct path_gate to = {.host = host, .port = world->at.port, .peer_name = "gate.example.net"};
    const struct path_config config = {.gates = &to,
                                       .gate_count = 1,
                                       .identity = identity ? identity : world->portal_identity,
                                       .tunnel = tunnel_config};
    path_renew(world->path, &config);
}

static void test_renewed_and_the_same(void **state)
{
    (void)state;
    struct world *world = world_new("127.0.0.1");
    assert_true(run(world, up, 5000));
    struct tls_identity *another = certs_identity(TLS_PORTAL, (struct certs_case){.stem = "pki/branch"});
    renew(world, "127.0.0.1", another);
    tls_identity_free(world->portal_identity); // the tunnel goes by it still
    world->portal_identity = another;
    run(world, never, 300);
    assert_true(world->ups == 1 && world->downs == 0 && path_tunnel(world->path));
    assert_string_equal(path_gate(world->path)->host, "127.0.0.1");
    world_free(world);
}

// By other authorities the gate is nobody.
static void test_renewed_and_trusted_no_more(void **state)
{
    (void)state;
    struct world *world = world_new("127.0.0.1");
    assert_true(run(world, up, 5000));
    struct tls_identity *alien =
        certs_identity(TLS_PORTAL, (struct certs_case){.stem = "alien/branch", .ca = "alien/ca.crt"});
    usec_t start = clock_now();
    renew(world, "127.0.0.1", alien);
    assert_true(run(world, down, 3000));
    assert_true(world->lost == 1 && world->end == PATH_LOST);
    CASE(world->why, strstr(world->why, "the gate's certificate"));
    assert_true(run(world, down_twice, 3000)); // the next attempt comes at once
    assert_true(clock_now() - start < 1 * USEC_PER_SEC);
    assert_int_equal(world->end, PATH_UNTRUSTED);
    renew(world, "127.0.0.1", NULL);
    assert_true(run(world, up_twice, 1000));
    world_free(world);
    tls_identity_free(alien);
}

// One that was left for another goes by the same identity, and its sessions with it.
static void test_renewed_and_a_left_one_trusted_no_more(void **state)
{
    static const struct usher_session_ops ops = {.ended = count_over};
    const struct usher_open open = {
        .protocol = USHER_TCP, .port = 80, .addr = address_v4((const uint8_t[]){10, 0, 0, 1})};
    (void)state;
    struct world *world = world_new("127.0.0.1");
    session_over = 0;
    assert_true(run(world, up, 5000));
    assert_non_null(usher_session_open(tunnel_engine(path_tunnel(world->path)), &open, &ops, NULL));
    world->keeps = true;
    path_move(world->path, "as the gate wants");
    assert_true(run(world, moved, 5000));
    run(world, never, 50);
    assert_non_null(world->left);
    struct tls_identity *alien =
        certs_identity(TLS_PORTAL, (struct certs_case){.stem = "alien/branch", .ca = "alien/ca.crt"});
    renew(world, "127.0.0.1", alien);
    assert_true(run(world, left_is_over, 2000));
    run(world, never, 50);
    assert_int_equal(session_over, 1);
    world_free(world);
    tls_identity_free(alien);
}

static void test_renewed_and_listed_no_more(void **state)
{
    (void)state;
    struct world *world = world_new("127.0.0.1");
    assert_true(run(world, up, 5000));
    renew(world, "localhost", NULL);
    assert_string_equal(path_gate(world->path)->host, "127.0.0.1"); // that has the tunnel
    assert_true(run(world, up_twice, 3000));
    assert_int_equal(world->lost, 1);
    assert_string_equal(world->why, "the portal's configuration names this gate no longer");
    assert_string_equal(path_gate(world->path)->host, "localhost");
    world_free(world);
}

// What is under way, or waits, begins anew.
static void test_renewed_while_down(void **state)
{
    (void)state;
    struct world *world = world_new("no-such-host.invalid");
    renew(world, "127.0.0.1", NULL); // resolving
    assert_true(run(world, up, 1000));
    world_free(world);

    world = world_new("127.0.0.1");
    gate_closes(world);
    assert_true(run(world, down_four_times, 5000));
    gate_opens(world);
    renew(world, "127.0.0.1", NULL); // waiting
    assert_true(run(world, up, 500));
    world_free(world);

    world = world_new("127.0.0.1");
    path_stop(world->path, "asked to");
    renew(world, "127.0.0.1", NULL); // ending
    assert_true(run(world, down, 1000));
    run(world, never, 300);
    assert_int_equal(world->ups, 0);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_renewed_and_the_same),
        cmocka_unit_test(test_renewed_and_trusted_no_more),
        cmocka_unit_test(test_renewed_and_a_left_one_trusted_no_more),
        cmocka_unit_test(test_renewed_and_listed_no_more),
        cmocka_unit_test(test_renewed_while_down),
        cmocka_unit_test(test_up_by_address_and_name),
        cmocka_unit_test(test_unknown_host),
        cmocka_unit_test(test_backoff_and_return),
        cmocka_unit_test(test_network_change),
        cmocka_unit_test(test_lost_and_again),
        cmocka_unit_test(test_displaced_by_another),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_moved),
        cmocka_unit_test(test_nowhere_to_move),
        cmocka_unit_test(test_stop_after_move),
        cmocka_unit_test(test_mute_gate),
        cmocka_unit_test(test_untrusted),
    };
    struct fault fault;
    if (!tls_library_start(&fault))
        return 1;
    return cmocka_run_group_tests(tests, certs_make, certs_remove);
}
