// SPDX-License-Identifier: GPL-2.0-or-later
// Packets of any kind from the device, into a capture with a living tunnel whose far side accepts, refuses, delays or
// echoes. The first byte chooses how; then come packets, each behind its length in two bytes and, with offload, begun
// by its virtio header. Whatever came: what goes out is well-formed, and in the end nothing is left.
#include "edge/capture/capture.h"
#include "exchange/exchange.h"
#include "os/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    OFFLOAD = 1,
    REFUSE = 2,
    HOLD = 4,
    NO_TUNNEL = 8,
    MTU = 1500,
    ROOM = 66000,
    WORD_SHIFT = 4, // the upper half is the word of refusals
};

struct field {
    uint8_t choice;
    uv_loop_t *loop;
    int app;
    struct tun tun;
    struct exchange *exchange;
    struct chunk_pool *chunks;
    struct usher_engine *portal;
    struct usher_engine *gate;
};

static struct usher_session *newest;

static size_t gate_fill(void *owner, uint8_t *room, size_t size)
{
    (void)owner, (void)room, (void)size;
    return 0;
}

static void gate_data(void *owner, const struct slice *slice)
{
    (void)owner, (void)slice; // no credit comes back
}

static void gate_datagram(void *owner, const struct usher_datagram *datagram)
{
    struct usher_datagram back = *datagram;
    (void)owner;
    if (back.from.addr.version != 0) {
        back.from = datagram->to;
        back.to = datagram->from;
    }
    if (newest)
        usher_session_datagram(newest, &back);
}

static void gate_quiet(void *owner)
{
    (void)owner;
}

static void gate_ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    (void)owner, (void)ending, (void)word, (void)text;
    newest = NULL;
}

static void gate_opened(void *owner, struct usher_session *session, const struct usher_open *open)
{
    static const struct usher_session_ops ops = {
        .fill = gate_fill,
        .data = gate_data,
        .datagram = gate_datagram,
        .finished = gate_quiet,
        .stop_sending = gate_quiet,
        .ended = gate_ended,
    };
    struct field *field = owner;
    (void)open;
    usher_session_attach(session, &ops, field);
    if (field->choice & HOLD)
        return;
    if (field->choice & REFUSE) {
        usher_session_refuse(session, (field->choice >> WORD_SHIFT) % USHER_WORDS, "because");
        return;
    }
    usher_session_accept(session);
    newest = session;
}

static struct usher_engine *engine_new(struct field *field, bool server)
{
    static const struct usher_engine_ops ops = {.opened = gate_opened, .wake = gate_quiet};
    const struct usher_engine_config config = {
        .server = server,
        .extended = true,
        .max_sessions = 16,
        .max_unanswered = 16,
        .window_max = USHER_WINDOW_START,
    };
    return usher_engine_new(&config, &ops, field, clock_now());
}

static void carry(struct field *field, struct usher_engine *from, struct usher_engine *to)
{
    static uint8_t room[128 * 1024];
    size_t len;
    while ((len = usher_engine_pull(from, room, sizeof room, clock_now())) > 0)
        for (size_t at = 0; at < len; at += CHUNK_SIZE) {
            struct chunk *chunk = chunk_new(field->chunks);
            uint32_t part = len - at < CHUNK_SIZE ? (uint32_t)(len - at) : CHUNK_SIZE;
            memcpy(chunk->bytes, room + at, part);
            if (usher_engine_feed(to, &(struct slice){chunk, chunk->bytes, part}, clock_now()) != USHER_RUNNING)
                abort();
            chunk_drop(chunk);
        }
}

static void check_output(struct field *field)
{
    static uint8_t bytes[ROOM];
    for (ssize_t len; (len = read(field->app, bytes, sizeof bytes)) > 0;) {
        size_t skip = field->choice & OFFLOAD ? sizeof(struct virtio_net_hdr) : 0;
        const uint8_t *ip = bytes + skip;
        size_t size = (size_t)len - skip;
        size_t says = ip[0] >> 4 == 4 ? (size_t)(ip[2] << 8 | ip[3]) : 40u + (size_t)(ip[4] << 8 | ip[5]);
        if (size < 20 || (ip[0] >> 4 != 4 && ip[0] >> 4 != 6) || says != size)
            abort();
    }
}

static void run(struct field *field, usec_t ahead)
{
    uv_run(field->loop, UV_RUN_NOWAIT);
    if (field->portal) {
        carry(field, field->portal, field->gate);
        carry(field, field->gate, field->portal);
    }
    exchange_after_pull(field->exchange, (ahead & 1) != 0, clock_now() + ahead);
    check_output(field);
}

// Made once: what costs the kernel's time says nothing of packets.
static void take_outside(struct field *field)
{
    static uv_loop_t loop;
    static int pair[2];
    if (!pair[1] && (uv_loop_init(&loop) != 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) != 0))
        abort();
    field->loop = &loop;
    field->app = pair[0];
    field->tun =
        (struct tun){.fd = pair[1], .offload = field->choice & OFFLOAD, .uso = field->choice & OFFLOAD, .name = "fuzz"};
}

static void open_field(struct field *field)
{
    static const struct capture_config config = {
        .mtu = MTU,
        .max_flows = 24,
        .receive_budget = 1 << 20,
        .udp_idle_ms = 120000,
        .udp_dns_idle_ms = 10000,
        .udp_offload = true,
    };
    struct fault fault;
    newest = NULL;
    take_outside(field);
    field->chunks = chunk_pool_new(4);
    struct capture *capture = capture_new(field->loop, &field->tun, &config, &fault);
    if (!capture)
        abort();
    const struct exchange_config around = {.hold_ms = 5000, .wake = gate_quiet, .owner = field};
    field->exchange = exchange_new(field->loop, &around);
    exchange_add(field->exchange, capture_edge(capture));
    if (field->choice & NO_TUNNEL)
        return;
    field->portal = engine_new(field, false);
    field->gate = engine_new(field, true);
    exchange_attach(field->exchange, field->portal);
}

static void close_field(struct field *field)
{
    run(field, 20 * USEC_PER_SEC);
    if (field->portal) {
        usher_engine_free(field->portal);
        exchange_detach(field->exchange);
        usher_engine_free(field->gate);
        field->portal = NULL;
    }
    for (usec_t minutes = 1; minutes <= 6; minutes++)
        exchange_after_pull(field->exchange, (minutes & 1) != 0, clock_now() + minutes * 60 * USEC_PER_SEC);
    if (exchange_flows(field->exchange) != 0)
        abort();
    exchange_free(field->exchange);
    uv_run(field->loop, UV_RUN_DEFAULT);
    check_output(field);
    if (uv_loop_alive(field->loop) || chunk_pool_held(field->chunks) != 0)
        abort();
    chunk_pool_free(field->chunks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct field field = {.choice = data[0]};
    open_field(&field);
    unsigned count = 0;
    for (size_t at = 1; at + 2 <= size;) {
        size_t len = (size_t)(data[at] << 8 | data[at + 1]);
        at += 2;
        if (len > size - at)
            len = size - at;
        if (len > 0 && write(field.app, data + at, len) < 0)
            abort();
        at += len;
        run(&field, count++ & 1);
    }
    close_field(&field);
    return 0;
}
