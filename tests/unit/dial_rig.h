// SPDX-License-Identifier: GPL-2.0-or-later
// A rig for dial: two real engines joined in memory, of which the gate's has a dial that reaches servers on loopback in
// this process, and the portal's is played by the test. `pump` runs all of it until a condition holds.
#ifndef TESTS_DIAL_RIG_H
#define TESTS_DIAL_RIG_H

#include "base/list.h"
#include "edge/dial/dial.h"
#include "edge/relay/relay.h"
#include "exchange/exchange.h"
#include "exchange/policy/policy.h"
#include "os/clock.h"
#include "os/socket/socket.h"
#include "usher/engine.h"

#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    APP_BYTES = 4096, // kept of what came in
    DATAGRAMS_KEPT = 8,
    DATAGRAM_KEPT_BYTES = 32,
    UDP_IDLE_MS = 120 * 1000,
    DNS_IDLE_MS = 10 * 1000,
    PATIENCE_MS = 5000, // for what ought to happen at once
};

// The portal's end of a session: an application as it would be behind the TUN device.
struct app {
    struct usher_session *session; // NULL: over
    bool opened, finished, ended;
    enum usher_ending ending;
    enum usher_word word;
    char text[256];
    // What it sends: bytes of the pattern up to `to_send`, then the end if `then_finish`.
    uint64_t sent, to_send;
    size_t at_most; // a record; 0: as it fits
    bool then_finish;
    // What it got. It takes (consumes) everything unless `stalled`.
    uint64_t received, owed;
    bool stalled, spoilt;
    uint8_t bytes[APP_BYTES];
    struct {
        struct endpoint from, to;
        size_t len;
        uint8_t bytes[DATAGRAM_KEPT_BYTES];
    } datagrams[DATAGRAMS_KEPT];
    unsigned datagram_count;
};

struct rig {
    uv_loop_t loop;
    struct chunk_pool *pool;
    struct usher_engine *portal;
    struct usher_engine *gate;
    struct policy *policy;
    struct resolver *resolver; // NULL: none
    struct poller *poller;
    struct exchange *exchange;
    struct dial *dial;          // the exchange's
    struct relay *relay;        // of the portal, where a test wants one
    struct exchange *entrances; // the same
    bool blocked;               // nothing goes from gate to portal
    uint64_t skew_ms;           // dial is told a time so much later, once
    size_t descriptors;
};

// What stands at `position` of every stream.
static inline uint8_t pattern(uint64_t position)
{
    return (uint8_t)(position * 7 + (position >> 8) + (position >> 16));
}

static inline size_t count_descriptors(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

// The application

static inline void app_opened(void *owner)
{
    ((struct app *)owner)->opened = true;
}

static inline size_t app_fill(void *owner, uint8_t *room, size_t size)
{
    struct app *app = owner;
    uint64_t left = app->to_send - app->sent;
    size_t len = left < size ? (size_t)left : size;
    if (app->at_most && len > app->at_most)
        len = app->at_most;
    for (size_t i = 0; i < len; i++)
        room[i] = pattern(app->sent + i);
    app->sent += len;
    if (len == 0 && app->then_finish)
        usher_session_finish(app->session);
    return len;
}

static inline void app_data(void *owner, const struct slice *slice)
{
    struct app *app = owner;
    for (uint32_t i = 0; i < slice->len; i++) {
        uint64_t position = app->received + i;
        app->spoilt = app->spoilt || slice->bytes[i] != pattern(position);
        if (position < APP_BYTES)
            app->bytes[position] = slice->bytes[i];
    }
    app->received += slice->len;
    if (app->stalled)
        app->owed += slice->len;
    else
        usher_session_consumed(app->session, slice->len);
}

static inline void app_datagram(void *owner, const struct usher_datagram *datagram)
{
    struct app *app = owner;
    unsigned i = app->datagram_count++ % DATAGRAMS_KEPT;
    app->datagrams[i].from = datagram->from;
    app->datagrams[i].to = datagram->to;
    app->datagrams[i].len = datagram->len;
    memcpy(app->datagrams[i].bytes, datagram->bytes,
           datagram->len < DATAGRAM_KEPT_BYTES ? datagram->len : DATAGRAM_KEPT_BYTES);
}

static inline void app_finished(void *owner)
{
    ((struct app *)owner)->finished = true;
}

static inline void app_ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct app *app = owner;
    app->session = NULL;
    app->ended = true;
    app->ending = ending;
    app->word = word;
    snprintf(app->text, sizeof app->text, "%s", text);
}

static const struct usher_session_ops app_ops = {
    .opened = app_opened,
    .fill = app_fill,
    .data = app_data,
    .datagram = app_datagram,
    .finished = app_finished,
    .ended = app_ended,
};

static inline void app_open(struct rig *rig, struct app *app, uint16_t protocol, const char *host, uint16_t port)
{
    struct usher_open open = {.protocol = protocol, .port = port};
    memset(app, 0, sizeof *app);
    if (!address_parse(&open.addr, host))
        snprintf(open.host, sizeof open.host, "%s", host);
    open.by_name = open.addr.version != 4;
    app->session = usher_session_open(rig->portal, &open, &app_ops, app);
    assert_non_null(app->session);
}

