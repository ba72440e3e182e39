// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/control_session.h"

#include "cli/version.h"
#include "edge/control/session.h"
#include "portal/accept.h"
#include "portal/portal.h"

static void take_ticket(void *owner, const struct control_ticket *ticket)
{
    struct portal *portal = owner;
    path_take_ticket(portal->path, ticket->number);
}

// The gate wants this tunnel to end, or agrees to that. That it opens nothing in it any more changes nothing for us.
static void drain(void *owner, bool left)
{
    struct portal *portal = owner;
    if (!left)
        path_move(portal->path, portal->wants_to_leave ? "before the certificate is out of date that it was made with"
                                                       : "as the gate wants");
}

static bool take_session(struct portal *portal, struct fault *fault)
{
    static const struct control_session_ops ops = {.ticket = take_ticket, .drain = drain};
    const struct control_session_config config = {
        .loop = portal->loop,
        .opens = true,
        .version = version_text,
        .max_sessions = (uint32_t)portal->conf->link.max_sessions,
        .judge = exchange_judge(portal->node.exchange),
        .resolver = accept_resolver(portal),
        .tells_origin = portal->conf->tell_origin,
        .keeps_origin = portal->conf->accept.count,
        .confirms = portal->conf->link.resume_timeout > 0,
        .ops = &ops,
        .owner = portal,
    };
    (void)fault;
    portal->control_session = control_session_new(&config);
    exchange_add(portal->node.exchange, control_session_edge(portal->control_session));
    return true;
}

// The gate is asked first, as it would take a login that nobody has announced for one in the place of this tunnel.
static void change_over(void *owner)
{
    struct portal *portal = owner;
    portal->wants_to_leave = true;
    control_session_drain(portal->control_session);
    node_wake(&portal->node);
}

static bool take_changeover(struct portal *portal, struct fault *fault)
{
    (void)fault;
    portal->changeover = changeover_new(portal->loop, change_over, portal);
    changeover_certificate(portal->changeover, tls_identity_expires(portal->identity)[TLS_CERTIFICATE]);
    return true;
}

static void undo_changeover(struct portal *portal)
{
    changeover_free(portal->changeover);
    portal->changeover = NULL;
}

const struct step CHANGEOVER = {"changeover", take_changeover, undo_changeover};
const struct step CONTROL_SESSION = {"control session", take_session, NULL};
