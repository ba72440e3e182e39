// SPDX-License-Identifier: GPL-2.0-or-later
// Instances are never forgotten but for others: one that is down can be brought up again.

#include "console/source.h"

#include "base/hash.h"
#include "base/memory.h"
#include "cli/runtime.h"
#include "console/flows.h"
#include "os/clock.h"
#include "os/random.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ATTENTION_S = 30 };

struct peer {
    struct table_node node;
    struct list order;                                        // the one that was told of longest ago first
    char name[INSTANCE_NAME_MAX + SOURCE_PEER_NAME_SIZE + 2]; // gate, newline, portal
    struct history history;
    struct history_sample sum; // of the answer that is being read
    unsigned round;
};

struct source {
    uv_loop_t *loop;
    struct source_config config;
    uv_timer_t timer;
    struct list instances;
    size_t count;
    struct table peers;
    struct list peer_order;
    struct hash_key key;
    struct flows *flows;
    usec_t looked; // 0: never
    unsigned pending, round;
};

const char *source_role_text(const struct source_instance *instance)
{
    static const char *const texts[] = {"unknown", "portal", "gate"};
    return texts[instance->role];
}

const char *source_state(const struct source_instance *instance)
{
    const char *state = told_text(instance->status, "state");
    return state ? state : instance->root && *instance->why.text ? "silent" : "down";
}

static struct source_instance *find(const struct source *source, const char *name)
{
    list_for_each(node, &source->instances) {
        struct source_instance *instance = container_of(node, struct source_instance, node);
        if (!strcmp(instance->name, name))
            return instance;
    }
    return NULL;
}

struct source_instance *source_find(struct source *source, const char *name)
{
    return find(source, name);
}

static struct source_instance *get(struct source *source, const char *name)
{
    struct source_instance *instance = find(source, name);
    if (instance || source->count == SOURCE_INSTANCES_MAX || strlen(name) > INSTANCE_NAME_MAX)
        return instance;
    instance = memory_new(sizeof *instance);
    instance->source = source;
    strcpy(instance->name, name);
    struct list *before = &source->instances;
    list_for_each(node, &source->instances) {
        if (before == &source->instances && strcmp(container_of(node, struct source_instance, node)->name, name) > 0)
            before = node;
    }
    list_insert_before(before, &instance->node);
    source->count++;
    return instance;
}

static struct peer *find_peer(const struct source *source, const char *name)
{
    for (struct table_node *node = table_first(&source->peers, hash_bytes(&source->key, name, strlen(name))); node;
         node = table_next(node)) {
        struct peer *peer = container_of(node, struct peer, node);
        if (!strcmp(peer->name, name))
            return peer;
    }
    return NULL;
}

static void forget_peer(struct source *source, struct peer *peer)
{
    table_remove(&source->peers, &peer->node);
    list_remove(&peer->order);
    free(peer);
}

static struct peer *get_peer(struct source *source, const char *gate, const char *name)
{
    char key[sizeof((struct peer *)0)->name];
    snprintf(key, sizeof key, "%s\n%s", gate, name);
    struct peer *peer = find_peer(source, key);
    if (peer)
        return peer;
    if (source->peers.count >= SOURCE_PEERS_MAX)
        forget_peer(source, container_of(source->peer_order.next, struct peer, order));
    peer = memory_new(sizeof *peer);
    strcpy(peer->name, key);
    table_insert(&source->peers, &peer->node, hash_bytes(&source->key, key, strlen(key)));
    list_push_back(&source->peer_order, &peer->order);
    return peer;
}

const struct history *source_peer(struct source *source, const struct source_instance *gate, const char *name)
{
    char key[sizeof((struct peer *)0)->name];
    snprintf(key, sizeof key, "%s\n%s", gate->name, name);
    struct peer *peer = find_peer(source, key);
    return peer ? &peer->history : NULL;
}

static uint64_t counter(const struct told *object, const char *key)
{
    double value = told_number(object, key);
    return value > 0 ? (uint64_t)value : 0;
}

static struct history_sample sample_of(const struct told *object, const struct told *link, const char *flows)
{
    double rtt = told_number(link, "rtt_us");
    return (struct history_sample){
        .bytes_in = counter(object, "bytes_in"),
        .bytes_out = counter(object, "bytes_out"),
        .rtt_us = rtt > 0 ? (float)rtt : -1,
        .flows = (float)told_number(object, flows),
    };
}

