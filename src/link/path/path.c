// SPDX-License-Identifier: GPL-2.0-or-later
// Rounds: every gate once, each at once after the one before, then a wait. One approach is under way at a time, and at
// most a second one to an earlier gate while the tunnel idles. What ends is only noted; path_turn reports it and sets what
// comes next, so the owner hears of everything from one place and may free the path there.
#include "link/path/path.h"

#include "base/host_name.h"
#include "base/memory.h"
#include "link/path/approach.h"
#include "link/path/backoff.h"
#include "link/path/displaced.h"
#include "os/clock.h"
#include "os/random.h"
#include "os/socket.h"
#include "os/uplink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECT_TIMEOUT_MS = 10000,
    // With another gate to turn to. Two SYNs have been sent by then; and a gate that dies under load is found out and
    // replaced within 15 s.
    CONNECT_TIMEOUT_OF_MANY_MS = 3000,
    USER_TIMEOUT_OF_MANY_MS = 10000,
    // An attempt that is younger than this goes on when the network changes: our own routes are news too.
    FRESH_USEC = 1 * USEC_PER_SEC,
    // While somebody waits (path_want). A connection attempt is given up after a second, because its next packet may be
    // many seconds away after a cut; then after two, four, eight, for the sake of paths as slow as that.
    WANTED_LOOK_MS = 250,
    WANTED_PAUSE_USEC = 500 * USEC_PER_MSEC,
    WANTED_PATIENCE_USEC = 1 * USEC_PER_SEC,
    WANTED_PATIENCE_MAX_USEC = 8 * USEC_PER_SEC,
    // A password that was refused is not tried again at the pace of a host that is away: accounts get locked.
    REFUSED_WAIT_MS = 60 * 1000,
    RETURN_MS = 30 * 1000, // between two looks for an earlier gate, a quarter more or less
    WHY_SIZE = 512,
};

enum phase { WAITING, TRYING, UP, FAILED, STOPPED };

struct path {
    uv_loop_t *loop;
    uv_timer_t timer; // runs while WAITING
    uv_timer_t look;  // runs while `wanted`
    uv_timer_t back;  // runs while a later gate has the tunnel
    int handles;      // of libuv that are not closed yet
    enum phase phase;
    struct path_config config;
    const struct path_ops *ops;
    void *owner;
    size_t gate;               // of `approach`
    size_t next;               // that begins the next round
    size_t left;               // gates of the round that are not tried yet
    struct approach *approach; // from TRYING to FAILED
    struct approach *earlier;  // to a gate before the one that has the tunnel; NULL: none
    size_t earlier_gate;
    bool earlier_over;
    bool untrusted; // every attempt of the round ended so
    bool refused;   // one of them by the proxy
    bool stopping;
    bool at_once; // the next attempt does not wait
    bool wanted;
    struct displaced displaced;
    usec_t patience; // of the next attempt that somebody waits for
    usec_t begun_at;
    usec_t up_at;
    struct backoff backoff;
    char why[WHY_SIZE];         // of the round so far
    struct reach_known known[]; // of each gate, or of the proxy before it
};

static bool has_many(const struct path *path)
{
    return path->config.gate_count > 1;
}

// One gate

static bool is_idle(struct path *path)
{
    struct tunnel *tunnel = path_tunnel(path);
    return tunnel && usher_engine_sessions(tunnel_engine(tunnel)) == 0;
}

// Says goodbye, as far as the socket takes it now: there is nothing before it in a tunnel that idles.
static void retire(struct approach *approach)
{
    tunnel_end(approach_tunnel(approach), "an earlier gate of the list is here again");
    approach_turn(approach, clock_now());
    approach_free(approach);
}

static void schedule_return(struct path *path);

static void raise_up(struct path *path)
{
    path->phase = UP;
    path->why[0] = '\0';
    path->up_at = clock_now();
    path->patience = WANTED_PATIENCE_USEC;
    schedule_return(path);
    path->ops->up(path->owner, approach_tunnel(path->approach));
}

