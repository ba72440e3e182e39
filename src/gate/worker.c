// SPDX-License-Identifier: GPL-2.0-or-later
// Order is what keeps a worker safe: everything that needs a privilege or a file, then the drop, then the seal, and
// only then the handshake. Who the portal is decides which rules are looked up; nothing it opens is judged before.

#include "gate/worker.h"

#include "base/memory.h"
#include "base/text.h"
#include "cli/version.h"
#include "config/gate_conf.h"
#include "edge/control/session.h"
#include "edge/dial/dial.h"
#include "edge/local/local.h"
#include "gate/channel.h"
#include "gate/continuing.h"
#include "gate/departure.h"
#include "gate/entrances.h"
#include "gate/handover.h"
#include "gate/look.h"
#include "gate/standing.h"
#include "gate/telling.h"
#include "node/node.h"
#include "os/hosts.h"
#include "os/log_tally.h"
#include "os/resolver.h"
#include "os/sandbox.h"
#include "os/socket.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DENIALS_PAUSE USEC_PER_SEC

enum { SPARE_DESCRIPTORS = 128 }; // beside one for each session: loop, channel, tunnel, name queries

struct worker {
    struct gate_conf *conf;
    struct gate_conf *began;  // by which ports and devices are handed out; NULL: that one too
    struct handover handover; // what is not used up yet
    struct handover news;     // not heeded yet; empty: none
    struct standing standing; // of the portal
    struct departure departure;

    uv_loop_t loop;
    struct node node;
    uv_poll_t channel;

    struct tls_identity *identity;
    struct tunnel *tunnel;
    struct tunnel_config config; // its own
    struct lane *lane;           // until the tunnel has it
    struct look *look;           // at what it shows; NULL once that is known
    bool has_shown;              // a ticket, and the supervisor is asked
    struct continuing continuing;
    struct resolver *resolver;
    char *hosts;       // the resolver's
    struct dial *dial; // the node's, once we know the portal
    struct entrances entrances;
    int icmp4_fd, icmp6_fd;

    char portal[TLS_NAME_SIZE];
    char peer[ENDPOINT_TEXT_SIZE];
    char who[TLS_NAME_SIZE + ENDPOINT_TEXT_SIZE + 4]; // for log lines
    struct log_tally denied, evicted;
    usec_t denials_due; // when the supervisor may be told of refusals unasked
};

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

// NULL when it has mistakes.
static struct gate_conf *parse(const struct blob *text)
{
    struct config config = {.path = "the configuration"};
    struct gate_conf *conf = memory_new(sizeof(*conf));
    bool ok = gate_conf_parse(conf, &config, text);
    config_fini(&config);
    if (ok)
        return conf;
    gate_conf_free(conf);
    return NULL;
}

static void judge_by(struct worker *worker, const struct access *access)
{
    standing_judge_by(&worker->standing, worker->node.exchange, access, worker->portal);
}

// What is open already, too.
static void judge_anew(struct worker *worker, const struct access *access)
{
    judge_by(worker, access);
    uint32_t count = dial_judge_again(worker->dial);
    if (count)
        log_info("%s: flows reset because the rules do not allow them any more: %u", worker->who, (unsigned)count);
}

// Lanes that are to carry the tunnel on are judged by it.
static void replace_identity(struct worker *worker, struct tls_identity *identity)
{
    tls_identity_free(worker->identity);
    worker->identity = identity;
}

// The supervisor has found no mistake in it. What it says of anything but rules and trust is for the next login.
static void heed(struct worker *worker, struct handover *news)
{
    struct gate_conf *conf = parse(&news->force.text);
    struct fault why;
    assert(conf);
    log_set_level(conf->log_level);
    struct tls_identity *identity = standing_identity(news, conf, &why);
    if (identity && standing_lasts(tunnel_tls(worker->tunnel), identity, conf, &worker->conf->access, &why))
        judge_anew(worker, &conf->access);
    else
        tunnel_end(worker->tunnel, why.text);
    if (identity)
        replace_identity(worker, identity);
    gate_conf_free(conf);
    handover_fini(news);
    node_wake(&worker->node);
}

// Heeded at the end of the turn, or of the one in which the portal is known.
static void take_news(struct worker *worker, size_t size, int fd)
{
    struct fault fault;
    handover_fini(&worker->news);
    if (!handover_read(&worker->news, fd, size, &fault))
        abort();
    close(fd);
    node_wake(&worker->node);
}

static void turned(void *owner, usec_t now)
{
    struct worker *worker = owner;
    if (worker->dial && worker->news.force.text.bytes)
        heed(worker, &worker->news);
    if (worker->dial) {
        tell_counts(worker, now);
        tell_denials(worker, now);
    }
    departure_turn(&worker->departure, now);
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
    log_info("%s: connection lost, the tunnel waits for another: %s", worker->who, why);
}

