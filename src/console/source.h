// SPDX-License-Identifier: GPL-2.0-or-later
// The portals and gates of this machine, as their control sockets tell them: asked for their status at a bounded rate, each
// with no more than one question under way, and the last hour of each, and of each portal at a gate, kept in rings.
#ifndef CONSOLE_SOURCE_H
#define CONSOLE_SOURCE_H

#include "base/list.h"
#include "base/table.h"
#include "config/instance.h"
#include "console/ask.h"
#include "console/history.h"
#include "console/told.h"

enum {
    SOURCE_INSTANCES_MAX = 256,
    SOURCE_PEERS_MAX = 4096, // portals of all gates that have a history: 6 KiB each
    SOURCE_PEER_NAME_SIZE = 256,
};

enum source_role { SOURCE_UNKNOWN, SOURCE_PORTAL, SOURCE_GATE };

struct source_instance {
    struct list node;
    char name[INSTANCE_NAME_MAX + 1];
    enum source_role role;
    const struct told *status; // NULL: it does not answer
    struct fault why;          // it does not
    struct history history;    // of a gate: the sum of its portals
    struct ask *asking;
    struct source *source;
    const char *root; // that its place is in; NULL: it has none at the moment
};

struct source_config {
    const char
        *roots[2];   // where instances have their places: this machine's, and the user's own; of one name the first's
    const char *etc; // where their configurations lie: who is not running
    usec_t watched, unwatched;    // how often they are asked, while somebody looks and while nobody does
    void (*changed)(void *owner); // after each round
    void *owner;
};

struct source *source_new(uv_loop_t *loop, const struct source_config *config);
void source_free(struct source *source);
// Somebody looks, or looks again: until nobody has for half a minute.
void source_look(struct source *source);
// In the order of their names.
const struct list *source_instances(const struct source *source); // of source_instance
struct source_instance *source_find(struct source *source, const char *name);
// Of a portal at a gate; NULL: none.
const struct history *source_peer(struct source *source, const struct source_instance *gate, const char *name);
unsigned source_rounds(const struct source *source);
// The flows of an instance, at most two seconds old, to whoever asks: one question is under way at a time. `done` may be called at
// once; the answer lives as long as the call. False: too many wait.
typedef void source_flows_done(void *owner, const struct told *flows, const struct fault *why);
bool source_flows(struct source *source, struct source_instance *instance, source_flows_done *done, void *owner);
const char *source_state(const struct source_instance *instance); // "up", "connecting", "down", "silent"
const char *source_role_text(const struct source_instance *instance);

#endif
