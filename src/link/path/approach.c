// SPDX-License-Identifier: GPL-2.0-or-later
// What it is at is told by what it has: a reach, then a candidate or a tunnel, then, with a command, only that, until it has ended too and
// told why.
#include "link/path/approach.h"

#include "base/memory.h"
#include "link/lane/candidate.h"
#include "link/path/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WHY_SIZE = 640 };

struct approach {
    uv_loop_t *loop;
    uv_timer_t timer; // for what is over before it began
    struct approach_config config;
    const struct approach_ops *ops;
    void *owner;
    struct reach *reach;
    struct command *command;
    struct candidate *candidate; // for the tunnel of `config.of`
    struct tunnel *tunnel;
    bool up, over, untrusted, refused;
    bool unwanted; // what its candidate would bring, for
    struct fault objection;
    char why[WHY_SIZE];
};

static void end(struct approach *approach)
{
    approach->over = true;
    approach->ops->over(approach->owner, approach);
}

static void on_timer(uv_timer_t *timer)
{
    end(timer->data);
}

// From the loop, as everything that ends.
static void end_soon(struct approach *approach, const char *why)
{
    snprintf(approach->why, sizeof approach->why, "%s", why);
    uv_timer_start(&approach->timer, on_timer, 0, 0);
}

static void on_up(void *owner)
{
    struct approach *approach = owner;
    approach->up = true;
    approach->ops->up(approach->owner, approach);
}

static void on_opened(void *owner, struct usher_session *session, const struct usher_open *open)
{
    struct approach *approach = owner;
    approach->ops->opened(approach->owner, approach, session, open);
}

// A command that failed knows better than TLS, which only saw its end.
static void on_command_ended(void *owner, const char *why)
{
    struct approach *approach = owner;
    if (*why)
        snprintf(approach->why, sizeof approach->why, "%s", why);
    command_free(approach->command);
    approach->command = NULL;
    end(approach);
}

static void end_by(struct approach *approach, const char *why)
{
    snprintf(approach->why, sizeof approach->why, "%s", why);
    if (approach->command)
        command_finish(approach->command, on_command_ended, approach);
    else
        end(approach);
}

static void on_down(void *owner, const char *why)
{
    struct approach *approach = owner;
    struct tunnel *tunnel = approach->tunnel;
    approach->untrusted = tunnel_is_untrusted(tunnel);
    approach->tunnel = NULL;
    end_by(approach, why);
    tunnel_free(tunnel);
}

static void on_paused(void *owner, const char *why)
{
    struct approach *approach = owner;
    approach->ops->paused(approach->owner, approach, why);
}

static void on_resumed(void *owner)
{
    struct approach *approach = owner;
    approach->ops->resumed(approach->owner, approach);
}

static void on_wake(void *owner)
{
    struct approach *approach = owner;
    approach->ops->wake(approach->owner);
}

static const struct tunnel_ops tunnel_ops = {
    .up = on_up, .opened = on_opened, .paused = on_paused, .resumed = on_resumed, .down = on_down, .wake = on_wake};

static void begin_tunnel(struct approach *approach, struct lane *lane)
{
    approach->tunnel = tunnel_new(approach->loop, &approach->config.tunnel, &tunnel_ops, approach);
    tunnel_carry(approach->tunnel, lane);
}

// With an identity of before a tunnel goes on, and none begins; nor does a gate get by that is not trusted any more.
static bool is_wanted(struct approach *approach, const struct tls *tls)
{
    const struct approach_config *config = &approach->config;
    if (config->identity == config->current)
        return true;
    bool ok = tls_is_going_on(tls) ? tls_peer_is_trusted(tls, config->current, &approach->objection)
                                   : fault_set(&approach->objection, "the gate does not know the tunnel any more");
    approach->unwanted = !ok;
    return ok;
}

// A gate that does not know the tunnel any more has made a new one.
static bool on_candidate_up(void *owner, struct candidate *candidate, struct lane *lane, usec_t now)
{
    struct approach *approach = owner;
    bool goes_on = tls_is_going_on(lane_tls(lane));
    if (!is_wanted(approach, lane_tls(lane)))
        return false;
    if (goes_on && !tunnel_go_on(approach->config.of->tunnel, lane, now))
        return false;
    candidate_free(candidate);
    approach->candidate = NULL;
    if (goes_on)
        approach->ops->through(approach->owner, approach);
    else
        begin_tunnel(approach, lane);
    return true;
}

static void on_candidate_over(void *owner, struct candidate *candidate)
{
    struct approach *approach = owner;
    approach->untrusted = approach->unwanted || candidate_is_untrusted(candidate);
    approach->candidate = NULL;
    end_by(approach, approach->unwanted ? approach->objection.text : candidate_why(candidate));
    candidate_free(candidate);
}

