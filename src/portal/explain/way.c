// SPDX-License-Identifier: GPL-2.0-or-later
// The same approach that a portal makes, one gate after the other, with what each stage took. It ends with a login, which is
// given up at once: only that proves what the gate thinks of our certificate.
#include "portal/explain/internal.h"

#include "base/host_name.h"
#include "cli/answer.h"
#include "cli/moment.h"
#include "config/validity.h"
#include "link/path/approach.h"
#include "os/clock.h"
#include "os/netlink/routes.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CONNECT_MS = 5000, PATIENCE_MS = 12000, SERVERS_SIZE = 512 };

struct trial {
    struct explaining *e;
    uv_loop_t loop;
    uv_prepare_t turn;
    uv_idle_t awake;
    uv_timer_t patience;
    struct approach *approach;
    enum approach_stage stage;
    usec_t begun; // the stage
    usec_t took[APPROACH_OVER + 1];
    bool over;
    char identity[TLS_NAME_SIZE], cipher[TLS_SERIAL_SIZE];
};

static void stay_awake(uv_idle_t *awake)
{
    (void)awake; // only keeps the loop from sleeping
}

static void wake(void *owner)
{
    struct trial *trial = owner;
    uv_idle_start(&trial->awake, stay_awake);
}

static void note_stage(struct trial *trial)
{
    enum approach_stage stage = approach_stage(trial->approach);
    if (stage == trial->stage)
        return;
    usec_t now = clock_now();
    trial->took[trial->stage] = now - trial->begun;
    trial->begun = now;
    trial->stage = stage == APPROACH_OVER ? trial->stage : stage;
}

static void turn(uv_prepare_t *prepare)
{
    struct trial *trial = prepare->data;
    uv_idle_stop(&trial->awake);
    if (approach_turn(trial->approach, clock_now()))
        wake(trial);
    note_stage(trial);
}

static void came_up(void *owner, struct approach *approach)
{
    struct trial *trial = owner;
    const struct tls *tls = tunnel_tls(approach_tunnel(approach));
    snprintf(trial->identity, sizeof trial->identity, "%s", tls_peer_name(tls));
    snprintf(trial->cipher, sizeof trial->cipher, "%s", tls_cipher(tls));
    trial->took[APPROACH_SHAKING] = clock_now() - trial->begun;
    trial->stage = APPROACH_UP;
    trial->over = true;
}

static void opened(void *owner, struct approach *approach, struct usher_session *session, const struct usher_open *open)
{
    (void)owner; // nothing is served: the engine says so
    (void)approach;
    (void)session;
    (void)open;
}

static void is_over(void *owner, struct approach *approach)
{
    struct trial *trial = owner;
    (void)approach;
    trial->over = true;
}

static void ran_out(uv_timer_t *timer)
{
    ((struct trial *)timer->data)->over = true;
}

static void begin(struct trial *trial, const struct approach_config *config)
{
    static const struct approach_ops ops = {.up = came_up, .opened = opened, .over = is_over, .wake = wake};
    uv_prepare_init(&trial->loop, &trial->turn);
    uv_idle_init(&trial->loop, &trial->awake);
    uv_timer_init(&trial->loop, &trial->patience);
    trial->turn.data = trial->patience.data = trial;
    trial->begun = clock_now();
    trial->approach = approach_new(&trial->loop, config, &ops, trial);
    trial->stage = approach_stage(trial->approach);
    uv_prepare_start(&trial->turn, turn);
    uv_timer_start(&trial->patience, ran_out, PATIENCE_MS, 0);
}

static void end(struct trial *trial)
{
    approach_free(trial->approach);
    uv_close((uv_handle_t *)&trial->turn, NULL);
    uv_close((uv_handle_t *)&trial->awake, NULL);
    uv_close((uv_handle_t *)&trial->patience, NULL);
    uv_run(&trial->loop, UV_RUN_DEFAULT);
    uv_loop_close(&trial->loop);
}

static const char *remedy_of(enum approach_stage stage, const char *why)
{
    if (strstr(why, "clock"))
        return "set the clock, or let it be set: timedatectl, an NTP service";
    if (stage == APPROACH_RESOLVING)
        return "see the name in [Gate] Address, and whom this machine asks: /etc/resolv.conf";
    if (stage == APPROACH_CONNECTING && strstr(why, "refused"))
        return "nobody listens there: on the gate, usher-gate status shows where it listens; see the port in Address";
    if (stage == APPROACH_CONNECTING)
        return "see that this machine reaches the gate at all (ip route get), and that no firewall drops the port";
    if (strstr(why, "refused our certificate") || strstr(why, "denied access"))
        return "the gate's log says why: the certificate may be revoked, expired or of another CA";
    if (strstr(why, "certificate"))
        return "compare CA and Name here with the gate's certificate: usher-gate check there, usher-tun check here";
    return "see the log of the gate";
}

