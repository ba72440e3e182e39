// SPDX-License-Identifier: GPL-2.0-or-later
// Two engines over one lane after another, cut at every byte of either direction, and at every kind of greeting.
#include "unit.h"

#include "link/tunnel/stream.h"
#include "usher/control.h"

#include <stdlib.h>
#include <string.h>

enum { TOTAL = 1500, PIECE = 97, PIPE = 64 * 1024, REPLAY = 256 * 1024 };

// One end, with a session that sends TOTAL bytes in small records, and what is on its way from it.
struct side {
    struct usher_engine *engine;
    struct stream stream;
    struct usher_session *session;
    size_t sent, received;
    bool finished, ended, lost;
    uint8_t pipe[PIPE];
    size_t from, to;
    size_t given; // bytes of it that the other end was given, all time
};

static struct chunk_pool *chunks;

static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at * 2654435761u >> 11);
}

static size_t on_fill(void *owner, uint8_t *room, size_t size)
{
    struct side *side = owner;
    size_t len = TOTAL - side->sent < PIECE ? TOTAL - side->sent : PIECE;
    len = len < size ? len : size;
    for (size_t i = 0; i < len; i++)
        room[i] = byte_at(side->sent + i);
    side->sent += len;
    if (side->sent == TOTAL)
        usher_session_finish(side->session);
    return len;
}

static void on_data(void *owner, const struct slice *slice)
{
    struct side *side = owner;
    for (size_t i = 0; i < slice->len; i++)
        assert_int_equal(slice->bytes[i], byte_at(side->received + i));
    side->received += slice->len;
    usher_session_consumed(side->session, slice->len);
}

static void on_session_opened(void *owner)
{
    struct side *side = owner;
    usher_session_confirming(side->session, true);
    usher_session_ready(side->session);
}

static void on_finished(void *owner)
{
    struct side *side = owner;
    side->finished = true;
}

static void on_ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct side *side = owner;
    (void)word, (void)text;
    side->ended = true;
    side->lost = ending == USHER_ENDED_LOST;
}

static const struct usher_session_ops SESSION_OPS = {
    .opened = on_session_opened, .fill = on_fill, .data = on_data, .finished = on_finished, .ended = on_ended};

static void on_opened(void *owner, struct usher_session *session, const struct usher_open *open)
{
    struct side *side = owner;
    (void)open;
    side->session = session;
    usher_session_attach(session, &SESSION_OPS, side);
    usher_session_accept(session);
    usher_session_confirming(session, true);
    usher_session_ready(session);
}

static void on_wake(void *owner)
{
    (void)owner;
}

static void on_confirming(void *owner, bool agreed)
{
    struct side *side = owner;
    stream_decide(&side->stream, agreed);
}

static bool on_confirmed(void *owner, uint16_t records)
{
    struct side *side = owner;
    return stream_confirmed(&side->stream, records);
}

static void begin(struct side sides[2])
{
    static const struct usher_engine_ops ops = {
        .opened = on_opened, .wake = on_wake, .confirming = on_confirming, .confirmed = on_confirmed};
    const struct usher_open open = {.protocol = USHER_TCP, .port = 7, .by_name = true, .host = "far"};
    memset(sides, 0, 2 * sizeof *sides);
    for (int i = 0; i < 2; i++) {
        const struct usher_engine_config config = {.server = i == 1,
                                                   .extended = true,
                                                   .max_sessions = 10,
                                                   .max_unanswered = 10,
                                                   .window_max = USHER_WINDOW_START};
        sides[i].engine = usher_engine_new(&config, &ops, &sides[i], 1);
        stream_init(&sides[i].stream, REPLAY);
        stream_begin(&sides[i].stream, sides[i].engine, 10, true);
    }
    sides[0].session = usher_session_open(sides[0].engine, &open, &SESSION_OPS, &sides[0]);
}

static void end(struct side sides[2])
{
    for (int i = 0; i < 2; i++) {
        usher_engine_free(sides[i].engine);
        stream_fini(&sides[i].stream);
    }
}

static void pull(struct side *side, usec_t now)
{
    size_t len;
    const uint8_t *bytes;
    while (PIPE - side->to >= CHUNK_SIZE && (bytes = stream_pull(&side->stream, PIPE - side->to, &len, now))) {
        memcpy(side->pipe + side->to, bytes, len);
        side->to += len;
    }
}

// What `from` has said, up to `most` bytes of it.
static void give(struct side *from, struct side *to, size_t most, usec_t now)
{
    size_t len = from->to - from->from < most ? from->to - from->from : most;
    struct chunk *chunk = chunk_new(chunks);
    while (len > 0) {
        size_t part = len < CHUNK_SIZE ? len : CHUNK_SIZE;
        memcpy(chunk->bytes, from->pipe + from->from, part);
        const struct slice slice = {.chunk = chunk, .bytes = chunk->bytes, .len = (uint32_t)part};
        assert_int_equal(stream_feed(&to->stream, &slice, now), USHER_RUNNING);
        from->from += part;
        from->given += part;
        len -= part;
    }
    chunk_drop(chunk);
    if (from->from == from->to)
        from->from = from->to = 0;
}

static void change_lane(struct side sides[2], usec_t now)
{
    for (int i = 0; i < 2; i++) {
        sides[i].from = sides[i].to = 0;
        stream_go_on(&sides[i].stream);
        usher_engine_resumed(sides[i].engine, now);
    }
}

static bool is_done(const struct side sides[2])
{
    return sides[0].ended && sides[1].ended && sides[0].to == 0 && sides[1].to == 0;
}

