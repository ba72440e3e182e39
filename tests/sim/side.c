// SPDX-License-Identifier: GPL-2.0-or-later
// Pulls into rooms of any size, feeds pieces of any size, each in a block of exactly its size, and holds the engine to
// its word about memory: no more waits than the credit that was given.
#include "side.h"

#include "base/memory.h"
#include "check.h"

#include <stdlib.h>
#include <string.h>

static void on_opened(void *owner, struct usher_session *session, const struct usher_open *open)
{
    struct side *side = owner;
    if (open->protocol == USHER_CONTROL) {
        talk_adopt(&side->talk, session);
        return;
    }
    struct flow *flow = flow_answer(side->world, session, open);
    if (!flow)
        return;
    list_push_back(&side->flows, &flow->in_side);
    side->flow_count++;
}

static void on_wake(void *owner)
{
    struct side *side = owner;
    side->awake = true;
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

static const struct usher_engine_ops ops = {
    .opened = on_opened, .wake = on_wake, .confirming = on_confirming, .confirmed = on_confirmed};

void side_init(struct side *side, struct flow_world *world, const struct usher_engine_config *config, usec_t now)
{
    *side = (struct side){.world = world, .status = USHER_RUNNING};
    side->window_budget = config->window_budget;
    side->held_budget = config->held_budget;
    list_init(&side->flows);
    side->wire = wire_new(config->server);
    side->chunks = chunk_pool_new(4);
    side->engine = usher_engine_new(config, &ops, side, now);
    CHECK(side->engine);
}

void side_end(struct side *side)
{
    usher_engine_free(side->engine);
    if (side->goes_on)
        stream_fini(&side->stream);
    list_for_each(node, &side->flows) {
        flow_check(container_of(node, struct flow, in_side));
    }
}

void side_fini(struct side *side)
{
    list_for_each(node, &side->flows) {
        free(container_of(node, struct flow, in_side));
    }
    chunk_pool_free(side->chunks);
    wire_free(side->wire);
}

void side_go_on_from_now(struct side *side, size_t replay, bool opens)
{
    side->goes_on = true;
    stream_init(&side->stream, replay);
    stream_begin(&side->stream, side->engine, 1000, true);
    if (opens)
        talk_open(&side->talk, side->engine);
}

bool side_confirms(const struct side *side)
{
    return side->talk.session && !side->stream.undecided;
}

void side_change_lane(struct side *side, usec_t now)
{
    side->out->len = 0;
    side->out->stalled_until = 0;
    stream_go_on(&side->stream);
    usher_engine_resumed(side->engine, now);
}

void side_lose_lane(struct side *side)
{
    side->out->len = 0;
    side->out->stalled_until = 0;
}

void side_open(struct side *side, uint32_t key)
{
    struct flow *flow = flow_open(side->world, side->engine, key);
    if (!flow)
        return;
    list_push_back(&side->flows, &flow->in_side);
    side->flow_count++;
}

void side_act(struct side *side)
{
    uint64_t turns = below(side->world->chance, side->flow_count + 1);
    list_for_each(node, &side->flows) {
        struct flow *flow = container_of(node, struct flow, in_side);
        if (turns > 0 && percent(side->world->chance, 40)) {
            flow_act(flow);
            turns--;
        }
    }
}

static size_t draw_room(struct chance *chance)
{
    switch (below(chance, 4)) {
    case 0:
        return USHER_PULL_MIN + below(chance, 2000);
    case 1:
        return USHER_PULL_MIN + below(chance, 60000);
    default:
        return CHUNK_SIZE;
    }
}

static void send_stream(struct side *side, usec_t now)
{
    size_t len;
    if (pipe_room(side->out) < CHUNK_SIZE)
        return;
    bool had_more = stream_has_more(&side->stream);
    bool again = ring_is_behind(&side->stream.ring);
    size_t most = pipe_room(side->out);
    const uint8_t *bytes = stream_pull(&side->stream, most, &len, now);
    CHECK(had_more || !bytes);
    CHECK(bytes || !stream_has_more(&side->stream));
    if (!bytes)
        return;
    CHECK(len > 0 && len <= most);
    side->world->tally->bytes_again += again ? len : 0;
    pipe_write(side->out, bytes, len);
}

bool side_has_more(const struct side *side)
{
    return side->goes_on ? stream_has_more(&side->stream) : usher_engine_has_work(side->engine);
}

void side_send(struct side *side, usec_t now)
{
    if (side->goes_on) {
        send_stream(side, now);
        return;
    }
    static uint8_t bytes[65536];
    size_t size = draw_room(side->world->chance);
    if (pipe_room(side->out) < size)
        return;
    bool announced = side->awake;
    bool had_work = usher_engine_has_work(side->engine);
    CHECK(announced || !had_work);
    size_t len = usher_engine_pull(side->engine, bytes, size, now);
    CHECK(len <= size);
    CHECK(len == 0 || had_work);
    side->awake = usher_engine_has_work(side->engine);
    CHECK(len > 0 || !side->awake); // work, and room for any record: something must come
    wire_sent(side->wire, bytes, len);
    pipe_write(side->out, bytes, len);
}

// By the flows' own count.
static uint64_t held(const struct side *side)
{
    uint64_t sum = 0;
    list_for_each(node, &side->flows) {
        const struct flow *flow = container_of(node, struct flow, in_side);
        sum += flow->phase == FLOW_OPEN && flow->stream ? flow->received - flow->consumed : 0;
    }
    return sum;
}

void side_receive(struct side *side, usec_t now)
{
    size_t len = pipe_ready(side->in, now);
    if (len == 0)
        return;
    if (len > CHUNK_SIZE)
        len = CHUNK_SIZE;
    if (percent(side->world->chance, 60))
        len = 1 + below(side->world->chance, len);
    struct chunk *chunk = chunk_new(side->chunks);
    pipe_read(side->in, chunk->bytes, len);
    // The observer first: what the engine pulls from now on knows these bytes. What comes twice it does not know.
    if (!side->goes_on)
        wire_received(side->wire, chunk->bytes, len);
    struct slice slice = {.chunk = chunk, .bytes = chunk->bytes, .len = (uint32_t)len};
    if (side->goes_on)
        side->status = stream_feed(&side->stream, &slice, now);
    else
        side->status = usher_engine_feed(side->engine, &slice, now);
    memset(chunk->bytes, 0xdd, len); // nobody may still look at what was not kept
    chunk_drop(chunk);
    CHECK(usher_engine_window_used(side->engine) <= side->window_budget);
    CHECK(side->held_budget == 0 || held(side) <= side->held_budget);
}

void side_tick(struct side *side, usec_t now)
{
    if (now >= usher_engine_deadline(side->engine))
        side->status = usher_engine_tick(side->engine, now);
}

static struct flow *find(struct side *side, const struct flow *wanted)
{
    list_for_each(node, &side->flows) {
        struct flow *flow = container_of(node, struct flow, in_side);
        if (flow->key == wanted->key && flow->role != wanted->role)
            return flow;
    }
    return NULL;
}

void side_match(struct side *a, struct side *b)
{
    list_for_each(node, &a->flows) {
        struct flow *flow = container_of(node, struct flow, in_side);
        flow->other = find(b, flow);
        if (flow->other)
            flow->other->other = flow;
    }
}

bool side_is_done(const struct side *side)
{
    if (side->goes_on && side->stream.greeting)
        return false;
    return usher_engine_sessions(side->engine) == 0 && side->out->len == 0 && !side_has_more(side);
}

void side_check(const struct side *side)
{
    CHECK(side->status == USHER_RUNNING);
    CHECK(side->goes_on || wire_is_quiet(side->wire));
    CHECK(usher_engine_window_used(side->engine) == 0);
}

void side_check_ended(const struct side *side)
{
    CHECK(!usher_engine_is_running(side->engine));
    CHECK(usher_engine_sessions(side->engine) == 0 && !side->talk.session);
    CHECK(usher_engine_window_used(side->engine) == 0);
    list_for_each(node, &side->flows) {
        CHECK(container_of(node, struct flow, in_side)->phase == FLOW_OVER);
    }
}