static void tell_stage(struct explaining *e, const struct trial *trial, enum approach_stage stage, const char *step,
                       const char *gate)
{
    static const char *const done[] = {"is resolved", "is connected to", "has proved who it is"};
    const char *why = approach_why(trial->approach);
    if (trial->stage < stage)
        return;
    if (trial->stage > stage && trial->took[stage]) {
        report_step(&e->report, step, REPORT_WELL, "%s %s", gate, done[stage]);
        report_took(&e->report, trial->took[stage]);
    } else if (trial->stage == stage) {
        report_step(&e->report, step, REPORT_FAILED, "%s: %s", gate, *why ? why : "no answer in time");
        report_remedy(&e->report, "%s", remedy_of(stage, why));
    }
}

static void try_gate(struct explaining *e, const struct path_config *path, const struct path_gate *gate,
                     const char *servers, bool marked)
{
    char text[HOST_PORT_TEXT_SIZE];
    struct trial trial = {.e = e};
    const struct approach_config config = {
        .reach = {.host = gate->host,
                  .port = gate->port,
                  .proxy = path->proxy,
                  .mark = marked ? ROUTES_MARK : 0,
                  .servers = servers,
                  .connect_ms = CONNECT_MS},
        .peer_name = gate->peer_name,
        .command = path->command,
        .identity = path->identity,
        .current = path->identity,
        .tunnel = path->tunnel,
    };
    if (uv_loop_init(&trial.loop) < 0)
        return;
    begin(&trial, &config);
    while (!trial.over)
        uv_run(&trial.loop, UV_RUN_ONCE);
    note_stage(&trial);
    host_port_text(text, sizeof text, gate->host, gate->port);
    tell_stage(e, &trial, APPROACH_RESOLVING, "resolve", text);
    tell_stage(e, &trial, APPROACH_CONNECTING, "connect", text);
    tell_stage(e, &trial, APPROACH_SHAKING, "tls", text);
    if (trial.stage == APPROACH_UP)
        report_step(&e->report, "login", REPORT_WELL, "the gate %s lets us in, %s; given up again", trial.identity,
                    trial.cipher);
    end(&trial);
}

static void explain_clock(struct explaining *e)
{
    char text[MOMENT_TEXT_SIZE];
    report_step(&e->report, "clock", REPORT_WELL, "it is %s by this machine's clock", moment_text(text, time(NULL)));
}

static void explain_validity(struct explaining *e, const struct portal_conf *conf, const struct tls_identity *identity)
{
    const struct validity validity =
        credentials_validity(tls_identity_expires(identity), &conf->credentials, TLS_PORTAL);
    const usec_t wall = (usec_t)time(NULL) * USEC_PER_SEC;
    struct fault notice;
    bool any = false;
    for (size_t i = 0; i < VALIDITY_ITEMS; i++) {
        if (!validity_runs_out(&validity, i, wall, &notice))
            continue;
        report_step(&e->report, "certificate", validity.items[i].expires <= wall ? REPORT_FAILED : REPORT_NOTE, "%s",
                    notice.text);
        any = true;
    }
    if (!any)
        report_step(&e->report, "certificate", REPORT_WELL, "certificate, CA and revocation list are in date");
}

// What the portal says itself, who knows best.
static void tell_last_error(struct explaining *e)
{
    const char *error = e->status ? answer_text(e->status, "last_error") : "";
    if (*error)
        report_step(&e->report, "last error", REPORT_NOTE, "%s", error);
}

void explain_way(struct explaining *e)
{
    struct tls_identity *identity = NULL;
    char servers[SERVERS_SIZE] = "";
    struct fault fault;
    const struct asking asking = {.fd = -1, .at_terminal_only = true};
    tell_last_error(e);
    explain_clock(e);
    struct portal_conf *conf =
        tls_library_start(&fault) ? portal_conf_load(e->file, PORTAL_OF_HOST, &asking, &identity, NULL, stderr) : NULL;
    if (!conf) {
        report_step(&e->report, "certificate", REPORT_FAILED, "the credentials of %s are not usable", e->file);
        report_remedy(&e->report, "see what usher-tun check %s says", e->file);
        return;
    }
    explain_validity(e, conf, identity);
    struct path_gate gates[VALUE_TARGETS_MAX];
    const struct path_config path = portal_conf_path(conf, gates, identity);
    if (!resolver_outside_servers(servers, sizeof servers, &fault))
        servers[0] = '\0';
    for (size_t i = 0; i < path.gate_count; i++)
        try_gate(e, &path, &path.gates[i], servers, e->status && portal_conf_captures(conf) && !geteuid());
    tls_identity_free(identity);
    portal_conf_free(conf);
}
