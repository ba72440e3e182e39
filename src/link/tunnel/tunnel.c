// SPDX-License-Identifier: GPL-2.0-or-later
// Life and death of a tunnel. States only move forwards, but for UP and PAUSED; whoever finds that it is over says why and
// no more: the report, and with it the end of every session, comes from tunnel_turn, so no callback frees its caller.
#include "link/tunnel/tunnel.h"

#include "base/memory.h"
#include "base/text.h"
#include "link/tunnel/hearing.h"
#include "link/tunnel/pause.h"
#include "link/tunnel/stream.h"
#include "os/alarm.h"
#include "os/clock.h"
#include "os/heap.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHUNKS_CACHED = 64,     // 1 MiB: what a burst of one batch each way and a few slow flows need
    ORPHAN_CHECK_MS = 1000, // for chunks of a tunnel that is gone; what hurry is there
    WHY_SIZE = 640,
};

#define DECIDE_USEC (5 * USEC_PER_SEC)  // what anybody waits for an answer in here
#define GREET_USEC  (10 * USEC_PER_SEC) // as for a handshake
// For the side that was dialled, when the connection was closed in order but the tunnel was not ended: most likely the process
// that had dialled is gone, and its flows should not stand for as long as a network may be away. If it was a proxy between that
// went, the other side has dialled anew within a second or two of its coming back.
#define CLOSED_USEC (15 * USEC_PER_SEC)

enum state {
    OPENING, // no lane has come up yet
    RUNNING, // it is carried, also while the last words go out
    PAUSED,  // its lane is lost
    OVER,    // `why` waits to be reported
    REPORTED,
};

struct tunnel {
    struct alarm alarm; // only ends the loop's sleep: the turn that follows finds what is due
    enum state state;
    bool ending;       // the engine does not run any more: without its lane the tunnel is over
    bool untrusted;    // as the last lane ended
    struct lane *lane; // NULL while nothing carries it
    struct tls *past;  // of the lane before, while there is none
    struct hearing hearing;
    struct pause pause;
    usec_t greet_until;          // when the peer of a lane that took over must have greeted
    struct usher_engine *engine; // from the first lane that is up until the report
    bool begun;                  // the peer has opened a session
    struct stream stream;
    usec_t decided_at; // when a peer that has not said whether it confirms is taken not to
    struct chunk_pool *chunks;
    struct tunnel_config config;
    const struct tunnel_ops *ops;
    void *owner;
    char why[WHY_SIZE];
};

static bool is_up(const struct tunnel *tunnel)
{
    return tunnel->state == RUNNING && tunnel->lane && lane_is_up(tunnel->lane);
}

// It does not go on; what the engine still says goes out first if there is a lane to carry it.
static void end(struct tunnel *tunnel, const char *why, usec_t now)
{
    tunnel->ending = true;
    ring_keep_no_more(&tunnel->stream.ring);
    if (tunnel->lane)
        lane_end(tunnel->lane, why, now);
    if (tunnel->lane || tunnel->state >= OVER)
        return;
    snprintf(tunnel->why, sizeof tunnel->why, "%s", why);
    tunnel->state = OVER;
}

// What the engine asks of us

static void on_opened(void *owner, struct usher_session *session, const struct usher_open *open)
{
    struct tunnel *tunnel = owner;
    // The control session is opened before any other: who begins with one of users has none.
    if (tunnel->config.engine.server && !tunnel->begun && open->protocol != USHER_CONTROL)
        stream_decide(&tunnel->stream, false);
    tunnel->begun = true;
    tunnel->ops->opened(tunnel->owner, session, open);
}

static void on_wake(void *owner)
{
    struct tunnel *tunnel = owner;
    tunnel->ops->wake(tunnel->owner);
}

static void on_confirming(void *owner, bool agreed)
{
    struct tunnel *tunnel = owner;
    stream_decide(&tunnel->stream, agreed);
}

static bool on_confirmed(void *owner, uint16_t records)
{
    struct tunnel *tunnel = owner;
    return stream_confirmed(&tunnel->stream, records);
}

// What the lane asks of us

static void begin(struct tunnel *tunnel, const struct tls *tls, usec_t now)
{
    static const struct usher_engine_ops ops = {
        .opened = on_opened, .wake = on_wake, .confirming = on_confirming, .confirmed = on_confirmed};
    tunnel->config.engine.server = lane_role(tunnel->lane) == TLS_GATE;
    tunnel->config.engine.extended = tls_alpn_agreed(tls);
    tunnel->engine = usher_engine_new(&tunnel->config.engine, &ops, tunnel, now);
    assert(tunnel->engine);
    stream_begin(&tunnel->stream, tunnel->engine, tunnel->config.engine.max_sessions, tunnel->config.engine.extended);
    tunnel->decided_at = now + DECIDE_USEC;
    tunnel->state = RUNNING;
    tunnel->ops->up(tunnel->owner);
}

