// SPDX-License-Identifier: GPL-2.0-or-later
// Listens, admits, starts workers and keeps the books. It parses no byte from the network: what it knows of a portal, its
// worker has told it. Everything that anybody outside can cause (processes, log lines) is bounded here.

#include "gate/supervisor/supervisor.h"

#include "base/memory.h"
#include "cli/version.h"
#include "gate/supervisor/bequest.h"
#include "gate/supervisor/farewell.h"
#include "gate/supervisor/internal.h"
#include "gate/supervisor/portals.h"
#include "gate/supervisor/requests.h"
#include "os/log.h"
#include "os/netlink/routes.h"
#include "os/process/notify.h"
#include "os/resolver/resolver.h"
#include "os/sandbox/sandbox.h"
#include "os/socket/socket.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BACKLOG = 256,    // connections that come between two turns of a busy loop
    FDS_A_WORKER = 6, // channel, its process, its connection, and what is open while it starts
    SPARE_FDS = 192,  // loop, listeners, netlink, control connections, with room
};

// True when they are not what they were.
static void signalled(uv_signal_t *handle, int number)
{
    log_info("ending: %s", strsignal(number));
    farewell_begin(handle->data);
}

// As many again may drain.
static void set_limits(const struct supervisor *supervisor, const struct gate_conf *conf)
{
    sandbox_limits((unsigned)conf->max_portals * FDS_A_WORKER * 2 +
                   (unsigned)handout_descriptors(&supervisor->conf->access) + ARRIVALS_MAX + SPARE_FDS);
}

static void begin_expiry(struct supervisor *supervisor, const struct gate_conf *conf)
{
    expiry_free(supervisor->expiry);
    supervisor->expiry = expiry_new(&supervisor->loop, conf->validity);
}

// Workers judge for themselves what it means for their portals.
static void renewed(void *owner)
{
    struct supervisor *supervisor = owner;
    const struct gate_conf *conf = renewal_conf(supervisor->renewal);
    int fd = renewal_handover_fd(supervisor->renewal);
    struct fault fault;
    struct channel_message *message = memory_new(sizeof(*message));
    message->type = CHANNEL_NEWS;
    message->news.size = (uint32_t)handover_size(fd, &fault);
    log_set_level(conf->log_level);
    trail_set(supervisor->trail, conf->audit);
    set_limits(supervisor, conf);
    begin_expiry(supervisor, conf);
    admission_set_limits(supervisor->admission, (uint32_t)conf->max_unauthenticated,
                         (uint32_t)conf->max_unauthenticated_per_source);
    list_for_each(node, &supervisor->children)
        child_hand(container_of(node, struct child, node), message, &fd, 1);
    free(message);
}

static void hung_up(uv_signal_t *handle, int number)
{
    struct supervisor *supervisor = handle->data;
    (void)number;
    renewal_run(supervisor->renewal);
}

static void user_signalled(uv_signal_t *handle, int number)
{
    struct supervisor *supervisor = handle->data;
    (void)number;
    upgrade_run(supervisor->upgrade, NULL);
}

static struct bequest_parts parts_of(struct supervisor *supervisor)
{
    return (struct bequest_parts){
        .name_or_file = supervisor->name_or_file,
        .runtime = &supervisor->runtime,
        .control = supervisor->control,
        .listeners = supervisor->listeners,
        .listener_count = supervisor->conf->listen.count,
        .health = supervisor->health,
        .health_count = supervisor->conf->health.count,
        .renewal = supervisor->renewal,
        .handout = supervisor->handout,
        .admission = supervisor->admission,
        .adoption = supervisor->adoption,
        .children = &supervisor->children,
        .since = supervisor->since,
        .retiring = supervisor->retiring,
    };
}

static void gather(void *owner, struct gate_state *out)
{
    const struct bequest_parts parts = parts_of(owner);
    bequest_gather(&parts, out);
}

static void leave(void *owner)
{
    struct supervisor *supervisor = owner;
    arrivals_rest(supervisor->arrivals);
    trail_pause(supervisor->trail);
    template_end(supervisor->template);
}

static bool takes_more(void *owner)
{
    const struct supervisor *supervisor = owner;
    return !supervisor->retiring;
}

static uint64_t load(void *owner, uint64_t *most)
{
    const struct supervisor *supervisor = owner;
    *most = renewal_conf(supervisor->renewal)->max_portals;
    return portals_count(supervisor);
}

