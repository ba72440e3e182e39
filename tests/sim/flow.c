// SPDX-License-Identifier: GPL-2.0-or-later
// A callback checks what it is told, then may do what an edge may do in there: also reset its own session.
#include "flow.h"

#include "base/memory.h"
#include "check.h"
#include "usher/eviction.h"

#include <stdlib.h>
#include <string.h>

enum { DATAGRAM_SIZE_MAX = 3000, DATAGRAM_JUMBO = 60000 };

static struct flow *cast(void *owner)
{
    struct flow *flow = owner;
    CHECK(!flow->ended_seen && !flow->reset_here);
    return flow;
}

static uint64_t out_key(const struct flow *flow)
{
    return (uint64_t)flow->key * 2 + (flow->role == FLOW_OPENER);
}

static uint64_t in_key(const struct flow *flow)
{
    return (uint64_t)flow->key * 2 + (flow->role != FLOW_OPENER);
}

static void reset(struct flow *flow)
{
    flow->reset_here = true;
    flow->phase = FLOW_OVER;
    usher_session_reset(flow->session, USHER_REFUSED, "by plan");
}

static bool maybe_reset(struct flow *flow)
{
    if (below(flow->world->chance, 1000) >= flow->reset_chance)
        return false;
    reset(flow);
    return true;
}

static void on_opened(void *owner)
{
    struct flow *flow = cast(owner);
    CHECK(flow->role == FLOW_OPENER && flow->phase == FLOW_WAITING);
    flow->phase = FLOW_OPEN;
    flow->was_open = true;
    if (!maybe_reset(flow) && flow->stream && percent(flow->world->chance, 50))
        usher_session_ready(flow->session);
}

static void finish(struct flow *flow)
{
    flow->finish_called = true;
    if (flow->stream)
        usher_session_finish(flow->session);
    else
        usher_session_close(flow->session);
}

static size_t on_fill(void *owner, uint8_t *room, size_t size)
{
    struct flow *flow = cast(owner);
    struct chance *chance = flow->world->chance;
    CHECK(flow->stream && flow->phase == FLOW_OPEN && size > 0);
    CHECK(size <= usher_session_send_room(flow->session));
    if (percent(chance, 1) && maybe_reset(flow))
        return size;
    if (!flow->finish_called && percent(chance, 10))
        return 0;
    uint64_t len = flow->to_send - flow->sent;
    if (len > size)
        len = size;
    if (len > 0 && percent(chance, 40))
        len = 1 + below(chance, len);
    stream_write(room, len, out_key(flow), flow->sent);
    flow->sent += len;
    if (flow->sent == flow->to_send && !flow->finish_called && percent(chance, 50))
        finish(flow);
    return len;
}

static void on_data(void *owner, const struct slice *slice)
{
    struct flow *flow = cast(owner);
    CHECK(flow->stream && flow->phase == FLOW_OPEN && !flow->finished_seen && slice->len > 0);
    CHECK(stream_is(slice->bytes, slice->len, in_key(flow), flow->received));
    flow->received += slice->len;
    CHECK(flow->received <= usher_session_received(flow->session));
    if (percent(flow->world->chance, 5) && maybe_reset(flow))
        return;
    if (!percent(flow->world->chance, flow->lazy)) {
        usher_session_consumed(flow->session, flow->received - flow->consumed);
        flow->consumed = flow->received;
    }
}

static size_t datagram_size(uint64_t key, uint64_t number)
{
    uint64_t drawn = mix(key + number * 77);
    return drawn % 50 == 0 ? DATAGRAM_JUMBO + drawn % 5507 : drawn / 64 % DATAGRAM_SIZE_MAX;
}

// A datagram says its number in its first address, and is checked whole.
static void on_datagram(void *owner, const struct usher_datagram *datagram)
{
    struct flow *flow = cast(owner);
    const uint8_t *a = datagram->from.addr.bytes;
    uint64_t number = (uint64_t)a[1] << 16 | (uint64_t)a[2] << 8 | a[3];
    CHECK(!flow->stream && flow->phase == FLOW_OPEN && !flow->finished_seen);
    CHECK(datagram->from.addr.version == 4 && datagram->to.port == (uint16_t)flow->key);
    CHECK(number >= flow->next_datagram);
    CHECK(datagram->len == datagram_size(in_key(flow), number));
    CHECK(stream_is(datagram->bytes, datagram->len, in_key(flow), number));
    flow->next_datagram = number + 1;
    flow->received++;
}

