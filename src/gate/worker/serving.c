// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/worker/serving.h"

#include "base/text.h"
#include "cli/version.h"
#include "edge/control/session.h"
#include "edge/local/local.h"
#include "gate/channel/worker_start.h"
#include "gate/worker/internal.h"
#include "gate/worker/news.h"
#include "gate/worker/telling.h"
#include "os/log.h"

#include <stdio.h>
#include <string.h>

#define DENIALS_PAUSE USEC_PER_SEC

static void tell_counts(struct worker *worker, usec_t now)
{
    const struct dial_counters *counters = dial_counters(worker->dial);
    log_tally(&worker->denied, counters->denied + counters->datagrams_denied, now, "%s: opens and datagrams denied",
              worker->who);
    log_tally(&worker->evicted, worker->node.counters.sessions_evicted, now,
              "%s: flows reset because their data were not taken and memory ran short", worker->who);
}

// Unasked so often at most; who asks is told all.
static void tell_denials(struct worker *worker, usec_t now)
{
    if (now < worker->denials_due)
        return;
    worker->denials_due = now + DENIALS_PAUSE;
    telling_denials(WORKER_CHANNEL_FD, exchange_denials(worker->node.exchange));
}

static void confirms(void *owner)
{
    struct worker *worker = owner;
    continuing_begin(&worker->continuing);
}

static void drain(void *owner, bool left)
{
    struct worker *worker = owner;
    departure_heard(&worker->departure, left);
}

static void add_control_session(struct worker *worker, const struct translate *translate)
{
    static const struct control_session_ops ops = {.confirms = confirms, .drain = drain};
    const struct control_session_config config = {
        .loop = &worker->loop,
        .version = version_text,
        .max_sessions = (uint32_t)worker->conf->link.max_sessions,
        .judge = exchange_judge(worker->node.exchange),
        .translate = translate,
        .resolver = worker->resolver,
        .keeps_origin = true,
        .tells_origin = worker->conf->tell_origin,
        .confirms = worker->conf->link.resume_timeout > 0,
        .ops = &ops,
        .owner = worker,
    };
    worker->continuing.control = control_session_new(&config);
    exchange_add(worker->node.exchange, control_session_edge(worker->continuing.control));
}

static void name_it(struct worker *worker)
{
    char name[TLS_NAME_SIZE];
    text_escape(name, sizeof(name), worker->portal);
    snprintf(worker->who, sizeof(worker->who), "%s (%s)", name, worker->peer);
}

static void tunnel_paused(void *owner, const char *why)
{
    struct worker *worker = owner;
    node_tunnel_paused(&worker->node);
    accounting_paused(&worker->accounting, why);
    log_info("%s: connection lost, the tunnel waits for another: %s", worker->who, why);
}

static void tunnel_resumed(void *owner)
{
    struct worker *worker = owner;
    node_tunnel_resumed(&worker->node);
}

static usec_t own_end(const struct worker *worker)
{
    return tls_identity_expires(worker->identity)[TLS_CERTIFICATE];
}

void serving_change_over(void *owner)
{
    struct worker *worker = owner;
    log_info("%s: is to have another tunnel, before the certificate is out of date that the gate has shown",
             worker->who);
    departure_leave(&worker->departure);
    node_wake(&worker->node);
}

void serving_carried(void *owner, const struct endpoint *from)
{
    struct worker *worker = owner;
    endpoint_text(from, worker->peer);
    name_it(worker);
    changeover_tunnel(worker->changeover, own_end(worker));
}

