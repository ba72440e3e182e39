// SPDX-License-Identifier: GPL-2.0-or-later
// One approach is under way at a time, and at most a second one to an earlier gate while the tunnel idles, to any when the
// tunnel is to be left, or for a tunnel that is held aside. What ends is only noted; path_turn reports it and sets what comes next, so the owner hears of
// everything from one place and may free the path there.
#include "link/path/path.h"

#include "base/host_name.h"
#include "base/memory.h"
#include "link/path/internal.h"
#include "os/clock.h"
#include "os/netlink/uplink.h"
#include "os/socket/socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// An attempt that is younger than this goes on when the network changes: our own routes are news too.
enum { FRESH_USEC = 1 * USEC_PER_SEC };

// What approaches tell

static void raise_up(struct path *path)
{
    path->phase = UP;
    path->has_ticket = path->move_due = false;
    path->why[0] = '\0';
    path->up_at = clock_now();
    path->patience = PATH_PATIENCE_USEC;
    returning_schedule(path);
    path->ops->up(path->owner, approach_tunnel(path->approach));
}

// A new tunnel has come up instead.
static void on_up_instead(struct path *path)
{
    char why[PATH_WHY_SIZE], before[HOST_PORT_TEXT_SIZE];
    const struct path_gate *gate = path_gate(path);
    if (path->gate == path->held_gate)
        snprintf(why, sizeof why, "%.400s; the gate has a new tunnel for us", path->held_why);
    else
        snprintf(why, sizeof why, "%.200s: %.200s; another gate has a tunnel for us",
                 host_port_text(before, sizeof before, gate->host, gate->port), path->held_why);
    holding_lose(path, why);
    raise_up(path);
}

static void go_back(struct path *path)
{
    returning_go_back(path);
    raise_up(path);
}

static void move_on(struct path *path)
{
    moving_on(path);
    raise_up(path);
}

static void on_up(void *owner, struct approach *approach)
{
    struct path *path = owner;
    if (approach == path->approach && path->held)
        on_up_instead(path);
    else if (approach == path->approach)
        raise_up(path);
    else if (approach == path->earlier && path->moving && !path->stopping)
        move_on(path);
    else if (approach == path->earlier && returning_may(path) && !path->stopping)
        go_back(path);
    else
        path->earlier_over = true; // something was opened meanwhile
}

static void on_opened(void *owner, struct approach *approach, struct usher_session *session,
                      const struct usher_open *open)
{
    struct path *path = owner;
    if (approach == path->approach || approach == path->held || leaving_has(&path->leaving, approach))
        path->ops->opened(path->owner, session, open);
    else
        usher_session_refuse(session, USHER_UNREACHABLE, "the portal stays with another gate");
}

static void on_through(void *owner, struct approach *approach)
{
    struct path *path = owner;
    (void)approach;
    path->phase = THROUGH;
    path->ops->wake(path->owner);
}

static void on_paused(void *owner, struct approach *approach, const char *why)
{
    struct path *path = owner;
    if (leaving_has(&path->leaving, approach)) {
        tunnel_drop(approach_tunnel(approach), why); // nobody makes another connection for one that is left
        return;
    }
    if (approach == path->approach)
        holding_begin(path);
    snprintf(path->held_why, sizeof path->held_why, "%s", why);
    path->ops->paused(path->owner, why);
}

static void on_resumed(void *owner, struct approach *approach)
{
    struct path *path = owner;
    (void)approach;
    path->ops->resumed(path->owner);
}

static void on_over(void *owner, struct approach *approach)
{
    struct path *path = owner;
    if (approach == path->approach)
        path->phase = FAILED;
    else if (approach == path->held)
        path->held_over = true;
    else if (approach == path->earlier)
        path->earlier_over = true;
    else if (leaving_has(&path->leaving, approach))
        leaving_over(&path->leaving, approach);
    path->ops->wake(path->owner);
}

static void on_wake(void *owner)
{
    struct path *path = owner;
    path->ops->wake(path->owner);
}

static const struct approach_ops approach_ops = {
    .up = on_up,
    .opened = on_opened,
    .through = on_through,
    .paused = on_paused,
    .resumed = on_resumed,
    .over = on_over,
    .wake = on_wake,
};

// The end of an attempt