static bool on_up(void *owner, usec_t now)
{
    struct tunnel *tunnel = owner;
    hearing_heard(&tunnel->hearing, now);
    begin(tunnel, lane_tls(tunnel->lane), now);
    return true;
}

static void on_bytes(void *owner, const struct slice *slice, usec_t now)
{
    struct tunnel *tunnel = owner;
    char reason[USHER_REASON_MAX * 2];
    bool greeting = stream_is_greeting(&tunnel->stream);
    hearing_heard(&tunnel->hearing, now);
    if (stream_feed(&tunnel->stream, slice, now) != USHER_RUNNING) {
        end(tunnel, text_escape(reason, sizeof reason, usher_engine_reason(tunnel->engine)), now);
    } else if (greeting && !stream_is_greeting(&tunnel->stream)) {
        pause_end(&tunnel->pause, now);
        tunnel->ops->resumed(tunnel->owner);
    }
}

static size_t on_batch(void *owner, usec_t now)
{
    struct tunnel *tunnel = owner;
    return usher_engine_is_interactive(tunnel->engine, now) ? tunnel->config.batch_interactive : tunnel->config.batch;
}

// While something interactive is active, one record of bulk at a time.
static const uint8_t *on_pull(void *owner, size_t most, size_t *len, usec_t now)
{
    struct tunnel *tunnel = owner;
    most = usher_engine_is_interactive(tunnel->engine, now) ? CHUNK_SIZE : most;
    const uint8_t *bytes = stream_pull(&tunnel->stream, most, len, now);
    if (bytes)
        hearing_asked(&tunnel->hearing, now);
    return bytes;
}

static bool on_has_more(void *owner)
{
    const struct tunnel *tunnel = owner;
    return stream_has_more(&tunnel->stream);
}

static void on_expired(void *owner)
{
    struct tunnel *tunnel = owner;
    usher_engine_end(tunnel->engine, "peer certificate expired");
    tunnel->ending = true;
    ring_keep_no_more(&tunnel->stream.ring);
}

static void on_idle(void *owner)
{
    struct tunnel *tunnel = owner;
    ring_trim(&tunnel->stream.ring);
    chunk_pool_trim(tunnel->chunks, 0);
    heap_trim(); // no program has a second tunnel that this could hold up
}

static const struct lane_ops lane_ops = {
    .up = on_up,
    .bytes = on_bytes,
    .batch = on_batch,
    .pull = on_pull,
    .has_more = on_has_more,
    .expired = on_expired,
    .idle = on_idle,
};

// The turn

// When to look whether the peer is heard: by who dials, since nobody else can do anything about it.
static usec_t look_at(const struct tunnel *tunnel)
{
    if (!is_up(tunnel) || tunnel->config.engine.server || !tunnel_can_go_on(tunnel))
        return USEC_NEVER;
    return hearing_deadline(&tunnel->hearing);
}

static void set_alarm(struct tunnel *tunnel, usec_t now)
{
    struct alarm *alarm = &tunnel->alarm;
    if (tunnel->lane)
        alarm_set(alarm, lane_deadline(tunnel->lane), now);
    if (is_up(tunnel))
        alarm_set(alarm, usher_engine_deadline(tunnel->engine), now);
    if (tunnel->stream.undecided)
        alarm_set(alarm, tunnel->decided_at, now);
    if (tunnel->state == PAUSED)
        alarm_set(alarm, pause_until(&tunnel->pause), now);
    if (stream_is_greeting(&tunnel->stream))
        alarm_set(alarm, tunnel->greet_until, now);
    alarm_set(alarm, look_at(tunnel), now);
}

// A peer that has fallen silent may come back on another lane; the engine would end the tunnel.
static bool is_waiting_in_vain(const struct tunnel *tunnel, usec_t now)
{
    return stream_can_go_on(&tunnel->stream) && tunnel->config.engine.extended &&
           hearing_is_in_vain(&tunnel->hearing, now);
}

static void tick_engine(struct tunnel *tunnel, usec_t now)
{
    if (is_waiting_in_vain(tunnel, now))
        lane_drop(tunnel->lane, "timeout: nothing came from the peer for 30 s");
    else if (usher_engine_tick(tunnel->engine, now) != USHER_RUNNING)
        end(tunnel, usher_engine_reason(tunnel->engine), now);
}