// The earlier gate has taken us in, and what it is to replace has nothing to lose.
static void go_back(struct path *path)
{
    char why[WHY_SIZE], from[HOST_PORT_TEXT_SIZE], to[HOST_PORT_TEXT_SIZE];
    struct approach *old = path->approach;
    const struct path_gate *gate = path_gate(path), *earlier = &path->config.gates[path->earlier_gate];
    snprintf(why, sizeof why, "from gate %.200s to %.200s, which stands before it and is here again",
             host_port_text(from, sizeof from, gate->host, gate->port),
             host_port_text(to, sizeof to, earlier->host, earlier->port));
    path->approach = path->earlier;
    path->gate = path->earlier_gate;
    path->earlier = NULL;
    path->phase = TRYING;
    path->ops->down(path->owner, PATH_LEFT, why);
    retire(old);
    raise_up(path);
}

static void on_up(void *owner, struct approach *approach)
{
    struct path *path = owner;
    if (approach == path->approach)
        raise_up(path);
    else if (approach == path->earlier && is_idle(path) && !path->stopping)
        go_back(path);
    else
        path->earlier_over = true; // something was opened meanwhile
}

static void on_opened(void *owner, struct approach *approach, struct usher_session *session,
                      const struct usher_open *open)
{
    struct path *path = owner;
    if (approach == path->approach)
        path->ops->opened(path->owner, session, open);
    else
        usher_session_refuse(session, USHER_UNREACHABLE, "the portal stays with another gate");
}

static void on_over(void *owner, struct approach *approach)
{
    struct path *path = owner;
    if (approach == path->approach)
        path->phase = FAILED;
    else if (approach == path->earlier)
        path->earlier_over = true;
    path->ops->wake(path->owner);
}

static void on_wake(void *owner)
{
    struct path *path = owner;
    path->ops->wake(path->owner);
}

static const struct approach_ops approach_ops = {.up = on_up, .opened = on_opened, .over = on_over, .wake = on_wake};

static struct approach *approach_to(struct path *path, size_t gate)
{
    static const struct proxy none = {.kind = PROXY_NONE};
    const struct path_gate *to = &path->config.gates[gate];
    struct approach_config config = {
        .reach =
            {
                .host = to->host,
                .port = to->port,
                .proxy = path->config.proxy ? path->config.proxy : &none,
                .mark = path->config.mark,
                .nl = path->config.nl,
                .servers = path->config.servers,
                .known = &path->known[gate],
                .connect_ms = has_many(path) ? CONNECT_TIMEOUT_OF_MANY_MS : CONNECT_TIMEOUT_MS,
            },
        .peer_name = to->peer_name,
        .command = path->config.command,
        .identity = path->config.identity,
        .tunnel = path->config.tunnel,
    };
    if (has_many(path))
        config.tunnel.lane.user_timeout_ms = USER_TIMEOUT_OF_MANY_MS;
    return approach_new(path->loop, &config, &approach_ops, path);
}

static void begin(struct path *path)
{
    path->begun_at = clock_now();
    path->at_once = false;
    path->phase = TRYING;
    path->left--;
    path->approach = approach_to(path, path->gate);
}

// Earlier gates

static void stop_return(struct path *path)
{
    uv_timer_stop(&path->back);
    approach_free(path->earlier);
    path->earlier = NULL;
    path->earlier_over = false;
}

static void try_earlier(struct path *path, size_t gate)
{
    path->earlier_over = false;
    path->earlier_gate = gate;
    path->earlier = gate < path->gate ? approach_to(path, gate) : NULL;
}

// A whole login, for less does not show that the gate serves; so only while nothing is open that would have to stay.
static void on_back(uv_timer_t *timer)
{
    struct path *path = timer->data;
    if (!path->earlier && !path->stopping && is_idle(path))
        try_earlier(path, 0);
    schedule_return(path);
}

static void schedule_return(struct path *path)
{
    uint32_t spread = random_number() % (RETURN_MS / 2);
    if (path->gate > 0)
        uv_timer_start(&path->back, on_back, RETURN_MS * 3 / 4 + spread, 0);
    else
        uv_timer_stop(&path->back);
}

static void end_earlier(struct path *path)
{
    bool was_up = approach_was_up(path->earlier) && approach_tunnel(path->earlier);
    if (was_up)
        retire(path->earlier);
    else
        approach_free(path->earlier);
    path->earlier = NULL;
    if (is_idle(path) && !path->stopping && !was_up)
        try_earlier(path, path->earlier_gate + 1);
    path->earlier_over = false;
}

// Rounds

static void start_round(struct path *path, size_t first)
{
    path->gate = first;
    path->left = path->config.gate_count;
    path->untrusted = true;
    path->refused = false;
    path->why[0] = '\0';
    begin(path);
}

