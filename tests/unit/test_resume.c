// SPDX-License-Identifier: GPL-2.0-or-later
// A tunnel that loses its lane and goes on over another one. Its peer is TLS and our own hands: it keeps every byte that
// each lane brought.
#include "unit.h"

#include "link/lane/candidate.h"
#include "link/tunnel/ring.h"
#include "link/tunnel/tunnel.h"
#include "os/clock.h"
#include "os/socket/socket.h"
#include "usher/control.h"

#include "certs.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum { REPLAY_SIZE = 256 * 1024, GOT_MAX = 4 << 20, STREAM = 100 * 1000, PEER_ID = 1 };
enum { WINDOW = 64 * 1024 }; // what of the first window is worth a record

// ------------------------------------------------------------------------------------- the peer, and one lane after another

struct peer {
    int fd;
    struct tls *tls;
    bool shaken, closed;
    uint16_t session; // that the tunnel has opened
    uint8_t *got;
    size_t len;
};

struct world {
    uv_loop_t loop;
    bool woken;
    struct tls_identity *gate_identity, *portal_identity;
    struct tunnel *tunnel;
    struct candidate *candidate; // of a lane that is not the first
    int carried, refused;
    char refused_why[640];
    struct peer peer;
    int ups, pauses, resumptions;
    bool down;
    char paused_why[640], why[640];
    // one session, which sends STREAM bytes
    struct usher_session *session;
    size_t sent;
    bool opened, ended, lost;
};

static void on_up(void *owner)
{
    struct world *world = owner;
    world->ups++;
}

static void on_opened(void *owner, struct usher_session *session, const struct usher_open *open)
{
    (void)owner;
    (void)session;
    (void)open;
}

static void on_paused(void *owner, const char *why)
{
    struct world *world = owner;
    world->pauses++;
    snprintf(world->paused_why, sizeof world->paused_why, "%s", why);
}

static void on_resumed(void *owner)
{
    struct world *world = owner;
    world->resumptions++;
}

static void on_down(void *owner, const char *why)
{
    struct world *world = owner;
    world->down = true;
    snprintf(world->why, sizeof world->why, "%s", why);
}

static void on_wake(void *owner)
{
    struct world *world = owner;
    world->woken = true;
}

static const struct tunnel_ops tunnel_ops = {
    .up = on_up, .opened = on_opened, .paused = on_paused, .resumed = on_resumed, .down = on_down, .wake = on_wake};

static const struct tunnel_config tunnel_config = {
    .engine = {.max_sessions = 100, .max_unanswered = 100, .window_budget = 64 << 20, .window_max = 16 << 20},
    .lane = {.handshake_timeout_ms = 5000},
    .batch = 256 * 1024,
    .batch_interactive = 64 * 1024,
};

static const uint8_t ticket[TLS_TICKET_SIZE] = "what it is shown";

static bool candidate_up(void *owner, struct candidate *candidate, struct lane *lane, usec_t now)
{
    struct world *world = owner;
    if (!tunnel_go_on(world->tunnel, lane, now))
        return false;
    candidate_free(candidate);
    world->candidate = NULL;
    world->carried++;
    return true;
}

static void candidate_over(void *owner, struct candidate *candidate)
{
    struct world *world = owner;
    snprintf(world->refused_why, sizeof world->refused_why, "%s", candidate_why(candidate));
    world->refused++;
    candidate_free(candidate);
    world->candidate = NULL;
}

static const struct candidate_ops candidate_ops = {.up = candidate_up, .over = candidate_over};

// The first lane, or one that shows the ticket, which a peer that `knows` it agrees to.
static void peer_connect(struct world *world, bool knows)
{
    struct peer *peer = &world->peer;
    struct fault fault;
    struct endpoint at;
    endpoint_parse(&at, "127.0.0.1:0");
    int listener = socket_listen(&at, 1, &fault), fd = socket_stream(4);
    assert_true(listener >= 0 && socket_local(listener, &at) && socket_connect(fd, &at) >= 0);
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 1000), 1);
    peer->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    close(listener);
    peer->tls = tls_new(world->gate_identity, NULL, &fault);
    peer->shaken = peer->closed = false;
    peer->len = 0;
    assert_true(peer->fd >= 0 && peer->tls);
    struct lane *lane =
        lane_new(&world->loop, fd, world->portal_identity, TLS_PORTAL, "gate.example.net", &tunnel_config.lane, &fault);
    assert_non_null(lane);
    if (!tunnel_engine(world->tunnel)) {
        tunnel_carry(world->tunnel, lane);
        return;
    }
    assert_true(lane_set_ticket(lane, ticket) && (!knows || tls_set_ticket(peer->tls, ticket)));
    world->candidate = candidate_new(&world->loop, lane, tunnel_chunks(world->tunnel), &candidate_ops, world);
}