static void give_up_waiting(struct tunnel *tunnel)
{
    snprintf(tunnel->why, sizeof tunnel->why, "no other connection took the place of the lost one within %u s",
             (unsigned)(tunnel->pause.patience / USEC_PER_SEC));
    tunnel->state = OVER;
}

// It began when what was sent then was not heard, if that is known.
static void begin_pause(struct tunnel *tunnel, usec_t now)
{
    pause_begin(&tunnel->pause, tunnel->hearing.asked, now);
}

static usec_t patience_with(const struct tunnel *tunnel, const struct lane *lane)
{
    usec_t patience = tunnel->config.resume_ms * USEC_PER_MSEC;
    bool hurries = tunnel->config.engine.server && lane_was_closed(lane);
    return hurries && patience > CLOSED_USEC ? CLOSED_USEC : patience;
}

static void pause_without(struct tunnel *tunnel, struct lane *lane, usec_t now)
{
    char why[WHY_SIZE];
    snprintf(why, sizeof why, "%s", lane_why(lane));
    begin_pause(tunnel, now);
    tunnel->pause.patience = patience_with(tunnel, lane);
    tunnel->state = PAUSED;
    tunnel->lane = NULL;
    tunnel->hearing.silent = false;
    tunnel->past = lane_free_but_tls(lane);
    on_idle(tunnel);
    tunnel->ops->paused(tunnel->owner, why);
}

static void take_leave(struct tunnel *tunnel, usec_t now)
{
    struct lane *lane = tunnel->lane;
    if (lane_was_lost(lane) && tunnel_can_go_on(tunnel)) {
        pause_without(tunnel, lane, now);
        return;
    }
    tunnel->untrusted = tls_is_untrusted(lane_tls(lane));
    snprintf(tunnel->why, sizeof tunnel->why, "%s", lane_why(lane));
    tunnel->state = OVER;
}

static void report(struct tunnel *tunnel)
{
    tunnel->state = REPORTED;
    alarm_stop(&tunnel->alarm);
    if (tunnel->engine)
        usher_engine_free(tunnel->engine);
    tunnel->engine = NULL;
    tunnel->ops->down(tunnel->owner, tunnel->why);
}

bool tunnel_turn(struct tunnel *tunnel, usec_t now)
{
    if (tunnel->state == REPORTED)
        return false;
    bool more = false;
    if (tunnel->lane)
        lane_input(tunnel->lane, now);
    if (is_up(tunnel) && now >= usher_engine_deadline(tunnel->engine))
        tick_engine(tunnel, now);
    if (now >= look_at(tunnel))
        hearing_look(&tunnel->hearing, lane_is_unheard(tunnel->lane), now);
    if (is_up(tunnel) && stream_is_greeting(&tunnel->stream) && now >= tunnel->greet_until)
        lane_drop(tunnel->lane, "the other end did not say within 10 s where it goes on");
    if (tunnel->stream.undecided && now >= tunnel->decided_at)
        stream_decide(&tunnel->stream, false);
    if (tunnel->lane)
        more = lane_output(tunnel->lane, now);
    if (tunnel->lane && tunnel->state < OVER && lane_is_over(tunnel->lane))
        take_leave(tunnel, now);
    if (tunnel->state == PAUSED && now >= pause_until(&tunnel->pause))
        give_up_waiting(tunnel);
    if (tunnel->state == OVER) {
        report(tunnel);
        return false;
    }
    set_alarm(tunnel, now);
    return more;
}

// Birth and end

struct tunnel *tunnel_new(uv_loop_t *loop, const struct tunnel_config *config, const struct tunnel_ops *ops,
                          void *owner)
{
    struct tunnel *tunnel = memory_new(sizeof *tunnel);
    *tunnel = (struct tunnel){
        .chunks = chunk_pool_new(CHUNKS_CACHED),
        .config = *config,
        .ops = ops,
        .owner = owner,
    };
    stream_init(&tunnel->stream, config->resume_ms > 0 ? config->replay_size : 0);
    hearing_heard(&tunnel->hearing, 0);
    pause_init(&tunnel->pause);
    alarm_init(&tunnel->alarm, loop, NULL, NULL);
    return tunnel;
}

static void take(struct tunnel *tunnel, struct lane *lane)
{
    lane_attach(lane, tunnel->chunks, &lane_ops, tunnel);
    tunnel->lane = lane;
    alarm_set(&tunnel->alarm, 0, 0); // the first turn sends the ClientHello
}