static const struct candidate_ops candidate_ops = {.up = on_candidate_up, .over = on_candidate_over};

static bool offer(struct approach *approach, struct lane *lane, struct fault *fault)
{
    struct tunnel *tunnel = approach->config.of->tunnel;
    if (!lane_set_ticket(lane, approach->config.ticket)) {
        lane_free(lane);
        return fault_set(fault, "wolfSSL cannot offer to go on with a tunnel");
    }
    approach->candidate = candidate_new(approach->loop, lane, tunnel_chunks(tunnel), &candidate_ops, approach);
    return true;
}

static bool carry(struct approach *approach, int fd, struct fault *fault)
{
    struct lane *lane = lane_new(approach->loop, fd, approach->config.identity, TLS_PORTAL, approach->config.peer_name,
                                 &approach->config.tunnel.lane, fault);
    if (!lane)
        return false;
    if (approach->config.of)
        return offer(approach, lane, fault);
    begin_tunnel(approach, lane);
    return true;
}

static void on_reached(void *owner, const struct reach_end *reached)
{
    struct approach *approach = owner;
    struct fault fault;
    approach->reach = NULL;
    if (reached->fd >= 0 && carry(approach, reached->fd, &fault))
        return;
    approach->refused = reached->refused;
    snprintf(approach->why, sizeof approach->why, "%s", reached->fd < 0 ? reached->why : fault.text);
    end(approach);
}

static bool run_command(struct approach *approach, struct fault *fault)
{
    int fd;
    const struct reach_config *to = &approach->config.reach;
    char *line = command_expand(approach->config.command, to->host, to->port);
    if (!line)
        return fault_set(fault, "ProxyCommand: only %%h, %%p and %%%% may stand in it");
    approach->command = command_new(approach->loop, line, &fd, fault);
    free(line);
    return approach->command && carry(approach, fd, fault);
}

struct approach *approach_new(uv_loop_t *loop, const struct approach_config *config, const struct approach_ops *ops,
                              void *owner)
{
    struct fault fault;
    struct approach *approach = memory_new(sizeof *approach);
    *approach = (struct approach){.loop = loop, .config = *config, .ops = ops, .owner = owner};
    tls_identity_keep(config->identity);
    tls_identity_keep(config->current);
    uv_timer_init(loop, &approach->timer);
    approach->timer.data = approach;
    bool begun = false;
    if (!tls_identity_may_judge(config->identity, (usec_t)time(NULL) * USEC_PER_SEC, &fault)) {
        // Nobody is asked then: the gate would only see somebody come and go.
    } else if (config->command) {
        begun = run_command(approach, &fault);
    } else {
        approach->reach = reach_new(loop, &config->reach, on_reached, approach, &fault);
        begun = approach->reach;
    }
    if (!begun)
        end_soon(approach, fault.text);
    return approach;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void approach_free(struct approach *approach)
{
    if (!approach)
        return;
    reach_cancel(approach->reach);
    candidate_free(approach->candidate);
    tunnel_free(approach->tunnel);
    command_free(approach->command);
    tls_identity_free(approach->config.identity);
    tls_identity_free(approach->config.current);
    approach->reach = NULL;
    approach->candidate = NULL;
    approach->tunnel = NULL;
    approach->command = NULL;
    uv_close((uv_handle_t *)&approach->timer, on_closed);
}

bool approach_turn(struct approach *approach, usec_t now)
{
    bool more = approach->candidate && candidate_turn(approach->candidate, now);
    return (approach->tunnel && tunnel_turn(approach->tunnel, now)) || more;
}

enum approach_stage approach_stage(const struct approach *approach)
{
    if (approach->over)
        return APPROACH_OVER;
    if (approach->reach)
        return reach_is_resolving(approach->reach) ? APPROACH_RESOLVING : APPROACH_CONNECTING;
    return approach->up && approach->tunnel ? APPROACH_UP : APPROACH_SHAKING;
}

struct tls_identity *approach_identity(const struct approach *approach)
{
    return approach->config.identity;
}

struct tunnel *approach_tunnel(const struct approach *approach)
{
    return approach->tunnel;
}

const char *approach_why(const struct approach *approach)
{
    return approach->why;
}

bool approach_is_untrusted(const struct approach *approach)
{
    return approach->untrusted;
}

bool approach_is_refused(const struct approach *approach)
{
    return approach->refused;
}

bool approach_was_up(const struct approach *approach)
{
    return approach->up;
}

void approach_join(struct approach *approach, struct approach *through)
{
    command_free(approach->command);
    approach->command = through->command;
    through->command = NULL;
}