// A portal that has logged in more than once is one here, with the sum of what its logins carry.
static void take_peer(struct source *source, const struct source_instance *gate, const struct told *portal)
{
    const char *name = told_text(portal, "identity");
    if (!name)
        return;
    const struct history_sample sample = sample_of(portal, told_part(portal, "tunnel"), "sessions");
    struct peer *peer = get_peer(source, gate->name, name);
    if (peer->round != source->round)
        peer->sum = (struct history_sample){.rtt_us = -1};
    peer->round = source->round;
    peer->sum.bytes_in += sample.bytes_in;
    peer->sum.bytes_out += sample.bytes_out;
    peer->sum.flows += sample.flows < 0 ? 0 : sample.flows;
    if (sample.rtt_us >= 0)
        peer->sum.rtt_us = sample.rtt_us;
    list_remove(&peer->order);
    list_push_back(&source->peer_order, &peer->order);
}

// A gate's own history is what its portals have carried since we look: the counters of one that leaves go with it.
static void take_gate(struct source_instance *gate, usec_t now)
{
    struct source *source = gate->source;
    const struct told *portals = told_part(gate->status, "portals");
    struct history_sample sum = {
        .bytes_in = gate->history.bytes[0],
        .bytes_out = gate->history.bytes[1],
        .rtt_us = -1,
        .flows = (float)told_count(portals),
    };
    for (size_t i = 0; i < told_count(portals); i++)
        take_peer(source, gate, told_item(portals, i));
    list_for_each(node, &source->peer_order) {
        struct peer *peer = container_of(node, struct peer, order);
        const struct history *before = &peer->history;
        size_t len = strlen(gate->name);
        if (strncmp(peer->name, gate->name, len) || peer->name[len] != '\n')
            continue;
        if (peer->round != source->round) {
            history_miss(&peer->history);
            continue;
        }
        if (before->at && peer->sum.bytes_in >= before->bytes[0] && peer->sum.bytes_out >= before->bytes[1]) {
            sum.bytes_in += peer->sum.bytes_in - before->bytes[0];
            sum.bytes_out += peer->sum.bytes_out - before->bytes[1];
        }
        history_add(&peer->history, &peer->sum, now);
    }
    history_add(&gate->history, &sum, now);
}

static void take_status(struct source_instance *instance)
{
    const char *role = told_text(instance->status, "role");
    usec_t now = clock_now();
    instance->role = role && !strcmp(role, "portal") ? SOURCE_PORTAL
                     : role && !strcmp(role, "gate") ? SOURCE_GATE
                                                     : SOURCE_UNKNOWN;
    if (instance->role == SOURCE_GATE) {
        take_gate(instance, now);
    } else {
        const struct history_sample sample = sample_of(instance->status, instance->status, "flows");
        history_add(&instance->history, &sample, now);
    }
}

static void answered(void *owner, const struct told *answer, const struct fault *why)
{
    struct source_instance *instance = owner;
    struct source *source = instance->source;
    instance->asking = NULL;
    told_free(instance->status);
    instance->status = answer;
    instance->why = answer ? (struct fault){""} : *why;
    if (answer)
        take_status(instance);
    else
        history_miss(&instance->history);
    if (!answer && !strcmp(why->text, ASK_ABSENT)) // what has ended may have no right to remove its place
        instance->root = NULL;
    if (--source->pending == 0 && source->config.changed)
        source->config.changed(source->config.owner);
}

struct place {
    struct source *source;
    const char *root;
};

static void note(void *arg, const char *name)
{
    struct place *place = arg;
    struct source_instance *instance = get(place->source, name);
    if (instance && !instance->root)
        instance->root = place->root;
}