static void tunnel_resumed(void *owner)
{
    struct worker *worker = owner;
    node_tunnel_resumed(&worker->node);
}

// The supervisor says so in the log.
static void carried(void *owner, const struct endpoint *from)
{
    struct worker *worker = owner;
    endpoint_text(from, worker->peer);
    name_it(worker);
}

static void tunnel_came(void *owner)
{
    struct worker *worker = owner;
    const struct gate_conf *conf = worker->conf;
    const struct tls *tls = tunnel_tls(worker->tunnel);
    snprintf(worker->portal, sizeof(worker->portal), "%s", tls_peer_name(tls));
    name_it(worker);
    judge_by(worker, &conf->access);
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
    node_tunnel_came(&worker->node, worker->tunnel);
    log_set_field(LOG_PORTAL, tls_peer_name(tls));
    log_set_field(LOG_CERT_SERIAL, tls_peer_serial(tls));
    worker->denied.event = LOG_EVENT_DENIED;
    log_event(LOG_EVENT_LOGIN, LOG_LEVEL_INFO, "%s: logged in, serial %s, %s%s", worker->who, tls_peer_serial(tls),
              tls_cipher(tls), tls_alpn_agreed(tls) ? "" : ", plain protocol");
    telling_up(WORKER_CHANNEL_FD, tls);
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
    if (worker->dial)
        log_event(LOG_EVENT_LOGOUT, LOG_LEVEL_INFO, "%s: logged out: %s; sessions: %llu, bytes in: %llu, out: %llu",
                  worker->who, why, (unsigned long long)worker->node.counters.sessions_accepted,
                  (unsigned long long)worker->node.counters.data_received,
                  (unsigned long long)worker->node.counters.data_sent);
    else
        telling_refusal(WORKER_CHANNEL_FD, why);
    uv_stop(&worker->loop);
}

// The tunnel is a new one.
static void serve(struct worker *worker)
{
    worker->has_shown = false;
    tunnel_carry(worker->tunnel, worker->lane);
    worker->lane = NULL;
    node_wake(&worker->node);
}

static void looked(void *owner, const uint8_t *ticket)
{
    struct worker *worker = owner;
    worker->look = NULL;
    worker->has_shown = ticket;
    if (ticket)
        telling_shown(WORKER_CHANNEL_FD, ticket);
    else
        serve(worker);
}

static void act_on(struct worker *worker, const struct channel_message *message, const int *fds, size_t count)
{
    switch (message->type) {
    case CHANNEL_FORWARDS:
        entrances_take_forwards(&worker->entrances, message->forwards.first, fds, count);
        break;
    case CHANNEL_FORWARDS_OVER:
        entrances_release_forwards(&worker->entrances);
        break;
    case CHANNEL_DRAIN:
        departure_begin(&worker->departure, message->drain.timeout_ms);
        node_wake(&worker->node);
        break;
    case CHANNEL_EXPORT:
        assert(count == 1);
        entrances_take_export(&worker->entrances, message, fds[0]);
        break;
    case CHANNEL_EXPORT_BACK:
        entrances_export_back(&worker->entrances);
        break;
    case CHANNEL_NEWS:
        assert(count == 1);
        take_news(worker, message->news.size, fds[0]);
        break;
    case CHANNEL_LOCALS:
        standing_take_locals(&worker->standing, message);
        break;
    case CHANNEL_POLL:
        telling_denials(WORKER_CHANNEL_FD, exchange_denials(worker->node.exchange));
        telling_facts(WORKER_CHANNEL_FD, &worker->node, worker->tunnel);
        break;
    case CHANNEL_SERVE:
        serve(worker);
        break;
    case CHANNEL_LANE:
        assert(count == 1);
        continuing_take(&worker->continuing, message, fds[0]);
        node_wake(&worker->node);
        break;
    case CHANNEL_END:
        if (worker->has_shown) { // and the connection is another's: nothing is said on it
            uv_stop(&worker->loop);
            break;
        }
        tunnel_end(worker->tunnel, message->text);
        node_wake(&worker->node);
        break;
    default:
        abort(); // the supervisor is this very program
    }
}

static void channel_event(uv_poll_t *poll, int status, int events)
{
    struct worker *worker = poll->data;
    struct channel_message *message = memory_new(sizeof(*message));
    enum channel_result result;
    int fds[CHANNEL_FDS_MAX];
    size_t count;
    (void)status;
    (void)events;
    while ((result = channel_receive_fds(WORKER_CHANNEL_FD, message, fds, &count)) == CHANNEL_TAKEN)
        act_on(worker, message, fds, count);
    free(message);
    if (result == CHANNEL_EMPTY)
        return;
    log_warning("%s: the supervisor is gone", *worker->who ? worker->who : worker->peer);
    uv_poll_stop(poll);
    uv_stop(&worker->loop);
}