void tunnel_carry(struct tunnel *tunnel, struct lane *lane)
{
    assert(!tunnel->lane && tunnel->state == OPENING);
    take(tunnel, lane);
    if (lane_is_up(lane))
        on_up(tunnel, clock_now());
}

bool tunnel_can_go_on(const struct tunnel *tunnel)
{
    bool lives = tunnel->state == RUNNING || tunnel->state == PAUSED;
    return lives && !tunnel->ending && stream_can_go_on(&tunnel->stream);
}

bool tunnel_go_on(struct tunnel *tunnel, struct lane *lane, usec_t now)
{
    assert(lane_is_up(lane));
    if (!tunnel_can_go_on(tunnel) || !tls_is_going_on(lane_tls(lane)))
        return false;
    begin_pause(tunnel, now);
    lane_free(tunnel->lane);
    tls_free(tunnel->past);
    tunnel->past = NULL;
    take(tunnel, lane);
    tunnel->state = RUNNING;
    hearing_heard(&tunnel->hearing, now);
    tunnel->greet_until = now + GREET_USEC;
    stream_go_on(&tunnel->stream);
    usher_engine_resumed(tunnel->engine, now);
    return true;
}

static void on_closed(void *owner)
{
    struct tunnel *tunnel = owner;
    chunk_pool_free(tunnel->chunks);
    free(tunnel);
}

// Edges may still hold data of sessions that had ended well before; the pool must outlive it.
static void reclaim(uv_timer_t *timer)
{
    struct tunnel *tunnel = container_of(timer, struct tunnel, alarm.timer);
    if (chunk_pool_held(tunnel->chunks) == 0)
        alarm_close(&tunnel->alarm, on_closed, tunnel);
    else
        uv_timer_start(timer, reclaim, ORPHAN_CHECK_MS, 0);
}

void tunnel_free(struct tunnel *tunnel)
{
    if (!tunnel)
        return;
    tunnel->state = REPORTED;
    alarm_stop(&tunnel->alarm);
    if (tunnel->engine)
        usher_engine_free(tunnel->engine);
    tunnel->engine = NULL;
    lane_free(tunnel->lane);
    tls_free(tunnel->past);
    tunnel->lane = NULL;
    tunnel->past = NULL;
    stream_fini(&tunnel->stream);
    uv_unref((uv_handle_t *)&tunnel->alarm.timer);
    reclaim(&tunnel->alarm.timer);
}

void tunnel_end(struct tunnel *tunnel, const char *reason)
{
    if (is_up(tunnel))
        usher_engine_end(tunnel->engine, reason);
    end(tunnel, reason, clock_now());
    tunnel->ops->wake(tunnel->owner);
}

void tunnel_drop(struct tunnel *tunnel, const char *why)
{
    if (tunnel->state >= OVER)
        return;
    if (tunnel->lane)
        lane_drop(tunnel->lane, why);
    else
        end(tunnel, why, clock_now());
    tunnel->ops->wake(tunnel->owner);
}

// What it is like

bool tunnel_is_blocked(const struct tunnel *tunnel)
{
    return !tunnel->lane || lane_is_blocked(tunnel->lane);
}

bool tunnel_is_untrusted(const struct tunnel *tunnel)
{
    return tunnel->untrusted;
}

struct usher_engine *tunnel_engine(const struct tunnel *tunnel)
{
    return tunnel->engine;
}

const struct tls *tunnel_tls(const struct tunnel *tunnel)
{
    return tunnel->lane ? lane_tls(tunnel->lane) : tunnel->past;
}

struct chunk_pool *tunnel_chunks(const struct tunnel *tunnel)
{
    return tunnel->chunks;
}

bool tunnel_is_paused(const struct tunnel *tunnel)
{
    return pause_is_on(&tunnel->pause);
}

bool tunnel_is_silent(const struct tunnel *tunnel)
{
    return tunnel->hearing.silent;
}

bool tunnel_peer(const struct tunnel *tunnel, struct endpoint *out)
{
    return tunnel->lane && lane_peer(tunnel->lane, out);
}

bool tunnel_local(const struct tunnel *tunnel, struct endpoint *out)
{
    return tunnel->lane && lane_local(tunnel->lane, out);
}

void tunnel_describe(const struct tunnel *tunnel, struct facts *facts)
{
    facts_gauge(facts, "rtt_us", "round trip to the peer, as the kernel measures it", FACT_MICROSECONDS,
                tunnel->lane ? lane_rtt_usec(tunnel->lane) : 0);
    facts_gauge(facts, "resumable", "another connection may carry it on if this one is lost", FACT_SWITCH,
                tunnel_can_go_on(tunnel));
    pause_describe(&tunnel->pause, facts);
}