static inline void app_send(struct app *app, uint64_t bytes, bool then_finish)
{
    app->to_send += bytes;
    app->then_finish = then_finish;
    usher_session_ready(app->session);
}

static inline void app_unstall(struct app *app)
{
    app->stalled = false;
    usher_session_consumed(app->session, (size_t)app->owed);
    app->owed = 0;
}

// The tunnel

static inline void rig_opened(void *owner, struct usher_session *session, const struct usher_open *open)
{
    exchange_opened(((struct rig *)owner)->exchange, session, open);
}

static inline void rig_no_open(void *owner, struct usher_session *session, const struct usher_open *open)
{
    (void)owner;
    (void)session;
    (void)open;
}

static inline void rig_wake(void *owner)
{
    (void)owner; // `turn` looks by itself
}

static inline void carry(struct rig *rig, struct usher_engine *from, struct usher_engine *to, usec_t now)
{
    for (;;) {
        struct chunk *chunk = chunk_new(rig->pool);
        size_t len = usher_engine_pull(from, chunk->bytes, CHUNK_SIZE, now);
        if (len > 0) {
            const struct slice slice = {.chunk = chunk, .bytes = chunk->bytes, .len = (uint32_t)len};
            assert_int_equal(usher_engine_feed(to, &slice, now), USHER_RUNNING);
        }
        chunk_drop(chunk);
        if (len == 0)
            return;
    }
}

static inline void turn(struct rig *rig, uv_run_mode mode)
{
    uv_run(&rig->loop, mode);
    usec_t now = clock_now();
    if (rig->relay)
        relay_turn(rig->relay, now + rig->skew_ms * USEC_PER_MSEC);
    if (rig->entrances)
        exchange_before_pull(rig->entrances, now + rig->skew_ms * USEC_PER_MSEC);
    carry(rig, rig->portal, rig->gate, now);
    if (rig->entrances)
        exchange_after_pull(rig->entrances, false, now + rig->skew_ms * USEC_PER_MSEC);
    exchange_before_pull(rig->exchange, now + rig->skew_ms * USEC_PER_MSEC);
    rig->skew_ms = 0;
    if (!rig->blocked)
        carry(rig, rig->gate, rig->portal, now);
}