// Cuts when the end `which` has been heard to its byte number `cut`, and once more so many bytes later. False when there
// is no such byte.
static bool run(int which, size_t cut, size_t later, size_t *again)
{
    static struct side sides[2];
    int cuts = 0;
    usec_t now = 1;
    begin(sides);
    for (int turns = 0; !is_done(sides); turns++) {
        assert_true(turns < 1000);
        now += 10 * USEC_PER_MSEC;
        for (int i = 0; i < 2; i++) {
            if (now >= usher_engine_deadline(sides[i].engine))
                usher_engine_tick(sides[i].engine, now);
            pull(&sides[i], now);
            size_t most = i == which && cuts < 2 ? cut - sides[i].given : SIZE_MAX;
            give(&sides[i], &sides[1 - i], most, now);
        }
        if (cuts < 2 && sides[which].given == cut) {
            change_lane(sides, now);
            cut += later;
            cuts++;
        }
    }
    for (int i = 0; i < 2; i++)
        assert_true(sides[i].received == TOTAL && sides[i].finished && !sides[i].lost);
    *again = sides[which].given;
    end(sides);
    return cuts > 0;
}

static void test_cut_at_every_byte(void **state)
{
    (void)state;
    size_t again = 0;
    for (int which = 0; which < 2; which++) {
        size_t cut = 0;
        while (run(which, cut, cut * 7 % 331, &again))
            cut++;
        assert_in_range(cut, TOTAL, 2 * TOTAL);
    }
}

// ------------------------------------------------------------------------------------------------------------ greetings

static enum usher_status feed(struct side *side, const uint8_t *bytes, size_t len, size_t piece)
{
    enum usher_status status = USHER_RUNNING;
    for (size_t at = 0; at < len; at += piece) {
        struct chunk *chunk = chunk_new(chunks);
        size_t part = len - at < piece ? len - at : piece;
        memcpy(chunk->bytes, bytes + at, part);
        const struct slice slice = {.chunk = chunk, .bytes = chunk->bytes, .len = (uint32_t)part};
        status = stream_feed(&side->stream, &slice, 1);
        chunk_drop(chunk);
    }
    return status;
}

static size_t encode(uint8_t *bytes, uint16_t session, uint64_t taken, bool continues, size_t behind)
{
    const struct control_hello hello = {.version = "9.9", .continues = continues, .taken = taken};
    struct writer w = writer_over(bytes + USHER_HEADER_SIZE, 100);
    control_hello_encode(&w, &hello);
    size_t len = (size_t)(w.at - bytes) - USHER_HEADER_SIZE + behind;
    w = writer_over(bytes, USHER_HEADER_SIZE);
    record_send_header_encode(&w, session, len);
    return USHER_HEADER_SIZE + len;
}

// The side has sent one record, its UsherOpen.
static void test_greetings(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t session;
        uint64_t taken;
        bool continues;
        size_t behind;
        const char *reason; // NULL: it is good
    } cases[] = {
        {"none taken", 0, 0, true, 0, NULL},
        {"all taken", 0, 1, true, 0, NULL},
        {"more than sent", 0, 2, true, 0, "protocol error: more records taken than sent"},
        {"far more", 0, UINT64_MAX, true, 0, "protocol error: more records taken than sent"},
        {"a hello that begins", 0, 0, false, 0, "did not begin with hello"},
        {"something else", 4, 0, true, 0, "did not begin with hello"},
        {"more in the record", 0, 0, true, 1, "a greeting of the wrong length"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t piece = 1; piece < 60; piece++) {
            static struct side sides[2];
            uint8_t bytes[200] = {0};
            size_t len;
            begin(sides);
            pull(&sides[0], 1);
            change_lane(sides, 1);
            pull(&sides[0], 1); // its greeting, and no more
            size_t greeting = sides[0].to;
            len = encode(bytes, cases[i].session, cases[i].taken, cases[i].continues, cases[i].behind);
            enum usher_status status = feed(&sides[0], bytes, len, piece);
            pull(&sides[0], 1);
            CASE(cases[i].name, status == (cases[i].reason ? USHER_ENDING : USHER_RUNNING));
            if (cases[i].reason)
                CASE(cases[i].name, strstr(usher_engine_reason(sides[0].engine), cases[i].reason));
            // The record goes again if it was not taken; UsherEnd where the greeting was bad.
            CASE(cases[i].name, (sides[0].to > greeting) == (cases[i].reason || cases[i].taken == 0));
            end(sides);
        }
}

// Nobody has said that records are confirmed: they are kept no longer.
static void test_not_confirmed(void **state)
{
    (void)state;
    static struct side sides[2];
    begin(sides);
    assert_true(sides[0].stream.ring.keep && !stream_can_go_on(&sides[0].stream)); // nobody has said anything yet
    stream_decide(&sides[0].stream, false);
    stream_decide(&sides[0].stream, true); // too late
    assert_false(stream_can_go_on(&sides[0].stream));
    pull(&sides[0], 1);
    assert_int_equal(sides[0].stream.ring.held, 0);
    end(sides);
}

static int chunks_new(void **state)
{
    (void)state;
    chunks = chunk_pool_new(2);
    return 0;
}

static int chunks_free(void **state)
{
    (void)state;
    chunk_pool_free(chunks);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_greetings),
        cmocka_unit_test(test_not_confirmed),
    };
    return cmocka_run_group_tests(tests, chunks_new, chunks_free);
}