static void on_finished(void *owner)
{
    struct flow *flow = cast(owner);
    CHECK(flow->phase == FLOW_OPEN && !flow->finished_seen);
    flow->finished_seen = true;
    if (!maybe_reset(flow) && !flow->stream)
        flow->finish_called = true; // both directions end together
}

static void on_ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct flow *flow = cast(owner);
    flow->ended_seen = true;
    flow->ending = ending;
    flow->phase = FLOW_OVER;
    CHECK(text);
    switch (ending) {
    case USHER_ENDED_CLOSED:
        CHECK(flow->was_open && flow->finished_seen && flow->finish_called);
        break;
    case USHER_ENDED_REFUSED:
        CHECK(flow->role == FLOW_OPENER && !flow->was_open);
        CHECK(word == USHER_REFUSED || word == USHER_UNSUPPORTED || word == USHER_LIMIT || word == USHER_FAILED);
        break;
    case USHER_ENDED_RESET:
        flow->evicted = word == USHER_LIMIT && strcmp(text, EVICTION_REASON) == 0;
        CHECK(flow->evicted || strcmp(text, "by plan") == 0 || strcmp(text, "given up") == 0);
        break;
    case USHER_ENDED_LOST:
        CHECK(flow->world->cut || (flow->world->opens_lost && flow->role == FLOW_OPENER && !flow->was_open));
        break;
    }
}

static const struct usher_session_ops ops = {
    .opened = on_opened,
    .fill = on_fill,
    .data = on_data,
    .datagram = on_datagram,
    .finished = on_finished,
    .ended = on_ended,
};

static uint64_t draw_amount(struct chance *chance, bool stream)
{
    static const uint64_t edges[] = {0, 1, 65535, 65536, 65537, USHER_SEND_MAX, USHER_SEND_MAX + 1};
    if (!stream)
        return below(chance, 60);
    switch (below(chance, 8)) {
    case 0:
        return edges[below(chance, sizeof edges / sizeof edges[0])];
    case 1:
        return below(chance, 600 * 1024);
    default:
        return below(chance, 20 * 1024);
    }
}

static struct flow *flow_new(struct flow_world *world, uint32_t key, enum flow_role role, bool stream)
{
    struct flow *flow = memory_new(sizeof *flow);
    flow->world = world;
    flow->key = key;
    flow->role = role;
    flow->stream = stream;
    flow->to_send = draw_amount(world->chance, stream);
    flow->reset_chance = percent(world->chance, 25) ? 30 : 0;
    flow->lazy = percent(world->chance, 50) ? 95 : 20;
    flow->will_refuse = percent(world->chance, 10);
    list_init(&flow->in_side);
    return flow;
}

struct flow *flow_open(struct flow_world *world, struct usher_engine *engine, uint32_t key)
{
    bool stream = percent(world->chance, 80);
    struct usher_open open = {
        .protocol = stream ? USHER_TCP : USHER_UDP,
        .port = (uint16_t)below(world->chance, 65536),
        .addr = {.version = 4, .bytes = {10, (uint8_t)(key >> 16), (uint8_t)(key >> 8), (uint8_t)key}},
    };
    struct flow *flow = flow_new(world, key, FLOW_OPENER, stream);
    flow->session = usher_session_open(engine, &open, &ops, flow);
    if (!flow->session) {
        free(flow);
        return NULL;
    }
    return flow;
}

uint32_t flow_key(const struct usher_open *open)
{
    const uint8_t *a = open->addr.bytes;
    return (uint32_t)a[1] << 16 | (uint32_t)a[2] << 8 | a[3];
}

static void answer(struct flow *flow)
{
    if (flow->will_refuse) {
        flow->reset_here = true;
        flow->phase = FLOW_OVER;
        usher_session_refuse(flow->session, USHER_REFUSED, "by plan");
        return;
    }
    flow->phase = FLOW_OPEN;
    flow->was_open = true;
    usher_session_accept(flow->session);
}