// Who could be brought up: a configuration that we may read says of what.
static void note_configured(struct source *source, const char *file)
{
    char path[512], line[256], name[INSTANCE_NAME_MAX + 1];
    struct fault fault;
    enum source_role role = SOURCE_UNKNOWN;
    snprintf(path, sizeof path, "%s/%s", source->config.etc, file);
    FILE *in = instance_name(name, path, &fault) && !find(source, name) ? fopen(path, "re") : NULL;
    if (!in)
        return;
    while (fgets(line, sizeof line, in)) {
        if (!strncasecmp(line, "[Portal]", 8))
            role = SOURCE_PORTAL;
        else if (role == SOURCE_UNKNOWN && (!strncasecmp(line, "[Gate]", 6) || !strncasecmp(line, "[Access ", 8)))
            role = SOURCE_GATE;
    }
    fclose(in);
    struct source_instance *instance = role == SOURCE_UNKNOWN ? NULL : get(source, name);
    if (instance)
        instance->role = role;
}

static void look_at_etc(struct source *source)
{
    DIR *dir = source->config.etc ? opendir(source->config.etc) : NULL;
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        const char *dot = strrchr(entry->d_name, '.');
        if (dot && dot != entry->d_name && !strcmp(dot, ".conf"))
            note_configured(source, entry->d_name);
    }
    closedir(dir);
}

static void begin_round(struct source *source)
{
    char path[RUNTIME_PATH_SIZE];
    source->round++;
    list_for_each(node, &source->instances)
        container_of(node, struct source_instance, node)->root = NULL;
    for (size_t i = 0; i < 2; i++) {
        struct place place = {source, source->config.roots[i]};
        if (place.root)
            runtime_each(place.root, note, &place);
    }
    look_at_etc(source);
    list_for_each(node, &source->instances) {
        struct source_instance *instance = container_of(node, struct source_instance, node);
        if (instance->asking)
            continue;
        if (!instance->root) {
            told_free(instance->status);
            instance->status = NULL;
            instance->why = (struct fault){""};
            history_miss(&instance->history);
            continue;
        }
        runtime_path(path, instance->root, instance->name, "control");
        instance->asking = ask_start(source->loop, path, "status", answered, instance);
        source->pending++;
    }
    if (!source->pending && source->config.changed)
        source->config.changed(source->config.owner);
}

static void turn(uv_timer_t *timer)
{
    struct source *source = timer->data;
    usec_t now = clock_now();
    bool watched = source->looked && now - source->looked < ATTENTION_S * USEC_PER_SEC;
    begin_round(source);
    uv_timer_start(timer, turn, (watched ? source->config.watched : source->config.unwatched) / USEC_PER_MSEC, 0);
}

void source_look(struct source *source)
{
    usec_t now = clock_now();
    bool was_watched = source->looked && now - source->looked < ATTENTION_S * USEC_PER_SEC;
    source->looked = now;
    if (!was_watched)
        uv_timer_start(&source->timer, turn, source->config.watched / USEC_PER_MSEC, 0);
}

const struct list *source_instances(const struct source *source)
{
    return &source->instances;
}

unsigned source_rounds(const struct source *source)
{
    return source->round;
}

bool source_flows(struct source *source, struct source_instance *instance, source_flows_done *done, void *owner)
{
    if (!instance->root) {
        done(owner, NULL, &(struct fault){"it is not running"});
        return true;
    }
    char path[RUNTIME_PATH_SIZE];
    runtime_path(path, instance->root, instance->name, "control");
    return flows_ask(source->flows, path, done, owner);
}

struct source *source_new(uv_loop_t *loop, const struct source_config *config)
{
    struct source *source = memory_new(sizeof *source);
    source->loop = loop;
    source->config = *config;
    list_init(&source->instances);
    list_init(&source->peer_order);
    table_init(&source->peers);
    random_fill(&source->key, sizeof source->key);
    source->flows = flows_new(loop);
    uv_timer_init(loop, &source->timer);
    source->timer.data = source;
    uv_timer_start(&source->timer, turn, 0, 0);
    return source;
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void source_free(struct source *source)
{
    if (!source)
        return;
    list_for_each(node, &source->instances) {
        struct source_instance *instance = container_of(node, struct source_instance, node);
        if (instance->asking)
            ask_cancel(instance->asking);
        told_free(instance->status);
        list_remove(node);
        free(instance);
    }
    list_for_each(node, &source->peer_order)
        forget_peer(source, container_of(node, struct peer, order));
    table_fini(&source->peers);
    flows_free(source->flows);
    uv_close((uv_handle_t *)&source->timer, closed);
}
