// SPDX-License-Identifier: GPL-2.0-or-later
// Order is what keeps a worker safe: everything that needs a privilege or a file, then the drop, then the seal, and
// only then the handshake. Who the portal is decides which rules are looked up; nothing it opens is judged before.

#include "gate/worker/worker.h"

#include "base/memory.h"
#include "gate/channel/channel.h"
#include "gate/channel/worker_start.h"
#include "gate/worker/internal.h"
#include "gate/worker/news.h"
#include "gate/worker/orders.h"
#include "gate/worker/serving.h"
#include "gate/worker/telling.h"
#include "os/log.h"
#include "os/resolver/hosts.h"
#include "os/resolver/resolver.h"
#include "os/sandbox/sandbox.h"
#include "os/socket/socket.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { SPARE_DESCRIPTORS = 128 }; // beside one for each session: loop, channel, tunnel, name queries

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
    worker->tunnel = tunnel_new(&worker->loop, config, &serving_ops, worker);
    worker->continuing = (struct continuing){
        .loop = &worker->loop,
        .channel = WORKER_CHANNEL_FD,
        .tunnel = worker->tunnel,
        .identity = &worker->identity,
        .lane = &config->lane,
        .seconds = (uint32_t)(conf->link.resume_timeout / 1000),
        .carried = serving_carried,
        .owner = worker,
    };
    node_set_link(&worker->node, &LINK, worker);
    return true;
}

static void looked(void *owner, const uint8_t *ticket, bool forwarded)
{
    struct worker *worker = owner;
    worker->look = NULL;
    worker->has_shown = ticket;
    if (ticket) {
        telling_shown(WORKER_CHANNEL_FD, ticket);
    } else if (forwarded) {
        telling_refusal(WORKER_CHANNEL_FD, "it begins with a PROXY header, and is not listed in Balancers");
        uv_stop(&worker->loop);
    } else {
        serving_begin(worker);
    }
}

// Whether it is to carry on a tunnel of another worker's, or is a new one. The time for the handshake runs already.
static void begin(struct worker *worker)
{
    const struct gate_conf *conf = worker->conf;
    if (conf->link.resume_timeout)
        worker->look = look_new(&worker->loop, worker->node.poller, WORKER_SOCKET_FD,
                                (uint32_t)conf->link.handshake_timeout, looked, worker);
    else
        serving_begin(worker);
}

static bool await(struct channel_message *message, enum channel_type type, struct fault *fault)
{
    return (channel_receive(WORKER_CHANNEL_FD, message) == CHANNEL_TAKEN && message->type == type) ||
           fault_set(fault, "no word from the supervisor");
}

// The supervisor's first messages: which addresses are its own, without which nothing may be judged, and whose connection
// it is, since what the socket says may be a balancer.
static bool await_begin(struct worker *worker, struct fault *fault)
{
    struct channel_message *message = memory_new(sizeof(*message));
    bool ok = await(message, CHANNEL_LOCALS, fault);
    if (ok)
        standing_take_locals(&worker->standing, message);
    ok = ok && await(message, CHANNEL_PEER, fault);
    if (ok)
        endpoint_text(&message->peer, worker->peer);
    free(message);
    return ok;
}

// The supervisor has found no mistake in the text and has said what else there was to say.
static bool configure(struct worker *worker, struct fault *fault)
{
    if (!handover_read(&worker->handover, WORKER_HANDOVER_FD, handover_size(WORKER_HANDOVER_FD, fault), fault))
        return false;
    close(WORKER_HANDOVER_FD);
    worker->conf = news_parse(&worker->handover.force.text);
    if (worker->handover.began.len)
        worker->began = news_parse(&worker->handover.began);
    if (!worker->conf || (worker->handover.began.len && !worker->began))
        return fault_set(fault, "the configuration that was handed over has mistakes");
    snprintf(worker->conf->name, sizeof(worker->conf->name), "%s", (const char *)worker->handover.name.bytes);
    return true;
}

static bool set_up(struct worker *worker, struct fault *fault)
{
    if (!configure(worker, fault))
        return false;
    log_set_level(worker->conf->log_level);
    char name[INSTANCE_NAME_MAX + 16];
    snprintf(name, sizeof(name), "usher-gate %s", worker->conf->name);
    log_set_name(name);
    log_set_field(LOG_GATE, worker->conf->name);
    if (!await_begin(worker, fault))
        return false;
    log_set_field(LOG_PEER, worker->peer);
    const struct node_config config = {.turned = serving_turned, .owner = worker};
    node_init(&worker->node, &worker->loop, &config);
    worker->departure = (struct departure){.loop = &worker->loop,
                                           .channel = WORKER_CHANNEL_FD,
                                           .who = worker->who,
                                           .timeout_ms = worker->conf->drain_timeout};
    departure_init(&worker->departure);
    accounting_init(&worker->accounting, &worker->loop);
    worker->changeover = changeover_new(&worker->loop, serving_change_over, worker);
    worker->departure.accounting = &worker->accounting;
    if (!prepare(worker, fault) || !drop(worker, fault) || !open_tunnel(worker, fault))
        return false;
    orders_watch(worker);
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
    changeover_free(worker->changeover);
    accounting_close(&worker->accounting);
    uv_close((uv_handle_t *)&worker->channel, NULL);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    uv_loop_close(&worker->loop);
    tls_identity_free(worker->identity);
    standing_fini(&worker->standing);
    accounting_fini(&worker->accounting);
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
    if (!sandbox_refuse_io_uring(&fault) || !make_loop(worker, &fault) || !set_up(worker, &fault)) {
        log_error("worker: %s", fault.text);
        return 1; // the process goes as a whole: what was set up so far goes with it
    }
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    tear_down(worker);
    free(worker);
    return 0;
}