static bool tell_health(struct supervisor *supervisor, const int *sockets, struct fault *fault)
{
    const struct health_config config = {.loop = &supervisor->loop,
                                         .at = &supervisor->conf->health,
                                         .sockets = sockets,
                                         .takes_more = takes_more,
                                         .load = load,
                                         .owner = supervisor};
    supervisor->health = health_new(&config, fault);
    return supervisor->health;
}

static bool start_listening(struct supervisor *supervisor, struct fault *fault)
{
    const struct value_endpoints *listen = &supervisor->conf->listen;
    const struct gate_state *left = supervisor->legacy ? supervisor->legacy->state : NULL;
    size_t count = left && left->retiring ? 0 : listen->count;
    if (left && left->listener_count != count + supervisor->conf->health.count)
        return fault_set(fault, "it was left other sockets to listen on than it knows of");
    if (!tell_health(supervisor, left ? left->listeners + count : NULL, fault))
        return false;
    if (left && left->retiring)
        return true;
    supervisor->listeners = memory_new((listen->count + 1) * sizeof(*supervisor->listeners));
    for (size_t i = 0; i < listen->count; i++) {
        int fd = left ? left->listeners[i] : socket_listen(&listen->items[i], BACKLOG, fault);
        if (fd < 0)
            return false;
        supervisor->listeners[i] = listener_new(&supervisor->loop, fd, portals_accept, supervisor);
    }
    return true;
}

static void rerouted(void *owner)
{
    struct supervisor *supervisor = owner;
    handout_repair(supervisor->handout);
}

static bool watch_network(struct supervisor *supervisor, struct fault *fault)
{
    supervisor->nl = netlink_new(fault);
    const struct locals_config config = {
        .loop = &supervisor->loop,
        .nl = supervisor->nl,
        .children = &supervisor->children,
        .rerouted = rerouted,
        .owner = supervisor,
    };
    supervisor->locals = supervisor->nl ? locals_new(&config, fault) : NULL;
    return supervisor->locals;
}

// The system's name servers, which no worker can look up.
static void note_servers(const struct supervisor *supervisor, struct handover *handover)
{
    char servers[VALUE_SERVERS_SIZE];
    struct fault why;
    if (supervisor->conf->dns)
        return;
    if (resolver_system_servers(servers, sizeof(servers), &why))
        handover->servers = blob_text(servers);
    else
        log_warning("host names will not be resolved: %s", why.text);
}

static bool hand_over(struct supervisor *supervisor, struct handover *handover, struct fault *fault)
{
    const struct renewal_config config = {
        .name_or_file = supervisor->name_or_file,
        .conf = supervisor->conf,
        .now = supervisor->legacy ? supervisor->legacy->now : NULL,
        .renewed = renewed,
        .owner = supervisor,
    };
    if (!supervisor->legacy)
        note_servers(supervisor, handover);
    supervisor->renewal = renewal_new(&supervisor->loop, &config, handover, fault);
    if (supervisor->renewal)
        survey_set_renewal(supervisor->survey, supervisor->renewal);
    return supervisor->renewal;
}

static void open_handles(struct supervisor *supervisor)
{
    uv_loop_init(&supervisor->loop);
    uv_timer_init(&supervisor->loop, &supervisor->farewell);
    uv_signal_init(&supervisor->loop, &supervisor->terminate);
    uv_signal_init(&supervisor->loop, &supervisor->interrupt);
    uv_signal_init(&supervisor->loop, &supervisor->hangup);
    uv_signal_init(&supervisor->loop, &supervisor->user2);
    supervisor->farewell.data = supervisor->terminate.data = supervisor->interrupt.data = supervisor->hangup.data =
        supervisor->user2.data = supervisor;
    uv_signal_start(&supervisor->terminate, signalled, SIGTERM);
    uv_signal_start(&supervisor->interrupt, signalled, SIGINT);
    uv_signal_start(&supervisor->hangup, hung_up, SIGHUP);
    uv_signal_start(&supervisor->user2, user_signalled, SIGUSR2);
}

