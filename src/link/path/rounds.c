// SPDX-License-Identifier: GPL-2.0-or-later
// Every gate once, each at once after the one before, then a wait. An attempt that is for what is held is like any other.
#include "link/path/internal.h"

#include "base/host_name.h"
#include "os/clock.h"
#include "os/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECT_TIMEOUT_MS = 10000,
    // With another gate to turn to. Two SYNs have been sent by then; and a gate that dies under load is found out and
    // replaced within 15 s.
    CONNECT_TIMEOUT_OF_MANY_MS = 3000,
    USER_TIMEOUT_OF_MANY_MS = 10000,
    // While somebody waits (path_want). A connection attempt is given up after a second, because its next packet may be
    // many seconds away after a cut; then after two, four, eight, for the sake of paths as slow as that.
    WANTED_LOOK_MS = 250,
    WANTED_PAUSE_USEC = 500 * USEC_PER_MSEC,
    WANTED_PATIENCE_MAX_USEC = 8 * USEC_PER_SEC,
    // A password that was refused is not tried again at the pace of a host that is away: accounts get locked.
    REFUSED_WAIT_MS = 60 * 1000,
};

static bool has_many(const struct path *path)
{
    return path->config.gate_count > 1;
}

// Whether a lane to that gate may carry on what is held.
bool rounds_goes_on(const struct path *path, size_t gate)
{
    const struct tunnel *tunnel = path->held ? approach_tunnel(path->held) : NULL;
    return tunnel && path->has_ticket && gate == path->held_gate && tunnel_can_go_on(tunnel);
}

struct approach *rounds_approach_to(struct path *path, size_t gate)
{
    static const struct proxy none = {.kind = PROXY_NONE};
    const struct path_gate *to = &path->config.gates[gate];
    struct approach *of = rounds_goes_on(path, gate) ? path->held : NULL;
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
        .identity = of ? approach_identity(of) : path->config.identity,
        .current = path->config.identity,
        .tunnel = path->config.tunnel,
        .of = of,
        .ticket = path->ticket,
    };
    if (has_many(path))
        config.tunnel.lane.user_timeout_ms = USER_TIMEOUT_OF_MANY_MS;
    return approach_new(path->loop, &config, path->approach_ops, path);
}

static void begin(struct path *path)
{
    path->begun_at = clock_now();
    path->at_once = false;
    path->phase = TRYING;
    path->left--;
    if (!path->held) {
        free(path->unlisted);
        path->unlisted = NULL;
    }
    path->approach = rounds_approach_to(path, path->gate);
}

void rounds_start(struct path *path, size_t first)
{
    path->gate = path->held ? path->held_gate : first;
    path->left = path->config.gate_count;
    path->untrusted = true;
    path->refused = false;
    path->why[0] = '\0';
    begin(path);
}

void rounds_next(struct path *path)
{
    path->gate = (path->gate + 1) % path->config.gate_count;
    begin(path);
}

static void on_timer(uv_timer_t *timer)
{
    struct path *path = timer->data;
    rounds_start(path, path->next);
}

void rounds_wait(struct path *path)
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
void rounds_abandon(struct path *path)
{
    uv_timer_stop(&path->timer);
    approach_free(path->approach);
    path->approach = NULL;
}

void rounds_note_why(struct path *path, const char *why)
{
    char gate[HOST_PORT_TEXT_SIZE];
    size_t used = strlen(path->why);
    const struct path_gate *of = path->unlisted ? path->unlisted : &path->config.gates[path->gate];
    if (has_many(path))
        snprintf(path->why + used, sizeof path->why - used, "%s%s: %s", used ? "; " : "",
                 host_port_text(gate, sizeof gate, of->host, of->port), why);
    else
        snprintf(path->why, sizeof path->why, "%s", why);
}

void rounds_drop(struct path *path, const char *why)
{
    path->at_once = true;
    tunnel_drop(approach_tunnel(path->approach), why);
}

// The one under way gives no answer.
static void give_up(struct path *path)
{
    static const char why[] = "no answer";
    if (approach_tunnel(path->approach)) {
        rounds_drop(path, why);
        return;
    }
    rounds_abandon(path);
    rounds_note_why(path, why);
    path->untrusted = false;
    if (path->left > 0)
        rounds_next(path);
    else
        rounds_start(path, 0);
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
        rounds_abandon(path);
        rounds_start(path, path->next);
        return;
    }
    if (path->patience < (usec_t)WANTED_PATIENCE_MAX_USEC)
        path->patience *= 2;
    give_up(path);
}

// Nobody waits for a tunnel at the pace of a back-off while flows stand still.
void rounds_hurry(struct path *path)
{
    bool wanted = path->wanted || path->held;
    if (!wanted)
        uv_timer_stop(&path->look);
    else if (!uv_is_active((uv_handle_t *)&path->look))
        uv_timer_start(&path->look, look, 0, WANTED_LOOK_MS);
}