// How many files may be open at once. Flows that the portal opens and those that are opened towards it have limits of their
// own, though a session each.
static unsigned descriptors_needed(const struct gate_conf *conf)
{
    unsigned count = (unsigned)conf->link.max_sessions + SPARE_DESCRIPTORS;
    for (size_t i = 0; i < conf->access.portal_count; i++)
        if (conf->access.portals[i].forwards.count)
            return count + (unsigned)conf->link.max_sessions + VALUE_FORWARD_PORTS_MAX;
    return count;
}

static void read_hosts(struct worker *worker)
{
    struct stat st;
    if (fstat(WORKER_HOSTS_FD, &st) < 0)
        return;
    worker->hosts = hosts_read(WORKER_HOSTS_FD);
    if (!worker->hosts)
        log_warning("/etc/hosts cannot be read, or is larger than %d bytes", HOSTS_SIZE_MAX);
    close(WORKER_HOSTS_FD);
}

// What needs privileges or files.
static bool prepare(struct worker *worker, struct fault *fault)
{
    const struct gate_conf *conf = worker->conf;
    const char *servers = conf->dns ? conf->dns : (const char *)worker->handover.servers.bytes;
    const char *congestion = link_tuning_congestion(conf->link.congestion);
    socket_set_send_buffer(WORKER_SOCKET_FD);
    if (congestion && !socket_set_congestion(WORKER_SOCKET_FD, congestion)) // the unprivileged may not choose any
        log_debug("the kernel does not have congestion control %s", congestion);
    worker->icmp4_fd = socket_raw_icmp(4);
    worker->icmp6_fd = socket_raw_icmp(6);
    read_hosts(worker);
    struct resolver_config config = {
        .servers = servers,
        .timeout_ms = (uint32_t)conf->connect_timeout,
        .hosts = worker->hosts,
    };
    if (servers && !(worker->resolver = resolver_new(&worker->loop, &config, fault)))
        return false;
    sandbox_limits(descriptors_needed(conf));
    return tls_library_start(fault);
}

static bool drop(const struct worker *worker, struct fault *fault)
{
    if (!sandbox_drop(worker->conf->user, false, fault))
        return false;
    // A change of identity clears this, so it comes after.
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 || fault_set(fault, "no signal when the supervisor dies");
}

static void wake(void *owner)
{
    struct worker *worker = owner;
    node_wake(&worker->node);
}

static const struct tunnel_ops TUNNEL_OPS = {
    .up = tunnel_came,
    .opened = session_came,
    .paused = tunnel_paused,
    .resumed = tunnel_resumed,
    .down = tunnel_went,
    .wake = wake,
};

static bool turn_link(void *link, usec_t now)
{
    struct worker *worker = link;
    bool more = continuing_turn(&worker->continuing, now);
    return tunnel_turn(worker->tunnel, now) || more;
}

static struct tunnel *tunnel_of(void *link)
{
    const struct worker *worker = link;
    return tunnel_engine(worker->tunnel) ? worker->tunnel : NULL;
}

static const struct node_link LINK = {.turn = turn_link, .tunnel = tunnel_of};

static bool open_tunnel(struct worker *worker, struct fault *fault)
{
    const struct gate_conf *conf = worker->conf;
    struct tls_material material =
        credentials_material(&worker->handover.force.credentials, &conf->credentials, TLS_GATE);
    struct tunnel_config *config = &worker->config;
    *config = link_tuning_tunnel(&conf->link);
    config->lane.congestion = NULL; // see prepare
    config->engine.opens_per_sec = (uint32_t)conf->opens_per_second;
    config->engine.opens_burst = (uint32_t)conf->opens_burst;
    enum tls_credential at_fault;
    worker->identity = tls_identity_new(&material, &at_fault, fault);
    handover_fini(&worker->handover);
    if (!worker->identity)
        return false;
    worker->lane = lane_new(&worker->loop, WORKER_SOCKET_FD, worker->identity, TLS_GATE, NULL, &config->lane, fault);
    if (!worker->lane)
        return false;
    worker->tunnel = tunnel_new(&worker->loop, config, &TUNNEL_OPS, worker);
    worker->continuing = (struct continuing){
        .loop = &worker->loop,
        .channel = WORKER_CHANNEL_FD,
        .tunnel = worker->tunnel,
        .identity = &worker->identity,
        .lane = &config->lane,
        .seconds = (uint32_t)(conf->link.resume_timeout / 1000),
        .carried = carried,
        .owner = worker,
    };
    node_set_link(&worker->node, &LINK, worker);
    return true;
}

