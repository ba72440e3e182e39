// SPDX-License-Identifier: GPL-2.0-or-later
// Two tunnels over loopback TCP on one loop, with everything real but the edges: sessions that echo what they are sent.
#include "unit.h"

#include "link/tunnel/tunnel.h"
#include "os/clock.h"
#include "os/socket/socket.h"

#include "certs.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>

// ------------------------------------------------------------------------------------------------ a loop with two ends

struct end {
    struct tunnel *tunnel;
    bool up, down;
    char why[640];
    size_t opened; // sessions that the peer opened here
    size_t lost;   // sessions that ended because the tunnel did
    struct wire *wire;
};

struct wire {
    uv_loop_t loop;
    uv_timer_t limit;
    bool too_late;
    bool woken;
    struct end gate, portal;
    struct tls_identity *gate_identity, *portal_identity;
};

struct echo {
    struct end *end;
    struct usher_session *session;
    struct slice queue[2048];
    size_t head, tail;
    size_t offset; // of the first slice
    bool finished;
};

static size_t echo_fill(void *owner, uint8_t *room, size_t size)
{
    struct echo *echo = owner;
    size_t len = 0;
    while (echo->head != echo->tail && len < size) {
        struct slice *slice = &echo->queue[echo->head % COUNT(echo->queue)];
        size_t part = slice->len - echo->offset;
        if (part > size - len)
            part = size - len;
        memcpy(room + len, slice->bytes + echo->offset, part);
        len += part;
        echo->offset += part;
        usher_session_consumed(echo->session, part);
        if (echo->offset == slice->len) {
            slice_drop(slice);
            echo->head++;
            echo->offset = 0;
        }
    }
    if (len == 0 && echo->finished)
        usher_session_finish(echo->session);
    return len;
}

static void echo_data(void *owner, const struct slice *slice)
{
    struct echo *echo = owner;
    assert_true(echo->tail - echo->head < COUNT(echo->queue));
    echo->queue[echo->tail++ % COUNT(echo->queue)] = slice_keep(slice);
    usher_session_ready(echo->session);
}

static void echo_finished(void *owner)
{
    struct echo *echo = owner;
    echo->finished = true;
    usher_session_ready(echo->session);
}

static void echo_ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct echo *echo = owner;
    (void)word;
    (void)text;
    echo->end->lost += ending == USHER_ENDED_LOST;
    while (echo->head != echo->tail)
        slice_drop(&echo->queue[echo->head++ % COUNT(echo->queue)]);
    free(echo);
}

static void ignore(void *owner)
{
    (void)owner;
}

static const struct usher_session_ops echo_ops = {
    .fill = echo_fill, .data = echo_data, .finished = echo_finished, .stop_sending = ignore, .ended = echo_ended};

static void on_up(void *owner)
{
    struct end *end = owner;
    end->up = true;
}

static void on_opened(void *owner, struct usher_session *session, const struct usher_open *open)
{
    struct end *end = owner;
    struct echo *echo = calloc(1, sizeof(*echo));
    (void)open;
    end->opened++;
    echo->end = end;
    echo->session = session;
    usher_session_attach(session, &echo_ops, echo);
    usher_session_accept(session);
}

static void on_down(void *owner, const char *why)
{
    struct end *end = owner;
    end->down = true;
    snprintf(end->why, sizeof(end->why), "%s", why);
    tunnel_free(end->tunnel);
    end->tunnel = NULL;
}

static void on_wake(void *owner)
{
    struct end *end = owner;
    end->wire->woken = true;
}

static const struct tunnel_ops tunnel_ops = {.up = on_up, .opened = on_opened, .down = on_down, .wake = on_wake};

static const struct tunnel_config tunnel_config = {
    .engine = {.max_sessions = 1000, .max_unanswered = 100, .window_budget = 64 << 20, .window_max = 16 << 20},
    .lane = {.notsent_lowat = 128 * 1024, .handshake_timeout_ms = 500},
    .batch = 256 * 1024,
    .batch_interactive = 64 * 1024,
};

static void on_limit(uv_timer_t *timer)
{
    struct wire *wire = timer->data;
    wire->too_late = true;
}

