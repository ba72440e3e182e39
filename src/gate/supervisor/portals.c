// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/supervisor/portals.h"

#include "base/text.h"
#include "gate/supervisor/farewell.h"
#include "gate/supervisor/internal.h"
#include "gate/supervisor/recording.h"
#include "link/tunnel/tunnel.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/socket/socket.h"

#include <signal.h>
#include <string.h>

enum {
    SPARE_WORKERS = 8, // for who comes back to a tunnel that is, or replaces an older login: MaxPortals holds later
    // A login that was replaced waits for up to a minute (link/path); a line that is cut now and then is no such case.
    REPLACED_WINDOW_S = 180,
    REPLACED_OFTEN = 4,
};

void portals_refuse(void *owner, int fd, const struct endpoint *peer, const char *why)
{
    struct supervisor *supervisor = owner;
    socket_close_reset(fd);
    refusals_tell(&supervisor->capped, peer, why);
}

// Two that share a certificate would each be the newer login in turn. Said once while it lasts.
static void note_replacement(struct child *child, const struct child *other)
{
    char name[TLS_NAME_SIZE];
    if (child->since - other->since > REPLACED_WINDOW_S)
        return;
    child->replacements = other->replacements + 1;
    if (child->replacements == REPLACED_OFTEN)
        log_warning("%s: its logins replace each other again and again: where several portals share a certificate, "
                    "Duplicate = allow lets them all in",
                    text_escape(name, sizeof(name), child->name));
}

size_t portals_count(const struct supervisor *supervisor)
{
    size_t count = 0;
    list_for_each(node, &supervisor->children) {
        const struct child *child = container_of(node, struct child, node);
        count += child->up && !child->ending && !child->draining;
    }
    return count;
}

static void portal_up(void *owner, struct child *child)
{
    struct supervisor *supervisor = owner;
    char name[TLS_NAME_SIZE];
    recording_up(supervisor->trail, child);
    admission_proved(supervisor->admission, child->ticket, clock_now());
    list_for_each(node, &supervisor->children) {
        struct child *other = container_of(node, struct child, node);
        if (!renewal_conf(supervisor->renewal)->replace || other == child || !other->up ||
            strcasecmp(other->name, child->name))
            continue;
        child_catch_up(other); // it may be left for this one
        if (other->draining)
            continue;
        log_info("%s: a newer login replaces worker %d", text_escape(name, sizeof(name), child->name), (int)other->pid);
        child_end(other, TUNNEL_REPLACED);
        note_replacement(child, other);
    }
    if (portals_count(supervisor) > renewal_conf(supervisor->renewal)->max_portals) {
        refusals_tell(&supervisor->capped, &child->peer, "MaxPortals is reached");
        child_end(child, "MaxPortals of the gate is reached");
    }
    handout_look(supervisor->handout);
}

static void portal_audited(void *owner, struct child *child, const struct channel_message *message)
{
    struct supervisor *supervisor = owner;
    recording_told(supervisor->trail, child, message);
}

static bool portal_ticket(void *owner, struct child *child, const uint8_t *number)
{
    struct supervisor *supervisor = owner;
    return adoption_ticket(supervisor->adoption, child, number);
}

static bool portal_shown(void *owner, struct child *child, const uint8_t *number)
{
    struct supervisor *supervisor = owner;
    return adoption_shown(supervisor->adoption, child, number);
}

static bool portal_carried(void *owner, struct child *child, uint32_t id)
{
    struct supervisor *supervisor = owner;
    bool ok = adoption_carried(supervisor->adoption, child, id);
    if (ok)
        recording_resumed(supervisor->trail, child);
    return ok;
}

static void portal_refused(void *owner, struct child *child, const char *why)
{
    struct supervisor *supervisor = owner;
    refusals_tell(&supervisor->unproven, &child->peer, why);
}

static void portal_told(void *owner, struct child *child)
{
    struct supervisor *supervisor = owner;
    (void)child;
    survey_heard(supervisor->survey);
}

static void portal_denied(void *owner, const struct child *child, const struct channel_denial *denial)
{
    struct supervisor *supervisor = owner;
    survey_denied(supervisor->survey, child, denial);
}