static void begin_next(struct path *path)
{
    path->gate = (path->gate + 1) % path->config.gate_count;
    begin(path);
}

static void on_timer(uv_timer_t *timer)
{
    struct path *path = timer->data;
    start_round(path, path->next);
}

static void wait_for_next(struct path *path)
{
    usec_t wait = path->at_once ? 0 : backoff_next(&path->backoff, random_number()) / USEC_PER_MSEC;
    if (path->refused && !path->at_once)
        wait = REFUSED_WAIT_MS;
    else if (path->displaced.is && !path->at_once)
        wait = displaced_wait(&path->displaced, random_number());
    path->phase = WAITING;
    uv_timer_start(&path->timer, on_timer, wait, 0);
}

// What is under way, short of a tunnel that is up.
static void abandon(struct path *path)
{
    uv_timer_stop(&path->timer);
    approach_free(path->approach);
    path->approach = NULL;
}

static void note_why(struct path *path, const char *why)
{
    char gate[HOST_PORT_TEXT_SIZE];
    size_t used = strlen(path->why);
    const struct path_gate *of = path_gate(path);
    if (has_many(path))
        snprintf(path->why + used, sizeof path->why - used, "%s%s: %s", used ? "; " : "",
                 host_port_text(gate, sizeof gate, of->host, of->port), why);
    else
        snprintf(path->why, sizeof path->why, "%s", why);
}

// Notes how the approach ended, and frees it.
static void take_end(struct path *path)
{
    const struct approach *approach = path->approach;
    if (!approach) // stopped before it began
        return;
    bool refused = approach_is_refused(approach);
    note_why(path, approach_why(approach));
    path->untrusted &= refused || approach_is_untrusted(approach);
    path->refused |= refused;
    approach_free(path->approach);
    path->approach = NULL;
}

// A tunnel that was up has ended. Where another login takes its place again and again, the reason says so.
static void judge_displacement(struct path *path, usec_t now)
{
    displaced_judge(&path->displaced, strstr(path->why, TUNNEL_REPLACED), now - path->up_at);
    if (path->displaced.is)
        snprintf(path->why, sizeof path->why,
                 "another portal with this certificate takes its place at the gate again and again; "
                 "trying again in about %u s",
                 path->displaced.wait_ms / 1000);
}

static void report(struct path *path, usec_t now)
{
    char why[WHY_SIZE];
    bool was_up = path->approach && approach_was_up(path->approach);
    stop_return(path);
    take_end(path);
    if (!was_up && path->left > 0 && !path->stopping) {
        begin_next(path);
        return;
    }
    enum path_end end = was_up ? PATH_LOST : path->untrusted && *path->why ? PATH_UNTRUSTED : PATH_UNREACHABLE;
    if (was_up)
        judge_displacement(path, now);
    else
        path->displaced.is = false;
    bool was_stable = was_up && now - path->up_at >= BACKOFF_STABLE_USEC;
    if (was_stable)
        backoff_reset(&path->backoff);
    // A gate that takes us in and drops us must not keep us from the others.
    path->next = was_up && !was_stable ? (path->gate + 1) % path->config.gate_count : 0;
    memcpy(why, path->why, sizeof why);
    if (path->stopping)
        path->phase = STOPPED;
    else
        wait_for_next(path);
    path->ops->down(path->owner, end, why);
}

bool path_turn(struct path *path, usec_t now)
{
    bool more = path->approach && approach_turn(path->approach, now);
    if (path->earlier)
        more |= approach_turn(path->earlier, now);
    if (path->earlier && path->earlier_over)
        end_earlier(path);
    if (path->phase == FAILED)
        report(path, now);
    return more;
}

// Birth and end

struct path *path_new(uv_loop_t *loop, const struct path_config *config, const struct path_ops *ops, void *owner,
                      struct fault *fault)
{
    for (size_t i = 0; i < config->gate_count; i++)
        if (!*config->gates[i].host || !config->gates[i].port) {
            fault_set(fault, "the gate's address has no host or no port");
            return NULL;
        }
    struct path *path = memory_new(sizeof *path + config->gate_count * sizeof path->known[0]);
    path->loop = loop;
    path->config = *config;
    path->ops = ops;
    path->owner = owner;
    uv_timer_init(loop, &path->timer);
    uv_timer_init(loop, &path->look);
    uv_timer_init(loop, &path->back);
    path->timer.data = path->look.data = path->back.data = path;
    path->handles = 3;
    path->patience = WANTED_PATIENCE_USEC;
    path->at_once = true;
    wait_for_next(path);
    return path;
}