static void tunnel_came(void *owner)
{
    struct worker *worker = owner;
    const struct gate_conf *conf = worker->conf;
    const struct tls *tls = tunnel_tls(worker->tunnel);
    snprintf(worker->portal, sizeof(worker->portal), "%s", tls_peer_name(tls));
    name_it(worker);
    news_judge_by(worker, &conf->access);
    struct dial_config config = {
        .judge = exchange_judge(worker->node.exchange),
        .translate = access_is_local(&conf->access, worker->portal) ? &local_translate : NULL,
        .poller = worker->node.poller,
        .resolver = worker->resolver,
        .icmp4_fd = worker->icmp4_fd,
        .icmp6_fd = worker->icmp6_fd,
        .max_flows = (uint32_t)conf->link.max_sessions,
        .max_connecting = (uint32_t)conf->max_connecting,
        .connect_timeout_ms = (uint32_t)conf->connect_timeout,
        .udp_idle_ms = (uint32_t)conf->udp_idle,
        .udp_dns_idle_ms = (uint32_t)conf->dns_idle,
        .udp_offload = conf->link.udp_offload,
        .remainder_budget = conf->link.window_budget,
        .source = access_source_of(&conf->access, worker->portal),
    };
    worker->dial = dial_new(&worker->loop, &config);
    exchange_add(worker->node.exchange, dial_edge(worker->dial));
    add_control_session(worker, config.translate);
    departure_logged_in(&worker->departure, worker->tunnel, worker->continuing.control);
    worker->entrances = (struct entrances){.conf = worker->began ? worker->began : conf,
                                           .node = &worker->node,
                                           .portal = worker->portal,
                                           .who = worker->who};
    accounting_set(&worker->accounting, worker->node.exchange, conf->audit, WORKER_CHANNEL_FD);
    node_tunnel_came(&worker->node, worker->tunnel);
    log_set_field(LOG_PORTAL, tls_peer_name(tls));
    log_set_field(LOG_CERT_SERIAL, tls_peer_serial(tls));
    worker->denied.event = LOG_EVENT_DENIED;
    log_event(LOG_EVENT_LOGIN, LOG_LEVEL_INFO, "%s: logged in, serial %s, %s%s", worker->who, tls_peer_serial(tls),
              tls_cipher(tls), tls_alpn_agreed(tls) ? "" : ", plain protocol");
    telling_up(WORKER_CHANNEL_FD, tls);
    changeover_certificate(worker->changeover, own_end(worker));
    changeover_tunnel(worker->changeover, own_end(worker));
}

static void session_came(void *owner, struct usher_session *session, const struct usher_open *open)
{
    struct worker *worker = owner;
    telling_origin(worker->who, session, open);
    node_session_came(&worker->node, session, open);
}

static void tunnel_went(void *owner, const char *why)
{
    struct worker *worker = owner;
    telling_denials(WORKER_CHANNEL_FD, exchange_denials(worker->node.exchange));
    accounting_down(&worker->accounting, why);
    accounting_flush(&worker->accounting);
    if (worker->dial)
        log_event(LOG_EVENT_LOGOUT, LOG_LEVEL_INFO, "%s: logged out: %s; sessions: %llu, bytes in: %llu, out: %llu",
                  worker->who, why, (unsigned long long)worker->node.counters.sessions_accepted,
                  (unsigned long long)worker->node.counters.data_received,
                  (unsigned long long)worker->node.counters.data_sent);
    else
        telling_refusal(WORKER_CHANNEL_FD, why);
    uv_stop(&worker->loop);
}

static void wake(void *owner)
{
    struct worker *worker = owner;
    node_wake(&worker->node);
}

const struct tunnel_ops serving_ops = {
    .up = tunnel_came,
    .opened = session_came,
    .paused = tunnel_paused,
    .resumed = tunnel_resumed,
    .down = tunnel_went,
    .wake = wake,
};

void serving_turned(void *owner, usec_t now)
{
    struct worker *worker = owner;
    if (worker->dial && worker->news.force.text.bytes)
        news_heed(worker);
    if (worker->dial) {
        tell_counts(worker, now);
        tell_denials(worker, now);
    }
    departure_turn(&worker->departure, now);
}

void serving_begin(struct worker *worker)
{
    worker->has_shown = false;
    tunnel_carry(worker->tunnel, worker->lane);
    worker->lane = NULL;
    node_wake(&worker->node);
}