// Whether it is to carry on a tunnel of another worker's, or is a new one. The time for the handshake runs already.
static void begin(struct worker *worker)
{
    const struct gate_conf *conf = worker->conf;
    if (conf->link.resume_timeout)
        worker->look = look_new(&worker->loop, worker->node.poller, WORKER_SOCKET_FD,
                                (uint32_t)conf->link.handshake_timeout, looked, worker);
    else
        serve(worker);
}

static void watch_channel(struct worker *worker)
{
    uv_poll_init(&worker->loop, &worker->channel, WORKER_CHANNEL_FD);
    worker->channel.data = worker;
    uv_poll_start(&worker->channel, UV_READABLE | UV_DISCONNECT, channel_event);
}

// The supervisor's first message says which addresses are its own; nothing may be judged without it.
static bool await_locals(struct worker *worker, struct fault *fault)
{
    struct channel_message *message = memory_new(sizeof(*message));
    bool ok = channel_receive(WORKER_CHANNEL_FD, message) == CHANNEL_TAKEN && message->type == CHANNEL_LOCALS;
    if (ok)
        standing_take_locals(&worker->standing, message);
    free(message);
    return ok || fault_set(fault, "no word from the supervisor");
}

// The supervisor has found no mistake in the text and has said what else there was to say.
static bool configure(struct worker *worker, struct fault *fault)
{
    if (!handover_read(&worker->handover, WORKER_HANDOVER_FD, handover_size(WORKER_HANDOVER_FD, fault), fault))
        return false;
    close(WORKER_HANDOVER_FD);
    worker->conf = parse(&worker->handover.force.text);
    if (worker->handover.began.len)
        worker->began = parse(&worker->handover.began);
    if (!worker->conf || (worker->handover.began.len && !worker->began))
        return fault_set(fault, "the configuration that was handed over has mistakes");
    snprintf(worker->conf->name, sizeof(worker->conf->name), "%s", (const char *)worker->handover.name.bytes);
    return true;
}

static bool set_up(struct worker *worker, struct fault *fault)
{
    struct endpoint peer;
    if (!configure(worker, fault))
        return false;
    log_set_level(worker->conf->log_level);
    char name[INSTANCE_NAME_MAX + 16];
    snprintf(name, sizeof(name), "usher-gate %s", worker->conf->name);
    log_set_name(name);
    log_set_field(LOG_GATE, worker->conf->name);
    if (!socket_peer(WORKER_SOCKET_FD, &peer))
        return fault_set(fault, "the portal was gone before the handshake");
    endpoint_text(&peer, worker->peer);
    log_set_field(LOG_PEER, worker->peer);
    const struct node_config config = {.turned = turned, .owner = worker};
    node_init(&worker->node, &worker->loop, &config);
    worker->departure = (struct departure){.loop = &worker->loop,
                                           .channel = WORKER_CHANNEL_FD,
                                           .who = worker->who,
                                           .timeout_ms = worker->conf->drain_timeout};
    departure_init(&worker->departure);
    if (!await_locals(worker, fault) || !prepare(worker, fault) || !drop(worker, fault) || !open_tunnel(worker, fault))
        return false;
    watch_channel(worker);
    begin(worker);
    return sandbox_seal_worker(fault);
}

static void tear_down(struct worker *worker)
{
    node_set_link(&worker->node, NULL, NULL);
    look_free(worker->look);
    continuing_end(&worker->continuing);
    lane_free(worker->lane);
    tunnel_free(worker->tunnel); // its sessions end before the edges go
    node_fini(&worker->node);
    resolver_free(worker->resolver);
    free(worker->hosts);
    departure_close(&worker->departure);
    uv_close((uv_handle_t *)&worker->channel, NULL);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    uv_loop_close(&worker->loop);
    tls_identity_free(worker->identity);
    standing_fini(&worker->standing);
    handover_fini(&worker->handover);
    handover_fini(&worker->news);
    gate_conf_free(worker->conf);
    if (worker->began)
        gate_conf_free(worker->began);
}

static bool make_loop(struct worker *worker, struct fault *fault)
{
    int result = uv_loop_init(&worker->loop);
    return result == 0 || fault_set(fault, "cannot make an event loop: %s", uv_strerror(result));
}

int worker_main(void)
{
    struct worker *worker = memory_new(sizeof(*worker));
    struct fault fault;
    // Whoever ends the gate tells the supervisor, and that tells us.
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (!sandbox_refuse_io_uring(&fault) || !make_loop(worker, &fault) || !set_up(worker, &fault)) {
        log_error("worker: %s", fault.text);
        return 1; // the process goes as a whole: what was set up so far goes with it
    }
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    tear_down(worker);
    free(worker);
    return 0;
}