struct flow *flow_answer(struct flow_world *world, struct usher_session *session, const struct usher_open *open)
{
    if (percent(world->chance, 3))
        return NULL;
    struct flow *flow = flow_new(world, flow_key(open), FLOW_ANSWERER, open->protocol == USHER_TCP);
    flow->session = session;
    usher_session_attach(session, &ops, flow);
    if (percent(world->chance, 30))
        answer(flow);
    return flow;
}

static void send_datagram(struct flow *flow)
{
    static uint8_t bytes[USHER_DATAGRAM_MAX];
    uint64_t number = flow->sent;
    struct usher_datagram datagram = {
        .from = {.addr = {.version = 4, .bytes = {10, 0, (uint8_t)(number >> 8), (uint8_t)number}}},
        .to = {.addr = {.version = 4, .bytes = {10, 1, 1, 1}}, .port = (uint16_t)flow->key},
        .bytes = bytes,
        .len = datagram_size(out_key(flow), number),
    };
    stream_write(bytes, datagram.len, out_key(flow), number);
    if (usher_session_datagram(flow->session, &datagram))
        flow->sent++;
    else
        flow->to_send = flow->sent; // the peer has closed
}

static void consume(struct flow *flow)
{
    uint64_t held = flow->received - flow->consumed;
    if (!flow->stream || held == 0 || percent(flow->world->chance, flow->lazy))
        return;
    uint64_t len = percent(flow->world->chance, 50) ? held : 1 + below(flow->world->chance, held);
    flow->consumed += len;
    usher_session_consumed(flow->session, len);
}

static void act_open(struct flow *flow)
{
    bool to_close = flow->stream || flow->role == FLOW_OPENER; // an association is closed by who opened it
    consume(flow);
    if (flow->finish_called)
        return;
    if (flow->sent < flow->to_send && flow->stream)
        usher_session_ready(flow->session);
    else if (flow->sent < flow->to_send)
        send_datagram(flow);
    else if (to_close && percent(flow->world->chance, 30))
        finish(flow);
}

void flow_act(struct flow *flow)
{
    if (flow->phase == FLOW_OVER || maybe_reset(flow))
        return;
    if (flow->phase == FLOW_OPEN)
        act_open(flow);
    else if (flow->role == FLOW_ANSWERER && percent(flow->world->chance, 30))
        answer(flow);
}

// Both ends played to the end without a reset: all that one sent is what the other got.
static void check_complete(const struct flow *flow)
{
    const struct flow *other = flow->other;
    CHECK(flow->ending == USHER_ENDED_CLOSED && other->ending == USHER_ENDED_CLOSED);
    CHECK(flow->finished_seen);
    flow->world->tally->complete++;
    if (flow->stream)
        CHECK(flow->received == other->to_send && other->sent == other->to_send);
    else
        CHECK(flow->received <= other->sent);
}

static void count(const struct flow *flow)
{
    struct flow_tally *tally = flow->world->tally;
    tally->flows++;
    tally->reset_here += flow->reset_here;
    tally->evicted += flow->evicted;
    if (flow->ended_seen)
        tally->by_ending[flow->ending]++;
    *(flow->stream ? &tally->bytes : &tally->datagrams) += flow->received;
}

static bool is_broken(const struct flow *flow)
{
    return flow->reset_here || flow->evicted;
}

void flow_check(const struct flow *flow)
{
    CHECK(flow->phase == FLOW_OVER && (flow->ended_seen || flow->reset_here));
    CHECK(!flow->other || !flow->stream || flow->received <= flow->other->sent); // whatever ended it
    count(flow);
    if (flow->world->cut || is_broken(flow))
        return;
    CHECK(flow->ended_seen);
    if (flow->ending == USHER_ENDED_CLOSED && flow->other && !is_broken(flow->other))
        check_complete(flow);
    else if (flow->ending == USHER_ENDED_RESET)
        CHECK(flow->other && flow->other->reset_here);
    else if (flow->ending == USHER_ENDED_REFUSED)
        CHECK(!flow->other || flow->other->reset_here);
}