static void make_sockets(int fds[2])
{
    struct endpoint at;
    struct fault fault;
    endpoint_parse(&at, "127.0.0.1:0");
    int listener = socket_listen(&at, 1, &fault);
    assert_true(listener >= 0 && socket_local(listener, &at));
    fds[0] = socket_stream(4);
    assert_true(socket_connect(fds[0], &at) >= 0);
    while ((fds[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0)
        assert_int_equal(errno, EAGAIN);
    close(listener);
}

static struct wire *wire_new(struct certs_case gate, struct certs_case portal)
{
    struct wire *wire = calloc(1, sizeof(*wire));
    uv_loop_init(&wire->loop);
    uv_timer_init(&wire->loop, &wire->limit);
    wire->limit.data = wire;
    wire->gate.wire = wire->portal.wire = wire;
    wire->gate_identity = certs_identity(TLS_GATE, gate);
    wire->portal_identity = certs_identity(TLS_PORTAL, portal);
    return wire;
}

static struct lane *lane_over(struct wire *wire, int fd, enum tls_role role)
{
    struct fault fault;
    bool gate = role == TLS_GATE;
    struct lane *lane = lane_new(&wire->loop, fd, gate ? wire->gate_identity : wire->portal_identity, role,
                                 gate ? NULL : "gate.example.net", &tunnel_config.lane, &fault);
    assert_non_null(lane);
    return lane;
}

static void end_connect(struct end *end, int fd, enum tls_role role, const struct tunnel_config *config)
{
    end->tunnel = tunnel_new(&end->wire->loop, config, &tunnel_ops, end);
    tunnel_carry(end->tunnel, lane_over(end->wire, fd, role));
}

static void wire_connect(struct wire *wire, int gate, int portal)
{
    if (gate >= 0)
        end_connect(&wire->gate, gate, TLS_GATE, &tunnel_config);
    if (portal >= 0)
        end_connect(&wire->portal, portal, TLS_PORTAL, &tunnel_config);
}

static struct wire *wire_up(void)
{
    int fds[2];
    struct wire *wire =
        wire_new((struct certs_case){.stem = "pki/gate.example.net"}, (struct certs_case){.stem = "pki/branch"});
    make_sockets(fds);
    wire_connect(wire, fds[1], fds[0]);
    return wire;
}

// Turns the loop until `done`, as a program would: it sleeps only when no tunnel asked it not to.
static bool wire_run(struct wire *wire, bool (*done)(struct wire *wire), unsigned ms)
{
    wire->too_late = false;
    uv_timer_start(&wire->limit, on_limit, ms, 0);
    bool more = true;
    while (!done(wire) && !wire->too_late) {
        wire->woken = false;
        uv_run(&wire->loop, more ? UV_RUN_NOWAIT : UV_RUN_ONCE);
        usec_t now = clock_now();
        more = wire->gate.tunnel && tunnel_turn(wire->gate.tunnel, now);
        more |= wire->portal.tunnel && tunnel_turn(wire->portal.tunnel, now);
        more |= wire->woken;
    }
    uv_timer_stop(&wire->limit);
    return !wire->too_late;
}

static void wire_free(struct wire *wire)
{
    tunnel_free(wire->gate.tunnel);
    tunnel_free(wire->portal.tunnel);
    uv_close((uv_handle_t *)&wire->limit, NULL);
    for (int i = 0; i < 10; i++)
        uv_run(&wire->loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_close(&wire->loop), 0);
    tls_identity_free(wire->gate_identity);
    tls_identity_free(wire->portal_identity);
    free(wire);
}

static bool both_up(struct wire *wire)
{
    return wire->gate.up && wire->portal.up;
}

static bool both_down(struct wire *wire)
{
    return wire->gate.down && wire->portal.down;
}

static bool gate_down(struct wire *wire)
{
    return wire->gate.down;
}

static bool portal_down(struct wire *wire)
{
    return wire->portal.down;
}

static bool never(struct wire *wire)
{
    (void)wire;
    return false;
}

// ------------------------------------------------------------------------------- sessions that send and check their echo

struct asker {
    struct wire *wire;
    struct usher_session *session;
    uint32_t seed;
    size_t size, sent, checked;
    bool ended, lost;
};

// The byte at an offset of one asker's stream.
static uint8_t byte_at(uint32_t seed, size_t offset)
{
    uint32_t x = (uint32_t)offset * 2654435761u ^ seed;
    return (uint8_t)(x >> 24 ^ x >> 7);
}

static void asker_opened(void *owner)
{
    struct asker *asker = owner;
    usher_session_ready(asker->session);
}

static size_t asker_fill(void *owner, uint8_t *room, size_t size)
{
    struct asker *asker = owner;
    size_t len = asker->size - asker->sent < size ? asker->size - asker->sent : size;
    for (size_t i = 0; i < len; i++)
        room[i] = byte_at(asker->seed, asker->sent + i);
    asker->sent += len;
    if (len == 0)
        usher_session_finish(asker->session);
    return len;
}

static void asker_data(void *owner, const struct slice *slice)
{
    struct asker *asker = owner;
    for (size_t i = 0; i < slice->len; i++) {
        if (slice->bytes[i] != byte_at(asker->seed, asker->checked + i))
            fail_msg("byte %zu of stream %u is wrong", asker->checked + i, asker->seed);
    }
    asker->checked += slice->len;
    usher_session_consumed(asker->session, slice->len);
}

static void asker_ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct asker *asker = owner;
    (void)word;
    (void)text;
    asker->ended = true;
    asker->lost = ending == USHER_ENDED_LOST;
}

static const struct usher_session_ops asker_ops = {.opened = asker_opened,
                                                   .fill = asker_fill,
                                                   .data = asker_data,
                                                   .finished = ignore,
                                                   .stop_sending = ignore,
                                                   .ended = asker_ended};

enum { ASKERS = 16 };
static struct asker askers[ASKERS];

static void ask(struct end *from, size_t count, size_t size)
{
    struct usher_open open = {.protocol = USHER_TCP, .port = 7};
    address_parse(&open.addr, "10.0.0.7");
    for (size_t i = 0; i < count; i++) {
        askers[i] = (struct asker){.seed = (uint32_t)(i * 7919 + 13), .size = size, .wire = from->wire};
        askers[i].session = usher_session_open(tunnel_engine(from->tunnel), &open, &asker_ops, &askers[i]);
        assert_non_null(askers[i].session);
    }
    for (size_t i = count; i < ASKERS; i++)
        askers[i] = (struct asker){.ended = true};
    from->wire->woken = true;
}

static bool all_ended(struct wire *wire)
{
    (void)wire;
    for (size_t i = 0; i < ASKERS; i++) {
        if (!askers[i].ended)
            return false;
    }
    return true;
}

// ------------------------------------------------------------------------------------------------------------- tests

static void hear_rtt(struct facts *facts, const struct fact *fact)
{
    if (!strcmp(fact->name, "rtt_us"))
        *(uint64_t *)facts->reader = fact->value;
}

static uint64_t rtt_of(const struct tunnel *tunnel)
{
    static const struct facts_ops ops = {.fact = hear_rtt};
    uint64_t rtt = 0;
    struct facts facts = {.ops = &ops, .reader = &rtt};
    tunnel_describe(tunnel, &facts);
    return rtt;
}

static void test_echo(void **state)
{
    (void)state;
    struct wire *wire = wire_up();
    assert_true(wire_run(wire, both_up, 5000));
    struct end *sides[] = {&wire->portal, &wire->gate};
    static const struct {
        size_t count, size;
    } loads[] = {{1, 0}, {1, 1}, {1, 8 << 20}, {ASKERS, 1 << 20}, {ASKERS, 65537}};
    for (size_t s = 0; s < COUNT(sides); s++) {
        for (size_t i = 0; i < COUNT(loads); i++) {
            ask(sides[s], loads[i].count, loads[i].size);
            assert_true(wire_run(wire, all_ended, 20000));
            for (size_t a = 0; a < loads[i].count; a++)
                assert_true(!askers[a].lost && askers[a].checked == loads[i].size);
        }
    }
    assert_int_equal(usher_engine_sessions(tunnel_engine(wire->gate.tunnel)), 0);
    assert_true(rtt_of(wire->portal.tunnel) > 0);
    wire_free(wire);
}

// 16 sessions echo 1 MiB each way through kernel buffers of the smallest size: whoever waited for the other side's
// reading before reading itself would stop for ever.
static void test_small_buffers(void **state)
{
    (void)state;
    int fds[2], size = 16 * 1024;
    struct wire *wire =
        wire_new((struct certs_case){.stem = "pki/gate.example.net"}, (struct certs_case){.stem = "pki/branch"});
    make_sockets(fds);
    for (int i = 0; i < 2; i++) {
        setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    }
    wire_connect(wire, fds[1], fds[0]);
    assert_true(wire_run(wire, both_up, 5000));
    ask(&wire->portal, ASKERS, 1 << 20);
    assert_true(wire_run(wire, all_ended, 60000));
    for (size_t a = 0; a < ASKERS; a++)
        assert_int_equal(askers[a].checked, 1 << 20);
    wire_free(wire);
}

// An end in order reaches the other side with its reason; every session ends as lost at both.
static void test_end(void **state)
{
    (void)state;
    for (int by_gate = 0; by_gate < 2; by_gate++) {
        struct wire *wire = wire_up();
        assert_true(wire_run(wire, both_up, 5000));
        ask(&wire->portal, ASKERS, 4 << 20);
        wire_run(wire, never, 20);
        tunnel_end(by_gate ? wire->gate.tunnel : wire->portal.tunnel, "going\nhome");
        assert_true(wire_run(wire, both_down, 2000));
        struct end *by = by_gate ? &wire->gate : &wire->portal, *other = by_gate ? &wire->portal : &wire->gate;
        assert_non_null(strstr(by->why, "going"));
        assert_non_null(strstr(other->why, "by the peer: going\\x0ahome"));
        assert_true(wire->gate.lost == wire->gate.opened);
        for (size_t a = 0; a < ASKERS; a++)
            assert_true(askers[a].ended && askers[a].lost);
        wire_free(wire);
    }
}

// The other side's socket closes or resets in the middle of everything: never a clean end.
static void test_cut(void **state)
{
    (void)state;
    static const struct {
        bool reset;
        const char *says;
    } cases[] = {{false, "the gate closed the connection without ending the tunnel"},
                 {true, "the gate reset the connection"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        int fds[2];
        struct wire *wire =
            wire_new((struct certs_case){.stem = "pki/gate.example.net"}, (struct certs_case){.stem = "pki/branch"});
        make_sockets(fds);
        int handle = dup(fds[1]);
        wire_connect(wire, fds[1], fds[0]);
        assert_true(wire_run(wire, both_up, 5000));
        ask(&wire->portal, ASKERS, 16 << 20);
        wire_run(wire, never, 20);
        struct linger at_once = {.l_onoff = 1};
        if (cases[i].reset)
            setsockopt(handle, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        else
            shutdown(handle, SHUT_WR);
        tunnel_free(wire->gate.tunnel);
        wire->gate.tunnel = NULL;
        close(handle);
        assert_true(wire_run(wire, portal_down, 2000));
        CASE(wire->portal.why, strstr(wire->portal.why, cases[i].reset ? "reset" : "the gate"));
        for (size_t a = 0; a < ASKERS; a++)
            assert_true(askers[a].ended && askers[a].lost);
        wire_free(wire);
    }
}

// A gate that says why and is gone at once, with a reset, and a portal that meets the reset first when it sends: the
// reason is still heard.
static void test_last_words(void **state)
{
    (void)state;
    int fds[2];
    struct wire *wire =
        wire_new((struct certs_case){.stem = "pki/gate.example.net"}, (struct certs_case){.stem = "pki/branch"});
    make_sockets(fds);
    int handle = dup(fds[1]);
    wire_connect(wire, fds[1], fds[0]);
    assert_true(wire_run(wire, both_up, 5000));
    wire_run(wire, never, 20);
    // What the gate never reads makes the kernel reset the connection when it closes.
    ask(&wire->portal, 1, 1000);
    tunnel_turn(wire->portal.tunnel, clock_now());
    tunnel_end(wire->gate.tunnel, "out of order");
    tunnel_turn(wire->gate.tunnel, clock_now());
    tunnel_free(wire->gate.tunnel);
    wire->gate.tunnel = NULL;
    close(handle);
    ask(&wire->portal, 1, 1000);
    tunnel_turn(wire->portal.tunnel, clock_now());
    assert_true(wire_run(wire, portal_down, 2000));
    CASE(wire->portal.why, strstr(wire->portal.why, "out of order"));
    wire_free(wire);
}

// A portal that the gate refuses never comes up, although TLS 1.3 told it that all was well.
static void test_refused_portal(void **state)
{
    (void)state;
    int fds[2];
    struct wire *wire = wire_new((struct certs_case){.stem = "pki/gate.example.net", .crl = "pki/crl.pem"},
                                 (struct certs_case){.stem = "pki/lost"});
    make_sockets(fds);
    wire_connect(wire, fds[1], fds[0]);
    assert_true(wire_run(wire, both_down, 2000));
    assert_false(wire->portal.up || wire->gate.up);
    CASE(wire->gate.why, strstr(wire->gate.why, "is revoked"));
    CASE(wire->portal.why, strstr(wire->portal.why, "refused our certificate"));
    wire_free(wire);
}

static void test_refused_gate(void **state)
{
    (void)state;
    int fds[2];
    struct wire *wire = wire_new((struct certs_case){.stem = "other-gate"}, (struct certs_case){.stem = "pki/branch"});
    make_sockets(fds);
    wire_connect(wire, fds[1], fds[0]);
    assert_true(wire_run(wire, both_down, 2000));
    assert_false(wire->portal.up || wire->gate.up);
    CASE(wire->portal.why, strstr(wire->portal.why, "is for another name"));
    CASE(wire->gate.why, strstr(wire->gate.why, "refused our certificate"));
    wire_free(wire);
}

// A certificate that expires while its tunnel is up ends it, at both ends by name.
static void test_expiry(void **state)
{
    (void)state;
    int fds[2];
    char command[256];
    snprintf(command, sizeof(command), "tests/unit/make-certs %s brief 3", certs_dir);
    assert_int_equal(system(command), 0);
    struct wire *wire =
        wire_new((struct certs_case){.stem = "pki/gate.example.net"}, (struct certs_case){.stem = "brief-portal"});
    make_sockets(fds);
    wire_connect(wire, fds[1], fds[0]);
    assert_true(wire_run(wire, both_up, 2000));
    ask(&wire->portal, 1, 1000);
    assert_true(wire_run(wire, all_ended, 2000));
    assert_true(wire_run(wire, both_down, 5000));
    CASE(wire->gate.why, strstr(wire->gate.why, "the portal's certificate has expired"));
    CASE(wire->portal.why, strstr(wire->portal.why, "peer certificate expired"));
    wire_free(wire);
}

// Peers that say nothing, or something else than TLS.
static void test_strangers(void **state)
{
    (void)state;
    int fds[2];
    struct wire *wire =
        wire_new((struct certs_case){.stem = "pki/gate.example.net"}, (struct certs_case){.stem = "pki/branch"});
    make_sockets(fds);
    wire_connect(wire, fds[1], -1);
    usec_t start = clock_now();
    assert_true(wire_run(wire, gate_down, 2000));
    assert_in_range(clock_now() - start, 450 * USEC_PER_MSEC, 900 * USEC_PER_MSEC);
    CASE(wire->gate.why, strstr(wire->gate.why, "did not complete the TLS handshake"));
    close(fds[0]);

    wire->gate.down = false;
    make_sockets(fds);
    wire_connect(wire, fds[1], -1);
    assert_int_equal(write(fds[0], "GET / HTTP/1.0\r\n\r\n", 18), 18);
    assert_true(wire_run(wire, gate_down, 2000));
    CASE(wire->gate.why, strstr(wire->gate.why, "does not speak TLS"));
    close(fds[0]);

    wire->gate.down = false;
    make_sockets(fds);
    wire_connect(wire, fds[1], -1);
    close(fds[0]);
    assert_true(wire_run(wire, gate_down, 2000));
    CASE(wire->gate.why, strstr(wire->gate.why, "closed the connection during the TLS handshake"));
    wire_free(wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),      cmocka_unit_test(test_small_buffers),  cmocka_unit_test(test_end),
        cmocka_unit_test(test_cut),       cmocka_unit_test(test_refused_portal), cmocka_unit_test(test_refused_gate),
        cmocka_unit_test(test_strangers), cmocka_unit_test(test_expiry),         cmocka_unit_test(test_last_words),
    };
    struct fault fault;
    if (!tls_library_start(&fault))
        return 1;
    return cmocka_run_group_tests(tests, certs_make, certs_remove);
}