// Notes how the approach ended, and frees it.
static void take_end(struct path *path)
{
    const struct approach *approach = path->approach;
    if (!approach) // stopped before it began
        return;
    bool refused = approach_is_refused(approach);
    rounds_note_why(path, approach_why(approach));
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
    char why[PATH_WHY_SIZE];
    bool was_up = path->approach && approach_was_up(path->approach), refused = holding_is_refused(path);
    if (path->stopping && path->leaving.count > 0)
        return; // they have last words, too
    returning_stop(path);
    take_end(path);
    if (refused) {
        path->at_once = true;
        rounds_wait(path);
        holding_lose(path, path->why);
        return;
    }
    if (!was_up && path->left > 0 && !path->stopping) {
        rounds_next(path);
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
        rounds_wait(path);
    path->rerouted = false;
    if (!path->held || tunnel_is_paused(approach_tunnel(path->held)))
        path->ops->down(path->owner, end, why);
}

static bool is_silent(const struct path *path)
{
    const struct tunnel *tunnel = path->phase == UP ? approach_tunnel(path->approach) : NULL;
    return tunnel && tunnel_is_silent(tunnel);
}

bool path_turn(struct path *path, usec_t now)
{
    bool more = path->approach && approach_turn(path->approach, now);
    if (path->held)
        more |= approach_turn(path->held, now);
    if (path->held)
        holding_look(path);
    if (path->has_ticket && is_silent(path))
        holding_begin(path);
    if (path->earlier)
        more |= approach_turn(path->earlier, now);
    if (path->earlier && path->earlier_over && path->moving)
        moving_end(path);
    else if (path->earlier && path->earlier_over)
        returning_end(path);
    more |= leaving_turn(&path->leaving, now);
    if (path->move_due && path->phase == UP)
        moving_begin(path, now);
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
    struct path *path = memory_new(sizeof *path);
    path_configure(path, config);
    path->loop = loop;
    path->ops = ops;
    path->owner = owner;
    path->approach_ops = &approach_ops;
    uv_timer_init(loop, &path->timer);
    uv_timer_init(loop, &path->look);
    uv_timer_init(loop, &path->back);
    path->timer.data = path->look.data = path->back.data = path;
    path->handles = 3;
    leaving_init(&path->leaving);
    path->patience = PATH_PATIENCE_USEC;
    path->at_once = true;
    rounds_wait(path);
    return path;
}

static void on_closed(uv_handle_t *handle)
{
    struct path *path = handle->data;
    if (--path->handles > 0)
        return;
    free(path->gates);
    free(path->known);
    free(path->unlisted);
    free(path);
}

void path_free(struct path *path)
{
    if (!path)
        return;
    returning_stop(path);
    rounds_abandon(path);
    approach_free(path->held);
    path->held = NULL;
    leaving_fini(&path->leaving);
    path->phase = STOPPED;
    uv_close((uv_handle_t *)&path->timer, on_closed);
    uv_close((uv_handle_t *)&path->look, on_closed);
    uv_close((uv_handle_t *)&path->back, on_closed);
}

void path_stop(struct path *path, const char *reason)
{
    if (path->stopping)
        return;
    path->stopping = true;
    leaving_end(&path->leaving, reason);
    if (path->held)
        holding_take_back(path);
    struct tunnel *tunnel = path->approach ? approach_tunnel(path->approach) : NULL;
    if (tunnel) {
        tunnel_end(tunnel, reason);
        return;
    }
    rounds_abandon(path);
    snprintf(path->why, sizeof path->why, "%s", reason);
    path->untrusted = false;
    path->phase = FAILED;
    path->ops->wake(path->owner);
}

// News

// Why the tunnel's connection cannot go on; NULL: it can. A command's is its own affair.
static const char *stranded(void *arg, struct tunnel *tunnel)
{
    const struct path *path = arg;
    struct endpoint local;
    if (path->config.command)
        return NULL;
    if (!tunnel_local(tunnel, &local) || !socket_may_bind(&local.addr))
        return "the address of the tunnel's connection is gone from this machine";
    if (path->config.nl && uplink_is_cut_off(path->config.nl, &local.addr))
        return "the link of the tunnel's connection is down, and there is another";
    return NULL;
}

// Whether a connection made now would leave by another address.
static bool is_rerouted(const struct path *path)
{
    struct endpoint local, peer;
    struct address now;
    const struct tunnel *tunnel = approach_tunnel(path->approach);
    return path->has_ticket && !path->config.command && tunnel_can_go_on(tunnel) && tunnel_local(tunnel, &local) &&
           tunnel_peer(tunnel, &peer) && socket_source_to(&peer, path->config.mark, &now) &&
           !address_equal(&local.addr, &now);
}

void path_network_changed(struct path *path)
{
    bool stale = clock_now() - path->begun_at >= FRESH_USEC;
    if (path->stopping || path->phase == FAILED)
        return;
    leaving_drop(&path->leaving, stranded, path);
    if (path->phase == WAITING || (path->phase == TRYING && !approach_tunnel(path->approach) && stale)) {
        rounds_abandon(path);
        rounds_start(path, 0);
    } else if (path->phase == TRYING && stale) {
        rounds_drop(path, "the network changed during the TLS handshake");
    } else if (path->phase == UP && approach_tunnel(path->approach)) {
        const char *why = stranded(path, approach_tunnel(path->approach));
        path->rerouted = !why && is_rerouted(path);
        if (why)
            rounds_drop(path, why);
        else if (path->rerouted)
            holding_begin(path);
    }
}

void path_want(struct path *path, bool wanted)
{
    if (wanted == path->wanted)
        return;
    path->wanted = wanted;
    rounds_hurry(path);
}

void path_take_ticket(struct path *path, const uint8_t *number)
{
    memcpy(path->ticket, number, sizeof path->ticket);
    path->has_ticket = true;
}

struct tunnel *path_tunnel(struct path *path)
{
    if (path->held)
        return approach_tunnel(path->held);
    return path->phase == UP ? approach_tunnel(path->approach) : NULL;
}

const struct path_gate *path_gate(const struct path *path)
{
    return path->unlisted ? path->unlisted : &path->config.gates[path->held ? path->held_gate : path->gate];
}

const char *path_why(const struct path *path)
{
    return path->why;
}

void path_move(struct path *path, const char *why)
{
    path->move_due = true;
    path->move_why = why;
    path->ops->wake(path->owner);
}

void path_describe_left(const struct path *path, struct facts *facts)
{
    leaving_describe(&path->leaving, facts);
}

const struct usher_counters *path_left_counters(const struct path *path)
{
    return &path->leaving.counters;
}