#define pump(rig, condition)                                                                                           \
    do {                                                                                                               \
        usec_t pump_end = clock_now() + PATIENCE_MS * USEC_PER_MSEC;                                                   \
        while (!(condition)) {                                                                                         \
            turn(rig, UV_RUN_NOWAIT);                                                                                  \
            if (clock_now() > pump_end)                                                                                \
                fail_msg("line %d: waited in vain for: %s", __LINE__, #condition);                                     \
        }                                                                                                              \
    } while (0)

static inline void count_turn(uv_timer_t *timer)
{
    *(volatile bool *)timer->data = true;
}

// How often the loop wakes within `ms` when nothing happens: a flow that is watched for what it does not take spins.
static inline unsigned idle_turns(struct rig *rig, unsigned ms)
{
    volatile bool over = false; // set by the timer
    unsigned turns = 0;
    uv_timer_t timer;
    uv_timer_init(&rig->loop, &timer);
    timer.data = (void *)&over;
    uv_timer_start(&timer, count_turn, ms, 0);
    for (; !over; turns++)
        turn(rig, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&rig->loop, UV_RUN_NOWAIT);
    return turns;
}

// Nothing is under way for a while.
static inline void settle(struct rig *rig, unsigned ms)
{
    usec_t end = clock_now() + ms * USEC_PER_MSEC;
    while (clock_now() < end)
        turn(rig, UV_RUN_NOWAIT);
}

// `servers` are for names; NULL: none are resolved. What is 0 in `config` gets a usual value.
static inline struct rig *rig_new_named(const char *allow, struct dial_config config, const char *servers)
{
    struct rig *rig = calloc(1, sizeof *rig);
    struct fault fault;
    assert_int_equal(uv_loop_init(&rig->loop), 0);
    rig->descriptors = count_descriptors();
    rig->pool = chunk_pool_new(16);
    rig->policy = policy_new();
    if (!policy_add(rig->policy, true, allow, &fault))
        fail_msg("%s", fault.text);
    if (servers) {
        const struct resolver_config names = {.servers = servers, .timeout_ms = 2000};
        rig->resolver = resolver_new(&rig->loop, &names, &fault);
        assert_non_null(rig->resolver);
    }
    config.poller = rig->poller = poller_new(&rig->loop);
    config.resolver = rig->resolver;
    config.max_flows = config.max_flows ? config.max_flows : 1000;
    config.max_connecting = config.max_connecting ? config.max_connecting : 256;
    config.connect_timeout_ms = config.connect_timeout_ms ? config.connect_timeout_ms : 10 * 1000;
    config.udp_idle_ms = config.udp_idle_ms ? config.udp_idle_ms : UDP_IDLE_MS;
    config.udp_dns_idle_ms = DNS_IDLE_MS;
    if (config.icmp4_fd == 0)
        config.icmp4_fd = config.icmp6_fd = -1;
    const struct exchange_config around = {.wake = rig_wake, .owner = rig};
    rig->exchange = exchange_new(&rig->loop, &around);
    exchange_set_policy(rig->exchange, rig->policy);
    config.judge = exchange_judge(rig->exchange);
    rig->dial = dial_new(&rig->loop, &config);
    exchange_add(rig->exchange, dial_edge(rig->dial));
    struct usher_engine_config engine = {.extended = true,
                                         .max_sessions = 1000,
                                         .max_unanswered = 1000,
                                         .window_budget = 64 << 20,
                                         .window_max = 1 << 20};
    static const struct usher_engine_ops portal_ops = {.opened = rig_no_open, .wake = rig_wake};
    static const struct usher_engine_ops gate_ops = {.opened = rig_opened, .wake = rig_wake};
    rig->portal = usher_engine_new(&engine, &portal_ops, rig, clock_now());
    engine.server = true;
    rig->gate = usher_engine_new(&engine, &gate_ops, rig, clock_now());
    return rig;
}

static inline struct rig *rig_new(const char *allow, struct dial_config config)
{
    return rig_new_named(allow, config, NULL);
}

// For sessions that the portal's end opens for sockets.
static inline struct relay *rig_add_relay(struct rig *rig)
{
    const struct relay_config config = {
        .loop = &rig->loop,
        .poller = rig->poller,
        .wake = rig_wake,
        .udp_offload = true,
        .udp_idle_ms = UDP_IDLE_MS,
        .udp_dns_idle_ms = DNS_IDLE_MS,
    };
    return rig->relay = relay_new(&config);
}

// For edges of the portal's end.
static inline struct exchange *rig_add_entrances(struct rig *rig, uint32_t hold_ms)
{
    const struct exchange_config config = {.hold_ms = hold_ms, .wake = rig_wake, .owner = rig};
    rig->entrances = exchange_new(&rig->loop, &config);
    exchange_attach(rig->entrances, rig->portal);
    return rig->entrances;
}

// The tunnel goes first, as in the programs; then nothing may be left anywhere.
static inline void rig_free(struct rig *rig)
{
    usher_engine_free(rig->portal);
    usher_engine_free(rig->gate);
    if (rig->resolver)
        resolver_free(rig->resolver);
    exchange_free(rig->exchange);
    if (rig->entrances) {
        exchange_detach(rig->entrances);
        exchange_free(rig->entrances);
    }
    if (rig->relay)
        relay_free(rig->relay);
    poller_free(rig->poller);
    uv_run(&rig->loop, UV_RUN_NOWAIT);
    assert_int_equal(count_descriptors(), rig->descriptors);
    assert_int_equal(uv_loop_close(&rig->loop), 0);
    assert_int_equal(chunk_pool_held(rig->pool), 0);
    chunk_pool_free(rig->pool);
    policy_free(rig->policy);
    free(rig);
}

// Servers

static inline int serve(const char *host, int type, struct endpoint *at)
{
    struct sockaddr_storage sa;
    *at = (struct endpoint){0};
    assert_true(address_parse(&at->addr, host));
    int fd = socket(at->addr.version == 6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    socklen_t len = endpoint_to_sockaddr(at, &sa);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    assert_true(type != SOCK_STREAM || listen(fd, 16) == 0);
    assert_true(socket_local(fd, at));
    return fd;
}

// Opens a session to a new server and accepts it there: the server's end of the connection.
static inline int connect_app(struct rig *rig, struct app *app, const char *host)
{
    struct endpoint at;
    int listener = serve(host, SOCK_STREAM, &at), fd = -1;
    app_open(rig, app, USHER_TCP, host, at.port);
    pump(rig, app->opened && (fd >= 0 || (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0));
    close(listener);
    return fd;
}

// Reads what is there and checks it against the pattern; true at the end of the stream.
static inline bool read_pattern(int fd, uint64_t *position)
{
    static uint8_t room[65536];
    ssize_t n;
    while ((n = read(fd, room, sizeof room)) > 0)
        for (ssize_t i = 0; i < n; i++, ++*position)
            assert_int_equal(room[i], pattern(*position));
    return n == 0;
}

// Writes what fits, up to `end`; true when all is written.
static inline bool write_pattern(int fd, uint64_t *position, uint64_t end)
{
    static uint8_t room[65536];
    while (*position < end) {
        size_t len = end - *position < sizeof room ? (size_t)(end - *position) : sizeof room;
        for (size_t i = 0; i < len; i++)
            room[i] = pattern(*position + i);
        ssize_t n = send(fd, room, len, MSG_NOSIGNAL);
        if (n < 0)
            return false;
        *position += (uint64_t)n;
    }
    return true;
}

#endif
