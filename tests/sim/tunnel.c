// SPDX-License-Identifier: GPL-2.0-or-later
// The gate's side of leaving is gate/worker/departure.c once more, without a loop.
#include "tunnel.h"

#include "check.h"

#include <string.h>

enum {
    LANES_MAX = 50, // in a tunnel
    IDLE = 30 * USEC_PER_SEC,
};

static struct usher_engine_config draw_config(struct chance *chance, bool server, bool extended)
{
    static const uint64_t budgets[] = {0, 100 * 1000, 3 * 1024 * 1024, 64 * 1024 * 1024};
    static const uint32_t windows[] = {USHER_WINDOW_START, 100 * 1000, USHER_WINDOW_MAX};
    return (struct usher_engine_config){
        .server = server,
        .extended = extended,
        .max_sessions = percent(chance, 20) ? 8 : 1000,
        .max_unanswered = percent(chance, 20) ? 3 : 1000,
        .opens_per_sec = percent(chance, 20) ? 100 : 0,
        .opens_burst = 10,
        .window_budget = budgets[below(chance, sizeof budgets / sizeof budgets[0])],
        .window_max = windows[below(chance, sizeof windows / sizeof windows[0])],
        .held_budget = percent(chance, 15) ? 10 * 1000 + below(chance, 100 * 1000) : 0,
    };
}

// Both ends agree to confirm what they take, before anything else is said.
static void agree(struct tunnel *tunnel, usec_t now)
{
    static const size_t replays[] = {128 * 1024, 256 * 1024, 4 << 20};
    tunnel->goes_on = true;
    for (int i = 0; i < 2; i++)
        side_go_on_from_now(&tunnel->sides[i], replays[below(tunnel->world.chance, 3)], i == PORTAL);
    while (!side_confirms(&tunnel->sides[0]) || !side_confirms(&tunnel->sides[1]))
        for (int i = 0; i < 2; i++) {
            side_send(&tunnel->sides[i], now);
            side_receive(&tunnel->sides[1 - i], now);
        }
    tunnel->lanes_left = (uint32_t)below(tunnel->world.chance, LANES_MAX);
}

void tunnel_init(struct tunnel *tunnel, struct chance *chance, struct flow_tally *tally, usec_t now)
{
    memset(tunnel, 0, sizeof *tunnel);
    tunnel->world = (struct flow_world){.chance = chance, .tally = tally};
    tunnel->idle_since = USEC_NEVER;
    tally->tunnels++;
    bool extended = percent(chance, 80);
    for (int i = 0; i < 2; i++) {
        struct usher_engine_config config = draw_config(chance, i == GATE, extended);
        side_init(&tunnel->sides[i], &tunnel->world, &config, now);
        tunnel->sides[i].out = &tunnel->pipes[i];
        tunnel->sides[i].in = &tunnel->pipes[1 - i];
    }
    if (extended && percent(chance, 60))
        agree(tunnel, now);
}

static void lose_lane(struct tunnel *tunnel)
{
    side_lose_lane(&tunnel->sides[PORTAL]);
    side_lose_lane(&tunnel->sides[GATE]);
}

// At any byte, of either direction: what one end has been given and what not is chance. One that is left is not carried on.
static void change_lane(struct tunnel *tunnel, usec_t now)
{
    tunnel->lanes_left--;
    tunnel->world.tally->lanes_lost++;
    if (tunnel->life != TUNNEL_UP || tunnel->being_left) {
        tunnel->world.cut = true;
        lose_lane(tunnel);
        tunnel->life = TUNNEL_SILENT;
        return;
    }
    tunnel->lost_at = tunnel->lost_at ? tunnel->lost_at : now;
    for (int i = 0; i < 2; i++)
        side_change_lane(&tunnel->sides[i], now);
}

// How long it took from the loss of a lane until both ends went on.
static void note_pause(struct tunnel *tunnel, usec_t now)
{
    struct flow_tally *tally = tunnel->world.tally;
    if (!tunnel->lost_at || stream_is_greeting(&tunnel->sides[0].stream) ||
        stream_is_greeting(&tunnel->sides[1].stream))
        return;
    if (tally->pause_count < PAUSES_MAX)
        tally->pauses[tally->pause_count++] = now - tunnel->lost_at;
    tunnel->lost_at = 0;
}

// At once, and for good: no session of the gate's is left when this returns.
static void end_at_gate(struct tunnel *tunnel, const char *why)
{
    struct side *gate = &tunnel->sides[GATE];
    usher_engine_end(gate->engine, why);
    if (tunnel->goes_on)
        ring_keep_no_more(&gate->stream.ring); // as link/tunnel does: UsherEnd goes out however full it is
    side_check_ended(gate);
    tunnel->life = TUNNEL_ENDING;
}

static void judge_departure(struct tunnel *tunnel, usec_t now)
{
    struct side *gate = &tunnel->sides[GATE];
    if (!tunnel->draining || tunnel->life != TUNNEL_UP)
        return;
    bool idle = usher_engine_sessions(gate->engine) == 0;
    if (!idle || tunnel->idle_since == USEC_NEVER)
        tunnel->idle_since = idle ? now : USEC_NEVER;
    if (idle && gate->talk.left) {
        tunnel->world.tally->drained++;
        end_at_gate(tunnel, "drained");
    } else if (idle && now - tunnel->idle_since >= IDLE) {
        tunnel->world.opens_lost = true;
        tunnel->world.tally->drained++;
        end_at_gate(tunnel, "idle");
    } else if (now >= tunnel->patience) {
        tunnel->world.cut = true;
        tunnel->world.tally->impatient++;
        end_at_gate(tunnel, "patience is over");
    }
}