static void on_closed(uv_handle_t *handle)
{
    struct path *path = handle->data;
    if (--path->handles == 0)
        free(path);
}

void path_free(struct path *path)
{
    if (!path)
        return;
    stop_return(path);
    abandon(path);
    path->phase = STOPPED;
    uv_close((uv_handle_t *)&path->timer, on_closed);
    uv_close((uv_handle_t *)&path->look, on_closed);
    uv_close((uv_handle_t *)&path->back, on_closed);
}

void path_stop(struct path *path, const char *reason)
{
    struct tunnel *tunnel = path->approach ? approach_tunnel(path->approach) : NULL;
    if (path->stopping)
        return;
    path->stopping = true;
    if (tunnel) {
        tunnel_end(tunnel, reason);
        return;
    }
    abandon(path);
    snprintf(path->why, sizeof path->why, "%s", reason);
    path->untrusted = false;
    path->phase = FAILED;
    path->ops->wake(path->owner);
}

// News

// Why the tunnel's connection cannot go on; NULL: it can. A command's is its own affair.
static const char *stranded(struct path *path)
{
    struct endpoint local;
    if (path->config.command)
        return NULL;
    if (!tunnel_local(approach_tunnel(path->approach), &local) || !socket_may_bind(&local.addr))
        return "the address of the tunnel's connection is gone from this machine";
    if (path->config.nl && uplink_is_cut_off(path->config.nl, &local.addr))
        return "the link of the tunnel's connection is down, and there is another";
    return NULL;
}

static void drop(struct path *path, const char *why)
{
    path->at_once = true;
    tunnel_drop(approach_tunnel(path->approach), why);
}

void path_network_changed(struct path *path)
{
    bool stale = clock_now() - path->begun_at >= FRESH_USEC;
    if (path->stopping || path->phase == FAILED)
        return;
    if (path->phase == WAITING || (path->phase == TRYING && !approach_tunnel(path->approach) && stale)) {
        abandon(path);
        start_round(path, 0);
    } else if (path->phase == TRYING && stale) {
        drop(path, "the network changed during the TLS handshake");
    } else if (path->phase == UP && approach_tunnel(path->approach)) {
        const char *why = stranded(path);
        if (why)
            drop(path, why);
    }
}

// The one under way gives no answer.
static void give_up(struct path *path)
{
    static const char why[] = "no answer";
    if (approach_tunnel(path->approach)) {
        drop(path, why);
        return;
    }
    abandon(path);
    note_why(path, why);
    path->untrusted = false;
    if (path->left > 0)
        begin_next(path);
    else
        start_round(path, 0);
}

static void look(uv_timer_t *timer)
{
    struct path *path = timer->data;
    usec_t age = clock_now() - path->begun_at;
    enum approach_stage stage = path->approach ? approach_stage(path->approach) : APPROACH_OVER;
    bool trying = path->phase == TRYING && (stage == APPROACH_CONNECTING || stage == APPROACH_SHAKING);
    bool pausing = path->phase == WAITING && !path->refused && !path->displaced.is;
    if (path->stopping || (!pausing && !trying))
        return;
    if (age < (pausing ? (usec_t)WANTED_PAUSE_USEC : path->patience))
        return;
    if (pausing) {
        abandon(path);
        start_round(path, path->next);
        return;
    }
    if (path->patience < (usec_t)WANTED_PATIENCE_MAX_USEC)
        path->patience *= 2;
    give_up(path);
}

void path_want(struct path *path, bool wanted)
{
    if (wanted == path->wanted)
        return;
    path->wanted = wanted;
    if (wanted)
        uv_timer_start(&path->look, look, 0, WANTED_LOOK_MS);
    else
        uv_timer_stop(&path->look);
}

struct tunnel *path_tunnel(struct path *path)
{
    return path->phase == UP ? approach_tunnel(path->approach) : NULL;
}

const struct path_gate *path_gate(const struct path *path)
{
    return &path->config.gates[path->gate];
}

const char *path_why(const struct path *path)
{
    return path->why;
}
