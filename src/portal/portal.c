// SPDX-License-Identifier: GPL-2.0-or-later
// Life of a portal: what its link, its device, its signals and its control socket tell, and what it tells of that. The
// turn of the loop is the node's (node/node.h).

#include "portal/portal.h"

#include "os/log.h"
#include "os/process/notify.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FAREWELL_MS = 3000,         // tunnel_end needs 1 s at most
    LOG_SIZE_MAX = 1024 * 1024, // bytes of RUNTIME/log before it starts anew
};

void portal_turned(void *owner, usec_t now)
{
    struct portal *portal = owner;
    log_tally(&portal->unread, portal->node.counters.sessions_evicted, now,
              "flows reset because their applications took no data and memory ran short");
}

const char *portal_gate_text(const struct portal *portal, char room[PORTAL_GATE_SIZE])
{
    const struct value_target *first = portal->conf->gates.items;
    if (!portal->path)
        return host_port_text(room, PORTAL_GATE_SIZE, first->host, first->port);
    const struct path_gate *gate = path_gate(portal->path);
    return host_port_text(room, PORTAL_GATE_SIZE, gate->host, gate->port);
}

const char *portal_state_text(enum portal_state state)
{
    static const char *const texts[] = {
        [PORTAL_CONNECTING] = "connecting",
        [PORTAL_UP] = "up",
        [PORTAL_PAUSED] = "paused",
        [PORTAL_DOWN] = "down",
    };
    return texts[state];
}

// One that goes to another tunnel is up as before.
static void enter(struct portal *portal, enum portal_state state)
{
    char gate[PORTAL_GATE_SIZE];
    if (state != portal->state || state != PORTAL_UP)
        portal->since = time(NULL);
    portal->state = state;
    notify_status("%s, gate %s", portal_state_text(state), portal_gate_text(portal, gate));
}

static void finish(struct portal *portal)
{
    enter(portal, PORTAL_DOWN);
    uv_stop(portal->loop);
}

static void stop(struct portal *portal, const char *why);

static void ran_out(uv_timer_t *timer)
{
    struct portal *portal = timer->data;
    if (portal->stopping) {
        finish(portal);
        return;
    }
    char gate[PORTAL_GATE_SIZE];
    bool many = portal->conf->gates.count > 1;
    const char *why = *path_why(portal->path) ? path_why(portal->path) : portal->last_error.text;
    fault_set(&portal->failure, "no tunnel to %.200s within %llu s: %.256s",
              many ? "any of the gates" : portal_gate_text(portal, gate),
              (unsigned long long)portal->conf->up_timeout / 1000, *why ? why : "no answer");
    stop(portal, "gave up");
}

static void stop(struct portal *portal, const char *why)
{
    if (portal->stopping)
        return;
    portal->stopping = true;
    notify_stopping();
    uv_timer_start(&portal->patience, ran_out, FAREWELL_MS, 0);
    path_stop(portal->path, why);
    node_wake(&portal->node);
}

void portal_stop(struct portal *portal, const char *why)
{
    log_info("ending: %s", why);
    stop(portal, "the portal is going down");
}

static void signalled(uv_signal_t *handle, int number)
{
    portal_stop(handle->data, strsignal(number));
}

static void deserted(uv_poll_t *poll, int status, int events)
{
    struct portal *portal = poll->data;
    (void)status;
    (void)events;
    log_info("ending: the command that started it has ended");
    uv_poll_stop(poll);
    stop(portal, "the portal was interrupted");
}

// The pipe is never readable: only its other end can go.
static void watch_command(struct portal *portal)
{
    uv_poll_init(portal->loop, &portal->command, portal->background->verdict);
    portal->command.data = portal;
    uv_poll_start(&portal->command, UV_DISCONNECT, deserted);
}

static bool is_watching_command(const struct portal *portal)
{
    return portal->command.data && !uv_is_closing((const uv_handle_t *)&portal->command);
}

// The command returns 0 once the tunnel is there, and 1 when it cannot be had. In the foreground nobody waits: a service
// that begins when the machine does is there for good, whatever becomes of its gate.
static bool is_waited_for(const struct portal *portal)
{
    return portal->background->verdict >= 0;
}

static void announce(struct portal *portal)
{
    uv_timer_stop(&portal->patience);
    if (is_watching_command(portal) && !portal->background->attached)
        uv_close((uv_handle_t *)&portal->command, NULL);
    if (!background_ready(portal->background))
        stop(portal, "the portal was interrupted");
}

static void tunnel_came(void *owner, struct tunnel *tunnel)
{
    struct portal *portal = owner;
    struct endpoint peer;
    char address[ENDPOINT_TEXT_SIZE], gate[PORTAL_GATE_SIZE];
    const struct tls *tls = tunnel_tls(tunnel);
    const char *text = portal_gate_text(portal, gate);
    if (!portal_conf_has_proxy(portal->conf) && tunnel_peer(tunnel, &peer))
        text = endpoint_text(&peer, address);
    node_tunnel_came(&portal->node, tunnel);
    portal->wants_to_leave = false;
    changeover_tunnel(portal->changeover, tls_identity_expires(portal->identity)[TLS_CERTIFICATE]);
    enter(portal, PORTAL_UP);
    if (is_waited_for(portal))
        announce(portal);
    log_set_field(LOG_GATE, tls_peer_name(tls));
    log_set_field(LOG_PEER, text);
    log_set_field(LOG_CERT_SERIAL, tls_peer_serial(tls));
    log_event(LOG_EVENT_UP, LOG_LEVEL_INFO, "up: gate %s at %s, %s", tls_peer_name(tls), text, tls_cipher(tls));
}