// The end has been said, and heard: by UsherEnd, or where the portal has not greeted, by the lane's own end.
static void settle(struct tunnel *tunnel)
{
    const struct side *gate = &tunnel->sides[GATE];
    if (tunnel->life != TUNNEL_ENDING || side_has_more(gate) || gate->out->len > 0)
        return;
    if (tunnel->goes_on && stream_is_greeting(&gate->stream))
        usher_engine_end(tunnel->sides[PORTAL].engine, "the lane has ended");
    side_check_ended(&tunnel->sides[PORTAL]);
    tunnel->life = TUNNEL_OVER;
}

static void maybe_stall(struct tunnel *tunnel, usec_t now)
{
    struct pipe *pipe = &tunnel->pipes[below(tunnel->world.chance, 2)];
    if (below(tunnel->world.chance, 3000) == 0)
        pipe->stalled_until = now + below(tunnel->world.chance, 2 * USEC_PER_SEC);
}

static void happen(struct tunnel *tunnel, usec_t now)
{
    struct side *side = &tunnel->sides[below(tunnel->world.chance, 2)];
    switch (below(tunnel->world.chance, 6)) {
    case 0:
        side_act(side);
        break;
    case 1:
        side_tick(side, now);
        break;
    case 2:
    case 3:
        side_send(side, now);
        break;
    default:
        side_receive(side, now);
    }
}

void tunnel_step(struct tunnel *tunnel, usec_t now)
{
    if (tunnel->lanes_left > 0 && below(tunnel->world.chance, 300) == 0)
        change_lane(tunnel, now);
    if (tunnel->life >= TUNNEL_SILENT)
        return;
    maybe_stall(tunnel, now);
    happen(tunnel, now);
    note_pause(tunnel, now);
    judge_departure(tunnel, now);
    settle(tunnel);
}

void tunnel_cut(struct tunnel *tunnel, usec_t now)
{
    tunnel->world.cut = true;
    for (int i = 0; i < 2 && tunnel->life < TUNNEL_SILENT; i++) {
        struct side *side = &tunnel->sides[i];
        if (percent(tunnel->world.chance, 50))
            usher_engine_end(side->engine, "cut");
        while (side_has_more(side) && pipe_room(side->out) >= PIPE_ROOM / 2)
            side_send(side, now);
        if (percent(tunnel->world.chance, 50))
            side_receive(&tunnel->sides[1 - i], now);
    }
    tunnel->life = TUNNEL_OVER;
}

void tunnel_drain(struct tunnel *tunnel, usec_t patience, usec_t now)
{
    tunnel->draining = true;
    tunnel->patience = now + patience;
    talk_drain(&tunnel->sides[GATE].talk, false);
}

bool tunnel_is_asked_to_leave(const struct tunnel *tunnel)
{
    return tunnel->life == TUNNEL_UP && tunnel->sides[PORTAL].talk.asked && !tunnel->being_left;
}

void tunnel_leave(struct tunnel *tunnel)
{
    tunnel->being_left = true;
    talk_drain(&tunnel->sides[PORTAL].talk, true);
}

void tunnel_revoke(struct tunnel *tunnel, bool unheard)
{
    if (tunnel->life != TUNNEL_UP)
        return;
    tunnel->world.cut = true;
    tunnel->world.tally->revoked++;
    end_at_gate(tunnel, "revoked");
    if (!unheard)
        return;
    lose_lane(tunnel);
    tunnel->life = TUNNEL_SILENT;
}

void tunnel_give_up(struct tunnel *tunnel)
{
    usher_engine_end(tunnel->sides[PORTAL].engine, "no lane");
    side_check_ended(&tunnel->sides[PORTAL]);
    usher_engine_end(tunnel->sides[GATE].engine, "no lane");
    side_check_ended(&tunnel->sides[GATE]);
    tunnel->life = TUNNEL_OVER;
}

bool tunnel_is_quiet(const struct tunnel *tunnel)
{
    return tunnel->life == TUNNEL_OVER ||
           (tunnel->life == TUNNEL_UP && side_is_done(&tunnel->sides[0]) && side_is_done(&tunnel->sides[1]));
}

// For an hour nothing but heartbeats is said, and both sides live.
void tunnel_rest(struct tunnel *tunnel, usec_t now)
{
    for (int second = 0; second < 3600 && tunnel->life == TUNNEL_UP; second++) {
        now += USEC_PER_SEC;
        for (int i = 0; i < 2; i++) {
            side_tick(&tunnel->sides[i], now);
            side_send(&tunnel->sides[i], now);
            side_receive(&tunnel->sides[1 - i], now);
        }
    }
}

void tunnel_check(struct tunnel *tunnel)
{
    for (int i = 0; i < 2 && tunnel->life == TUNNEL_UP; i++)
        side_check(&tunnel->sides[i]);
    side_match(&tunnel->sides[0], &tunnel->sides[1]);
    side_match(&tunnel->sides[1], &tunnel->sides[0]);
}

// Flows look at one another when they are checked: the engines go first, then both sides' flows.
void tunnel_fini(struct tunnel *tunnel)
{
    for (int i = 0; i < 2; i++)
        side_end(&tunnel->sides[i]);
    for (int i = 0; i < 2; i++)
        side_fini(&tunnel->sides[i]);
}