static void make_parts(struct supervisor *supervisor)
{
    const struct upgrade_config upgrade = {
        .name = supervisor->conf->name, .gather = gather, .leave = leave, .owner = supervisor};
    const struct arrivals_config arrivals = {.loop = &supervisor->loop,
                                             .user = supervisor->conf->user,
                                             .came = portals_admit,
                                             .refused = portals_refuse,
                                             .owner = supervisor};
    supervisor->upgrade = upgrade_new(&supervisor->loop, &upgrade);
    supervisor->template = template_new(&supervisor->loop);
    supervisor->watchdog = watchdog_new(&supervisor->loop);
    begin_expiry(supervisor, supervisor->conf);
    supervisor->handout = handout_new(&supervisor->loop, &supervisor->conf->access, &supervisor->children);
    char *file = instance_config_place(supervisor->name_or_file);
    supervisor->trail = trail_new(&supervisor->loop, supervisor->conf->name, file);
    supervisor->census = census_new(&supervisor->loop, supervisor->conf->name, file, &supervisor->children);
    free(file);
    supervisor->drainage = drainage_new(&supervisor->loop, &supervisor->children);
    supervisor->arrivals = arrivals_new(&arrivals);
    const struct survey_config survey = {
        .conf = supervisor->conf,
        .name_or_file = supervisor->name_or_file,
        .children = &supervisor->children,
        .admission = supervisor->admission,
        .arrivals = supervisor->arrivals,
        .trail = supervisor->trail,
    };
    supervisor->survey = survey_new(&supervisor->loop, &survey);
}

// What a gate that was killed has left goes only when ours stands.
static bool export_networks(struct supervisor *supervisor, struct fault *fault)
{
    struct runtime *runtime = &supervisor->runtime;
    const struct access *access = &supervisor->conf->access;
    const struct gate_state *left = supervisor->legacy ? supervisor->legacy->state : NULL;
    if (access_exports(access)) {
        supervisor->exports =
            left ? exports_adopt(access, supervisor->nl, runtime->slot, left->held, left->held_count, fault)
                 : exports_new(access, supervisor->nl, runtime->slot, fault);
        if (!supervisor->exports)
            return false;
        handout_set_exports(supervisor->handout, supervisor->exports);
    }
    return !runtime->left ||
           (routes_purge_slots(runtime->left, supervisor->nl, fault) && runtime_settle(runtime, fault));
}

// In the place of an earlier program: nothing is made anew that it has left.
static bool inherit(struct supervisor *supervisor, struct handover *handover, struct fault *fault)
{
    const struct gate_conf *conf = supervisor->conf;
    const struct gate_state *left = supervisor->legacy->state;
    char root[RUNTIME_ROOT_SIZE];
    if (!runtime_root(root, fault) ||
        !runtime_adopt(&supervisor->runtime, root, conf->name, left->slot, left->lock, left->slots, fault))
        return false;
    handout_load(supervisor->handout, left->held, left->held_count);
    supervisor->retiring = left->retiring;
    if (left->retiring)
        survey_set_state(supervisor->survey, "draining");
    survey_set_since(supervisor->survey, supervisor->since);
    if (!hand_over(supervisor, handover, fault) || !watch_network(supervisor, fault) ||
        !export_networks(supervisor, fault) || !sandbox_confine_supervisor(fault) || !sandbox_seal_starter(fault))
        return false;
    const struct gate_conf *now = renewal_conf(supervisor->renewal);
    begin_expiry(supervisor, now);
    admission_set_limits(supervisor->admission, (uint32_t)now->max_unauthenticated,
                         (uint32_t)now->max_unauthenticated_per_source);
    const struct bequest_parts parts = parts_of(supervisor);
    int count = bequest_adopt(&parts, left, &supervisor->loop, &portals_ops, supervisor, fault);
    if (count < 0 || !start_listening(supervisor, fault))
        return false;
    supervisor->child_count = (size_t)count;
    supervisor->control = control_adopt(&supervisor->loop, left->control, requests_answer, supervisor, fault);
    return supervisor->control && control_admit(supervisor->control, &conf->control_group, fault);
}

// The workers of the program before drain, and their portals come to ours. Given the process back, they are ours again.
static void succeed(struct supervisor *supervisor)
{
    if (supervisor->legacy->back)
        return;
    uint64_t count = drainage_begin(supervisor->drainage, renewal_conf(supervisor->renewal)->drain_timeout);
    log_info("upgraded from %s to %s: tunnels of before that drain: %llu", supervisor->legacy->state->version,
             version_text, (unsigned long long)count);
}