// The log lies in memory (/run), and nobody rotates it.
static void bound_log(void)
{
    struct stat st;
    if (fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > LOG_SIZE_MAX &&
        ftruncate(STDERR_FILENO, 0) == 0)
        log_info("the log was full and begins anew");
}

static void tunnel_went(void *owner, enum path_end end, const char *why)
{
    struct portal *portal = owner;
    if (end == PATH_MOVED) {
        log_info("the tunnel goes %s", why);
        node_tunnel_left(&portal->node);
        return;
    }
    bool is_news = end == PATH_LOST || strcmp(portal->last_error.text, why);
    if (end == PATH_LEFT)
        log_info("the tunnel goes %s", why);
    else
        fault_set(&portal->last_error, "%s", why);
    if (end == PATH_LOST || end == PATH_LEFT) {
        node_tunnel_went(&portal->node);
        enter(portal, PORTAL_CONNECTING);
    }
    if (portal->stopping) {
        finish(portal);
        return;
    }
    if (is_waited_for(portal) && end == PATH_UNTRUSTED) {
        char gate[PORTAL_GATE_SIZE];
        bool many = portal->conf->gates.count > 1; // then each is named with its own reason
        fault_set(&portal->failure, "%.200s%s%.300s", many ? "" : portal_gate_text(portal, gate), many ? "" : ": ",
                  why);
        stop(portal, "refused");
        return;
    }
    if (is_news && end != PATH_LEFT)
        log_event(end == PATH_LOST ? LOG_EVENT_LOST : LOG_EVENT_NONE, LOG_LEVEL_WARNING, "%s: %s",
                  end == PATH_LOST ? "tunnel lost" : "no tunnel", why);
    notify_status("%s: %s", portal_state_text(portal->state), why);
    bound_log();
}

static void tunnel_paused(void *owner, const char *why)
{
    struct portal *portal = owner;
    node_tunnel_paused(&portal->node);
    if (portal->state == PORTAL_PAUSED)
        return;
    fault_set(&portal->last_error, "%s", why);
    enter(portal, PORTAL_PAUSED);
    log_warning("connection lost, the tunnel waits for another: %s", why);
}

static void tunnel_resumed(void *owner)
{
    struct portal *portal = owner;
    node_tunnel_resumed(&portal->node);
    if (portal->state == PORTAL_PAUSED)
        enter(portal, PORTAL_UP);
    log_info("the tunnel goes on over another connection");
}

static void session_came(void *owner, struct usher_session *session, const struct usher_open *open)
{
    struct portal *portal = owner;
    node_session_came(&portal->node, session, open);
}

static void wake(void *owner)
{
    struct portal *portal = owner;
    node_wake(&portal->node);
}

const struct path_ops PORTAL_PATH_OPS = {
    .up = tunnel_came,
    .opened = session_came,
    .paused = tunnel_paused,
    .resumed = tunnel_resumed,
    .down = tunnel_went,
    .wake = wake,
};

void portal_network_changed(void *owner)
{
    struct portal *portal = owner;
    if (!portal->stopping && portal->path)
        path_network_changed(portal->path);
}

void portal_fail(struct portal *portal, const char *farewell, const struct fault *why)
{
    if (portal->stopping)
        return;
    portal->failure = *why;
    stop(portal, farewell);
}

static void watch_signal(struct portal *portal, uv_signal_t *handle, int number)
{
    uv_signal_init(portal->loop, handle);
    handle->data = portal;
    uv_signal_start(handle, signalled, number);
    uv_unref((uv_handle_t *)handle);
}

void portal_open(struct portal *portal, uv_loop_t *loop)
{
    portal->loop = loop;
    enter(portal, PORTAL_CONNECTING);
    uv_timer_init(loop, &portal->patience);
    portal->patience.data = portal;
    watch_signal(portal, &portal->terminate, SIGTERM);
    watch_signal(portal, &portal->interrupt, SIGINT);
    if (portal->background->verdict >= 0)
        watch_command(portal);
}

void portal_hurry(struct portal *portal)
{
    if (!is_waited_for(portal))
        notify_ready(); // nothing leaks from here on
    else if (portal->conf->up_timeout)
        uv_timer_start(&portal->patience, ran_out, portal->conf->up_timeout, 0);
}

void portal_close(struct portal *portal)
{
    uv_close((uv_handle_t *)&portal->patience, NULL);
    uv_close((uv_handle_t *)&portal->terminate, NULL);
    uv_close((uv_handle_t *)&portal->interrupt, NULL);
    if (is_watching_command(portal))
        uv_close((uv_handle_t *)&portal->command, NULL);
}
