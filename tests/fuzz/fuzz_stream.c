// SPDX-License-Identifier: GPL-2.0-or-later
// A stream of records over one lane after another, and a hostile peer: greetings that lie, records that are cut and come
// again otherwise, confirmations of what was never sent.
#include "model.h"

#include "link/tunnel/stream.h"
#include "usher/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bench {
    struct usher_engine *engine;
    struct stream stream;
    struct chunk_pool *chunks;
    struct usher_session *session;
    uint64_t confirmed;
    bool over;
};

static size_t fill(void *owner, uint8_t *room, size_t size)
{
    (void)owner;
    memset(room, 7, size);
    return size;
}

static void data_came(void *owner, const struct slice *slice)
{
    struct bench *bench = owner;
    usher_session_consumed(bench->session, slice->len);
}

static void said(void *owner)
{
    (void)owner;
}

static void opened(void *owner)
{
    struct bench *bench = owner;
    usher_session_confirming(bench->session, true);
    usher_session_ready(bench->session);
}

static void ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct bench *bench = owner;
    (void)ending, (void)word, (void)text;
    bench->session = NULL;
}

static const struct usher_session_ops SESSION_OPS = {
    .opened = opened, .fill = fill, .data = data_came, .finished = said, .stop_sending = said, .ended = ended};

static void incoming(void *owner, struct usher_session *session, const struct usher_open *open)
{
    (void)owner, (void)session, (void)open;
}

static void confirming(void *owner, bool agreed)
{
    struct bench *bench = owner;
    stream_decide(&bench->stream, agreed);
}

static bool confirmed(void *owner, uint16_t records)
{
    struct bench *bench = owner;
    bool good = stream_confirmed(&bench->stream, records);
    require(bench->stream.ring.confirmed >= bench->confirmed);
    require(bench->stream.ring.confirmed <= bench->stream.ring.sent);
    bench->confirmed = bench->stream.ring.confirmed;
    return good;
}

static void feed(struct bench *bench, const uint8_t *bytes, size_t len)
{
    if (bench->over || !bytes || len == 0)
        return;
    struct chunk *chunk = chunk_new(bench->chunks);
    memcpy(chunk->bytes, bytes, len);
    const struct slice slice = {.chunk = chunk, .bytes = chunk->bytes, .len = (uint32_t)len};
    bench->over = stream_feed(&bench->stream, &slice, 1) != USHER_RUNNING;
    memset(chunk->bytes, 0xdd, len);
    chunk_drop(chunk);
}

static void greet(struct bench *bench, uint8_t taken)
{
    uint8_t bytes[64];
    const struct control_hello hello = {.version = "v", .continues = true, .taken = taken};
    struct writer w = writer_over(bytes + USHER_HEADER_SIZE, sizeof bytes - USHER_HEADER_SIZE);
    control_hello_encode(&w, &hello);
    size_t len = (size_t)(w.at - bytes);
    w = writer_over(bytes, USHER_HEADER_SIZE);
    record_send_header_encode(&w, 0, len - USHER_HEADER_SIZE);
    feed(bench, bytes, len);
}

// Of the session that is there, and of session 0.
static void feed_record(struct bench *bench, uint8_t type, bool own, const uint8_t *body, size_t len)
{
    uint8_t head[USHER_HEADER_SIZE];
    struct writer w = writer_over(head, sizeof head);
    writer_u32(&w, (uint32_t)len);
    writer_u16(&w, (uint16_t)(type % 8 == 0 ? RECORD_OPEN_REPLY : type % 8));
    writer_u16(&w, own ? 2 : 0);
    feed(bench, head, sizeof head);
    feed(bench, body, len);
}

static void pull(struct bench *bench)
{
    size_t len;
    const uint8_t *bytes = stream_pull(&bench->stream, RING_PULL_MAX, &len, 1);
    require(!bytes || (len > 0 && len <= RING_PULL_MAX));
    require(bench->stream.ring.held <= bench->stream.ring.limit + (size_t)2 * RING_BLOCK_SIZE);
}

static void change_lane(struct bench *bench)
{
    if (bench->over || !stream_can_go_on(&bench->stream))
        return;
    stream_go_on(&bench->stream);
    usher_engine_resumed(bench->engine, 1);
}

static void step(struct bench *bench, struct reader *r)
{
    uint8_t what = reader_u8(r), a = reader_u8(r);
    size_t len = a < reader_left(r) ? a : reader_left(r);
    switch (what % 8) {
    case 0:
        feed(bench, reader_bytes(r, len), len);
        break;
    case 1:
    case 2:
        feed_record(bench, what / 8, what & 1, reader_bytes(r, len), len);
        break;
    case 3:
        greet(bench, a);
        break;
    case 4:
        change_lane(bench);
        break;
    default:
        pull(bench);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct usher_engine_ops ops = {
        .opened = incoming, .wake = said, .confirming = confirming, .confirmed = confirmed};
    static const struct usher_engine_config config = {
        .extended = true, .max_sessions = 8, .max_unanswered = 8, .window_max = USHER_WINDOW_START};
    const struct usher_open open = {.protocol = USHER_TCP, .port = 7, .by_name = true, .host = "far"};
    static const uint8_t accepted[] = {0, 0, 0, 3, 0xff, 0xff, 0, 2, 0, 2, 0};
    struct bench bench = {.chunks = chunk_pool_new(2)};
    struct reader r = reader_over(data, size);
    bench.engine = usher_engine_new(&config, &ops, &bench, 1);
    stream_init(&bench.stream, 2 * RING_BLOCK_SIZE);
    stream_begin(&bench.stream, bench.engine, 8, true);
    bench.session = usher_session_open(bench.engine, &open, &SESSION_OPS, &bench);
    pull(&bench);
    feed(&bench, accepted, sizeof accepted);
    while (reader_left(&r) >= 2)
        step(&bench, &r);
    usher_engine_free(bench.engine);
    stream_fini(&bench.stream);
    chunk_pool_free(bench.chunks);
    return 0;
}