static void begin_anew(struct supervisor *supervisor)
{
    list_for_each(node, &supervisor->children) {
        struct child *child = container_of(node, struct child, node);
        if (!child->stranger)
            child_tell(child, locals_message(supervisor->locals));
    }
    handout_look(supervisor->handout);
    succeed(supervisor);
    renewal_run(supervisor->renewal); // what has changed between the two
    upgrade_answer(supervisor->legacy->state, supervisor->conf->name, supervisor->legacy->back);
    close(supervisor->legacy->state->previous); // what was needed to go back
    close(supervisor->legacy->state->handover);
    close(supervisor->legacy->fd);
    if (supervisor->retiring && !supervisor->child_count)
        farewell_begin(supervisor);
}

static bool start(struct supervisor *supervisor, struct handover *handover, struct fault *fault)
{
    const struct gate_conf *conf = supervisor->conf;
    char root[RUNTIME_ROOT_SIZE], path[RUNTIME_PATH_SIZE];
    signal(SIGPIPE, SIG_IGN);
    set_limits(supervisor, conf);
    if (supervisor->legacy)
        return inherit(supervisor, handover, fault);
    if (!runtime_root(root, fault) ||
        !runtime_claim(&supervisor->runtime, root, conf->name, access_exports(&conf->access), fault))
        return false;
    runtime_path(path, root, conf->name, "control");
    supervisor->control = control_new(&supervisor->loop, path, requests_answer, supervisor, fault);
    return supervisor->control && control_admit(supervisor->control, &conf->control_group, fault) &&
           hand_over(supervisor, handover, fault) && watch_network(supervisor, fault) &&
           export_networks(supervisor, fault) && handout_try(&conf->access, fault, NULL) &&
           start_listening(supervisor, fault) && sandbox_confine_supervisor(fault) && sandbox_seal_starter(fault);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

// Undoes as much of `start` as was done.
static void finish(struct supervisor *supervisor)
{
    farewell_stop_listening(supervisor);
    health_free(supervisor->health);
    control_free(supervisor->control);
    survey_free(supervisor->survey);
    census_free(supervisor->census);
    trail_free(supervisor->trail);
    renewal_free(supervisor->renewal);
    handout_free(supervisor->handout);
    drainage_free(supervisor->drainage);
    arrivals_free(supervisor->arrivals);
    template_free(supervisor->template);
    upgrade_free(supervisor->upgrade);
    watchdog_free(supervisor->watchdog);
    expiry_free(supervisor->expiry);
    locals_free(supervisor->locals);
    uv_walk(&supervisor->loop, close_handle, NULL); // what belongs to nobody else
    uv_run(&supervisor->loop, UV_RUN_DEFAULT);
    uv_loop_close(&supervisor->loop);
    adoption_free(supervisor->adoption);
    admission_free(supervisor->admission);
    exports_free(supervisor->exports);
    netlink_free(supervisor->nl);
    if (supervisor->runtime.lock >= 0)
        runtime_release(&supervisor->runtime);
}

bool supervisor_run(const struct gate_conf *conf, const char *name_or_file, struct handover *handover,
                    const struct supervisor_legacy *legacy, struct fault *fault)
{
    struct supervisor supervisor = {
        .conf = conf,
        .name_or_file = name_or_file,
        .legacy = legacy,
        .since = legacy ? (time_t)legacy->state->since : time(NULL),
        .runtime = {.lock = -1, .slots = -1},
        .admission = admission_new((uint32_t)conf->max_unauthenticated, (uint32_t)conf->max_unauthenticated_per_source),
    };
    supervisor.adoption = adoption_new(supervisor.admission);
    list_init(&supervisor.children);
    refusals_init(&supervisor.capped);
    refusals_init(&supervisor.unproven);
    open_handles(&supervisor);
    make_parts(&supervisor);
    upgrade_take_signals();
    bool ok = start(&supervisor, handover, fault);
    if (!ok && legacy)
        return false; // whoever goes on needs all of it
    if (ok) {
        char text[ENDPOINT_TEXT_SIZE];
        for (size_t i = 0; !legacy && i < conf->listen.count; i++)
            log_info("listening on %s", endpoint_text(&conf->listen.items[i], text));
        for (size_t i = 0; !legacy && i < conf->health.count; i++)
            log_info("tells balancers how it is on %s", endpoint_text(&conf->health.items[i], text));
        template_start(supervisor.template);
        trail_set(supervisor.trail, renewal_conf(supervisor.renewal)->audit);
        if (legacy)
            begin_anew(&supervisor);
        notify_ready();
        uv_run(&supervisor.loop, UV_RUN_DEFAULT);
    }
    finish(&supervisor);
    return ok;
}