static void portal_listed(void *owner, struct child *child, const struct channel_message *message)
{
    struct supervisor *supervisor = owner;
    census_told(supervisor->census, child, message);
}

static void portal_leaving(void *owner, struct child *child)
{
    struct supervisor *supervisor = owner;
    drainage_bound(supervisor->drainage, child);
    handout_look(supervisor->handout);
}

static bool is_crash(int signal)
{
    return signal == SIGSEGV || signal == SIGABRT || signal == SIGBUS || signal == SIGILL || signal == SIGFPE ||
           signal == SIGSYS || signal == SIGTRAP;
}

static void portal_ended(void *owner, struct child *child, int code, int signal)
{
    struct supervisor *supervisor = owner;
    char text[ENDPOINT_TEXT_SIZE];
    endpoint_text(&child->peer, text);
    recording_gone(supervisor->trail, child, signal);
    adoption_ended(supervisor->adoption, child);
    admission_leave(supervisor->admission, child->ticket, clock_now());
    if (is_crash(signal)) {
        admission_crashed(supervisor->admission, &child->peer.addr, clock_now());
        template_end(supervisor->template); // who guesses finds nothing where it was
    }
    if (child->gave_way)
        refusals_tell(&supervisor->capped, &child->peer, "it had not authenticated, and gave way to another");
    else if (signal)
        log_error("%s: worker %d was killed by signal %d (%s)", text, (int)child->pid, signal, strsignal(signal));
    else if (code)
        log_error("%s: worker %d failed with code %d", text, (int)child->pid, code);
    list_remove(&child->node);
    supervisor->child_count--;
    child->polled = false;
    survey_heard(supervisor->survey);
    census_gone(supervisor->census, child);
    if (!supervisor->stopping && supervisor->retiring && !supervisor->child_count)
        farewell_begin(supervisor);
    else if (!supervisor->stopping)
        handout_look(supervisor->handout);
    else if (!supervisor->child_count)
        uv_stop(&supervisor->loop);
}

const struct child_ops portals_ops = {
    .up = portal_up,
    .refused = portal_refused,
    .told = portal_told,
    .denied = portal_denied,
    .ticket = portal_ticket,
    .shown = portal_shown,
    .carried = portal_carried,
    .audited = portal_audited,
    .listed = portal_listed,
    .leaving = portal_leaving,
    .ended = portal_ended,
};

static void give_way(struct child *child)
{
    child->gave_way = true;
    child_kill(child);
}

void portals_admit(void *owner, int fd, const struct endpoint *peer)
{
    struct supervisor *supervisor = owner;
    struct fault fault;
    if (drainage_others(supervisor->drainage) >= renewal_conf(supervisor->renewal)->max_portals + SPARE_WORKERS) {
        portals_refuse(supervisor, fd, peer, "MaxPortals is reached");
        return;
    }
    const char *why;
    void *gives_way;
    struct ticket *ticket = admission_enter(supervisor->admission, &peer->addr, clock_now(), &gives_way, &why);
    if (!ticket) {
        portals_refuse(supervisor, fd, peer, why);
        return;
    }
    if (gives_way)
        give_way(gives_way);
    struct child *child =
        child_new(&supervisor->loop, supervisor->template, fd, renewal_handover_fd(supervisor->renewal), peer,
                  locals_message(supervisor->locals), &portals_ops, supervisor, &fault);
    if (!child) {
        log_error("%s", fault.text);
        admission_leave(supervisor->admission, ticket, clock_now());
        return;
    }
    child->ticket = ticket;
    admission_owned(ticket, child);
    list_push_back(&supervisor->children, &child->node);
    supervisor->child_count++;
}

static bool is_balancer(const struct gate_conf *conf, const struct address *addr)
{
    for (size_t i = 0; i < conf->balancers.count; i++)
        if (prefix_contains(&conf->balancers.items[i], addr))
            return true;
    return false;
}

void portals_accept(void *owner, int fd, const struct endpoint *peer)
{
    struct supervisor *supervisor = owner;
    const struct gate_conf *conf = renewal_conf(supervisor->renewal);
    if (is_balancer(conf, &peer->addr))
        arrivals_take(supervisor->arrivals, fd, peer, conf->link.handshake_timeout);
    else
        portals_admit(supervisor, fd, peer);
}