static void peer_flush(struct peer *peer)
{
    size_t len;
    const uint8_t *bytes = tls_output(peer->tls, &len);
    ssize_t sent = len > 0 ? send(peer->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    if (sent > 0)
        tls_output_taken(peer->tls, (size_t)sent);
}

static void peer_turn(struct peer *peer)
{
    size_t room, len;
    if (peer->fd < 0)
        return;
    uint8_t *at = tls_input_room(peer->tls, &room);
    ssize_t got = room > 0 ? recv(peer->fd, at, room, MSG_DONTWAIT) : -1;
    peer->closed |= got == 0;
    if (got > 0)
        tls_input_added(peer->tls, (size_t)got);
    if (!peer->shaken && tls_handshake(peer->tls) == TLS_OK) {
        peer->shaken = true;
        tls_confirm(peer->tls);
    }
    while (peer->shaken && peer->len + CHUNK_SIZE <= GOT_MAX &&
           tls_read(peer->tls, peer->got + peer->len, CHUNK_SIZE, &len) == TLS_OK)
        peer->len += len;
    peer_flush(peer);
}

static void peer_says(struct peer *peer, void (*encode)(struct writer *w, uint16_t session))
{
    uint8_t record[512];
    struct writer w = writer_over(record, sizeof record);
    encode(&w, peer->session);
    assert_int_equal(tls_write(peer->tls, record, (size_t)(w.at - record)), TLS_OK);
    peer_flush(peer);
}

static void peer_is_gone(struct peer *peer)
{
    if (peer->fd < 0)
        return;
    close(peer->fd);
    tls_free(peer->tls);
    peer->fd = -1;
}

static struct world *world_new(uint32_t resume_ms, uint32_t replay_size)
{
    struct world *world = calloc(1, sizeof *world);
    struct tunnel_config config = tunnel_config;
    config.resume_ms = resume_ms;
    config.replay_size = replay_size;
    uv_loop_init(&world->loop);
    world->gate_identity = certs_identity(TLS_GATE, (struct certs_case){.stem = "pki/gate.example.net"});
    world->portal_identity = certs_identity(TLS_PORTAL, (struct certs_case){.stem = "pki/branch"});
    world->peer.got = malloc(GOT_MAX);
    world->tunnel = tunnel_new(&world->loop, &config, &tunnel_ops, world);
    peer_connect(world, true);
    return world;
}

static void world_free(struct world *world)
{
    candidate_free(world->candidate);
    tunnel_free(world->tunnel);
    peer_is_gone(&world->peer);
    for (int i = 0; i < 10; i++)
        uv_run(&world->loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    tls_identity_free(world->gate_identity);
    tls_identity_free(world->portal_identity);
    free(world->peer.got);
    free(world);
}

static bool run(struct world *world, bool (*done)(struct world *world), unsigned ms)
{
    usec_t end = clock_now() + ms * USEC_PER_MSEC;
    while (!done(world) && clock_now() < end) {
        uv_run(&world->loop, UV_RUN_NOWAIT);
        if (world->candidate)
            candidate_turn(world->candidate, clock_now());
        if (!world->down && !tunnel_turn(world->tunnel, clock_now()))
            usleep(500);
        peer_turn(&world->peer);
    }
    return done(world);
}

// --------------------------------------------------------------------------------------------------------- one session

static void session_opened(void *owner)
{
    struct world *world = owner;
    world->opened = true;
    usher_session_ready(world->session);
}

static size_t session_fill(void *owner, uint8_t *room, size_t size)
{
    struct world *world = owner;
    size_t len = STREAM - world->sent < size ? STREAM - world->sent : size;
    for (size_t i = 0; i < len; i++)
        room[i] = (uint8_t)((world->sent + i) * 2654435761u >> 13);
    world->sent += len;
    return len;
}

static void session_data(void *owner, const struct slice *slice)
{
    (void)owner;
    (void)slice;
}

static void session_said(void *owner)
{
    (void)owner;
}

static void session_ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct world *world = owner;
    (void)word;
    (void)text;
    world->ended = true;
    world->lost = ending == USHER_ENDED_LOST;
}

static const struct usher_session_ops session_ops = {.opened = session_opened,
                                                     .fill = session_fill,
                                                     .data = session_data,
                                                     .finished = session_said,
                                                     .stop_sending = session_said,
                                                     .ended = session_ended};

static void say_accepted(struct writer *w, uint16_t session)
{
    record_open_reply_encode(w, session, PEER_ID, "");
}

static void say_room(struct writer *w, uint16_t session)
{
    record_ack_encode(w, session, 0xffff);
}

static uint16_t say_count; // of the next two

static void say_confirmed(struct writer *w, uint16_t session)
{
    (void)session;
    record_ack_encode(w, 0, say_count);
}

static void say_greeting(struct writer *w, uint16_t session)
{
    const struct control_hello hello = {.version = "1.0", .continues = true, .taken = say_count};
    struct writer body = *w;
    (void)session;
    body.at += USHER_HEADER_SIZE;
    control_hello_encode(&body, &hello);
    record_send_header_encode(w, 0, (size_t)(body.at - w->at) - USHER_HEADER_SIZE);
    w->at = body.at;
}

static void say_end(struct writer *w, uint16_t session)
{
    (void)session;
    record_end_encode(w, "closing time");
}

// Where the record with this number begins in what a lane brought.
static size_t record_at(const struct peer *peer, size_t number)
{
    struct record_header header;
    size_t at = 0;
    for (size_t i = 0; i < number; i++) {
        assert_true(peer->len >= at + USHER_HEADER_SIZE && record_header_decode(&header, peer->got + at));
        at += USHER_HEADER_SIZE + header.length;
    }
    return at;
}

// The session's bytes among whole records, checked; how many there are.
static size_t stream_of(const uint8_t *bytes, size_t len)
{
    struct record_header header;
    size_t stream = 0;
    for (size_t at = 0; at + USHER_HEADER_SIZE <= len; at += USHER_HEADER_SIZE + header.length) {
        assert_true(record_header_decode(&header, bytes + at) && at + USHER_HEADER_SIZE + header.length <= len);
        for (size_t i = 0; header.type == RECORD_SEND && i < header.length; i++, stream++)
            assert_int_equal(bytes[at + USHER_HEADER_SIZE + i], (uint8_t)(stream * 2654435761u >> 13));
    }
    return stream;
}

static bool is_up(struct world *world)
{
    return world->ups > 0;
}

static bool is_open(struct world *world)
{
    return world->opened;
}

static bool peer_got_open(struct world *world)
{
    return world->peer.len > 0;
}

static bool peer_got_window(struct world *world)
{
    return world->sent >= WINDOW && world->peer.len > WINDOW;
}

static bool peer_got_stream(struct world *world)
{
    return world->sent == STREAM && world->peer.len >= STREAM;
}

static bool is_paused(struct world *world)
{
    return world->pauses == 1;
}

static bool is_refused(struct world *world)
{
    return world->refused == 1;
}

static bool is_carried(struct world *world)
{
    return world->carried == 1;
}

static bool is_resumed(struct world *world)
{
    return world->resumptions == 1;
}

static bool is_down(struct world *world)
{
    return world->down;
}

static bool never(struct world *world)
{
    (void)world;
    return false;
}

static void open_session(struct world *world)
{
    struct usher_open open = {.protocol = USHER_TCP, .port = 7};
    struct record_header header;
    address_parse(&open.addr, "10.0.0.7");
    assert_true(run(world, is_up, 2000));
    world->session = usher_session_open(tunnel_engine(world->tunnel), &open, &session_ops, world);
    assert_non_null(world->session);
    assert_true(run(world, peer_got_open, 1000));
    assert_true(record_header_decode(&header, world->peer.got) && header.type == RECORD_OPEN);
    world->peer.session = header.session;
    peer_says(&world->peer, say_accepted);
    assert_true(run(world, is_open, 1000));
    usher_session_confirming(world->session, true);
}

// Up, with a session that has used up its first window.
static struct world *world_in_use(uint32_t resume_ms)
{
    struct world *world = world_new(resume_ms, REPLAY_SIZE);
    open_session(world);
    assert_true(run(world, peer_got_window, 1000));
    run(world, never, 20);
    assert_int_equal(world->sent, WINDOW);
    return world;
}

// What stands before the stream on a lane that is not the first: how many of the peer's records the tunnel has taken.
static void take_greeting(struct world *world, uint64_t taken)
{
    struct peer *peer = &world->peer;
    struct record_header header;
    struct control_reader reader = {0};
    struct control_message message;
    struct control_hello hello;
    assert_true(run(world, peer_got_open, 1000));
    assert_true(record_header_decode(&header, peer->got) && header.type == RECORD_SEND && header.session == 0);
    struct reader in = reader_over(peer->got + USHER_HEADER_SIZE, header.length);
    assert_int_equal(control_read(&reader, &in, &message), CONTROL_WHOLE);
    assert_true(reader_left(&in) == 0 && message.type == CONTROL_HELLO && control_hello_decode(&hello, &message));
    assert_true(hello.continues && hello.can & CONTROL_CAN_CONFIRM);
    assert_int_equal(hello.taken, taken);
    peer->len -= USHER_HEADER_SIZE + header.length;
    memmove(peer->got, peer->got + USHER_HEADER_SIZE + header.length, peer->len);
}

static void greet(struct world *world, uint16_t taken)
{
    say_count = taken;
    peer_says(&world->peer, say_greeting);
}

// -------------------------------------------------------------------------------------------------------------- tests

// The lane breaks; the tunnel is still there, and its session waits. What the next lane brings begins exactly at the first
// record that was not confirmed, and goes on from there.
static void test_goes_on(void **state)
{
    (void)state;
    for (size_t confirmed = 0; confirmed <= 3; confirmed++) {
        struct world *world = world_in_use(1000);
        struct peer *peer = &world->peer;
        size_t from = record_at(peer, confirmed), first_len = peer->len;
        uint8_t *all = malloc(GOT_MAX);
        memcpy(all, peer->got, first_len);
        say_count = (uint16_t)(confirmed / 2);
        peer_says(peer, say_confirmed); // the rest is said by the greeting
        run(world, never, 10);

        peer_is_gone(peer);
        assert_true(run(world, is_paused, 1000));
        CASE(world->paused_why, strstr(world->paused_why, "the gate closed the connection") ||
                                    strstr(world->paused_why, "the gate reset the connection"));
        assert_true(!world->down && !world->ended && tunnel_is_blocked(world->tunnel));
        assert_int_equal(usher_engine_sessions(tunnel_engine(world->tunnel)), 1);
        assert_string_equal(usher_session_state(world->session), "active");
        usher_session_ready(world->session);
        run(world, never, 50);
        assert_int_equal(world->sent, WINDOW);

        peer_connect(world, true);
        assert_true(run(world, is_carried, 1000));
        assert_true(!tunnel_is_blocked(world->tunnel) && world->ups == 1);
        take_greeting(world, 2);
        run(world, never, 10);
        assert_int_equal(peer->len, 0); // where to go on nobody knows yet
        assert_true(world->resumptions == 0 && tunnel_is_paused(world->tunnel));
        greet(world, (uint16_t)confirmed);
        assert_true(run(world, is_resumed, 1000) && !tunnel_is_paused(world->tunnel));
        peer_says(peer, say_room);
        assert_true(run(world, peer_got_stream, 1000) || from > 0);
        run(world, never, 20);
        assert_true(from + peer->len > first_len);
        assert_memory_equal(peer->got, all + from, first_len - from);
        memcpy(all + from, peer->got, peer->len);
        assert_int_equal(stream_of(all, from + peer->len), STREAM);
        assert_false(world->down || world->ended);
        free(all);
        world_free(world);
    }
}

static void test_nobody_comes(void **state)
{
    (void)state;
    struct world *world = world_in_use(200);
    peer_is_gone(&world->peer);
    assert_true(run(world, is_paused, 1000));
    usec_t since = clock_now();
    assert_true(run(world, is_down, 1000));
    assert_in_range(clock_now() - since, 150 * USEC_PER_MSEC, 400 * USEC_PER_MSEC);
    CASE(world->why, strstr(world->why, "no other connection took the place of the lost one"));
    assert_true(world->ended && world->lost && !tunnel_engine(world->tunnel));
    world_free(world);
}

// A lane whose peer does not know the tunnel, and one that does not come up, are no reason to give up waiting.
static void test_wrong_lane(void **state)
{
    (void)state;
    struct world *world = world_in_use(2000);
    peer_is_gone(&world->peer);
    assert_true(run(world, is_paused, 1000));
    peer_connect(world, false);
    assert_true(run(world, is_refused, 2000));
    CASE(world->refused_why, strstr(world->refused_why, "the gate is another than the one before"));
    assert_int_equal(world->peer.len, 0);
    assert_true(world->resumptions == 0 && world->pauses == 1 && !world->ended);
    peer_is_gone(&world->peer);
    peer_connect(world, true);
    assert_true(run(world, is_carried, 1000));
    greet(world, 0);
    assert_true(run(world, is_resumed, 1000));
    run(world, never, 20);
    assert_false(world->down || world->ended);
    world_free(world);
}

// One that seems to be alive gives way to one that comes.
static void test_replaced(void **state)
{
    (void)state;
    struct world *world = world_in_use(2000);
    struct peer before = world->peer;
    world->peer.got = malloc(GOT_MAX);
    peer_connect(world, true);
    assert_true(run(world, is_carried, 1000));
    assert_true(world->pauses == 0 && tunnel_is_paused(world->tunnel));
    take_greeting(world, 1);
    greet(world, 0);
    assert_true(run(world, is_resumed, 1000));
    peer_says(&world->peer, say_room);
    assert_true(run(world, peer_got_stream, 1000));
    assert_int_equal(stream_of(world->peer.got, world->peer.len), STREAM);
    peer_turn(&before);
    assert_true(before.closed && !world->down && !world->ended);
    peer_is_gone(&before);
    free(before.got);
    world_free(world);
}

// A peer that is let in and says nothing is not waited for: its lane goes, and the pause is still the same one.
static void test_never_greets(void **state)
{
    (void)state;
    struct world *world = world_in_use(15 * 1000);
    peer_is_gone(&world->peer);
    assert_true(run(world, is_paused, 1000));
    peer_connect(world, true);
    assert_true(run(world, is_carried, 1000));
    usec_t later = clock_now() + 11 * USEC_PER_SEC;
    tunnel_turn(world->tunnel, later);
    assert_true(world->pauses == 2 && world->resumptions == 0 && !world->down);
    CASE(world->paused_why, strstr(world->paused_why, "did not say within 10 s where it goes on"));
    tunnel_turn(world->tunnel, later + 5 * USEC_PER_SEC);
    assert_true(world->down && world->lost);
    world_free(world);
}

// Who dials notices that nothing is heard, and tells it; a byte takes it back.
static void test_silent(void **state)
{
    (void)state;
    struct world *world = world_in_use(3600 * 1000);
    assert_false(tunnel_is_silent(world->tunnel));
    run(world, never, 100);
    tunnel_turn(world->tunnel, clock_now() + 5 * USEC_PER_SEC); // the kernel has it all acknowledged
    assert_false(tunnel_is_silent(world->tunnel));
    tunnel_turn(world->tunnel, clock_now() + 14 * USEC_PER_SEC);
    assert_true(tunnel_is_silent(world->tunnel) && world->pauses == 0);
    say_count = 0;
    peer_says(&world->peer, say_confirmed);
    run(world, never, 20);
    assert_false(tunnel_is_silent(world->tunnel));
    world_free(world);
}

// An end that was said is one.
static void test_ends(void **state)
{
    (void)state;
    for (int how = 0; how < 4; how++) {
        static const char *const says[] = {"the gate closed the connection without ending the tunnel",
                                           "ended by the peer: closing time", "asked to", "asked to"};
        struct world *world = world_in_use(1000);
        if (how == 0)
            tls_close_notify(world->peer.tls);
        else if (how == 1)
            peer_says(&world->peer, say_end);
        else if (how == 2)
            tunnel_end(world->tunnel, "asked to");
        if (how < 3) {
            run(world, never, 20);
            shutdown(world->peer.fd, SHUT_WR);
        } else {
            peer_is_gone(&world->peer);
            assert_true(run(world, is_paused, 1000));
            tunnel_end(world->tunnel, "asked to");
        }
        assert_true(run(world, is_down, 2000));
        CASE(world->why, strstr(world->why, says[how]));
        assert_true(world->pauses == (how == 3) && world->ended && world->lost);
        world_free(world);
    }
}

// Without leave to live on, a tunnel ends with its lane.
static void test_off(void **state)
{
    (void)state;
    struct world *world = world_in_use(0);
    peer_is_gone(&world->peer);
    assert_true(run(world, is_down, 1000));
    assert_true(world->pauses == 0 && world->ended && world->lost);
    world_free(world);
}

// A peer from which nothing comes is lost like one whose connection broke; the clock of its silence stands still until
// another lane is there.
static void test_silence(void **state)
{
    (void)state;
    struct world *world = world_in_use(3600 * 1000);
    usec_t later = clock_now() + 31 * USEC_PER_SEC;
    tunnel_turn(world->tunnel, later);
    assert_true(world->pauses == 1 && !world->down);
    CASE(world->paused_why, strstr(world->paused_why, "timeout: nothing came from the peer for 30 s"));
    tunnel_turn(world->tunnel, later + 60 * USEC_PER_SEC);
    assert_false(world->down || world->ended);
    peer_is_gone(&world->peer);
    peer_connect(world, true);
    assert_true(run(world, is_carried, 1000));
    greet(world, 0);
    assert_true(run(world, is_resumed, 1000));
    run(world, never, 20);
    assert_true(!tunnel_is_blocked(world->tunnel) && !world->ended);
    world_free(world);
}

// What nobody confirms is pulled up to a bound, and no further until somebody does.
static void test_full(void **state)
{
    (void)state;
    struct world *world = world_new(1000, RING_BLOCK_SIZE);
    struct peer *peer = &world->peer;
    open_session(world);
    peer_says(peer, say_room);
    run(world, never, 50);
    assert_in_range(peer->len, RING_BLOCK_SIZE - CHUNK_SIZE, RING_BLOCK_SIZE);
    assert_true(usher_engine_has_work(tunnel_engine(world->tunnel)));
    assert_false(tunnel_turn(world->tunnel, clock_now()));
    // But what confirms goes out, or two ends that are both full would wait for ever.
    size_t full = peer->len;
    run(world, never, 100);
    assert_int_equal(peer->len, full + USHER_HEADER_SIZE + sizeof(uint16_t));
    size_t stopped = peer->len, records = 0;
    while (record_at(peer, records) < stopped)
        records++;
    say_count = (uint16_t)records;
    peer_says(peer, say_confirmed);
    assert_true(run(world, peer_got_stream, 1000));
    assert_true(stream_of(peer->got, peer->len) == STREAM && peer->len > stopped);
    // More than was sent cannot be.
    say_count = 1000;
    peer_says(peer, say_confirmed);
    assert_true(run(world, is_down, 2000));
    assert_non_null(strstr(world->why, "protocol error: more records confirmed than sent"));
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goes_on), cmocka_unit_test(test_nobody_comes), cmocka_unit_test(test_wrong_lane),
        cmocka_unit_test(test_ends),    cmocka_unit_test(test_off),          cmocka_unit_test(test_silence),
        cmocka_unit_test(test_full),    cmocka_unit_test(test_replaced),     cmocka_unit_test(test_never_greets),
        cmocka_unit_test(test_silent),
    };
    struct fault fault;
    if (!tls_library_start(&fault))
        return 1;
    return cmocka_run_group_tests(tests, certs_make, certs_remove);
}
