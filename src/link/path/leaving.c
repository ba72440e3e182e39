// SPDX-License-Identifier: GPL-2.0-or-later
// Nobody frees an approach from within its own callback: what is over waits for the next turn.
#include "link/path/leaving.h"

#include "base/host_name.h"
#include "base/memory.h"
#include "os/clock.h"
#include "os/log.h"

#include <stdio.h>
#include <stdlib.h>

struct left {
    struct list node;
    struct approach *approach;
    bool over;
    bool ending; // has been told to
    usec_t since;
    struct usher_counters counters; // as they stand in the sum
    char gate[HOST_PORT_TEXT_SIZE];
};

static struct left *left_of(struct list *node)
{
    return container_of(node, struct left, node);
}

void leaving_init(struct leaving *leaving)
{
    *leaving = (struct leaving){0};
    list_init(&leaving->tunnels);
}

static void drop(struct leaving *leaving, struct left *left)
{
    list_remove(&left->node);
    leaving->count--;
    approach_free(left->approach);
    free(left);
}

void leaving_fini(struct leaving *leaving)
{
    while (!list_is_empty(&leaving->tunnels))
        drop(leaving, left_of(leaving->tunnels.next));
}

static void end(struct left *left, const char *reason)
{
    struct tunnel *tunnel = approach_tunnel(left->approach);
    if (tunnel && !left->ending)
        tunnel_end(tunnel, reason);
    left->ending = true;
}

void leaving_add(struct leaving *leaving, struct approach *approach, const char *gate)
{
    struct left *left = memory_new(sizeof *left);
    left->approach = approach;
    left->since = clock_now();
    snprintf(left->gate, sizeof left->gate, "%s", gate);
    if (leaving->count >= LEAVING_MAX)
        end(left_of(leaving->tunnels.next), "too many tunnels were left for another one");
    list_push_back(&leaving->tunnels, &left->node);
    leaving->count++;
}

static struct left *find(const struct leaving *leaving, const struct approach *approach)
{
    list_for_each(node, &leaving->tunnels)
        if (left_of(node)->approach == approach)
            return left_of(node);
    return NULL;
}

bool leaving_has(const struct leaving *leaving, const struct approach *approach)
{
    return find(leaving, approach);
}

void leaving_over(struct leaving *leaving, const struct approach *approach)
{
    find(leaving, approach)->over = true;
}

// What it has counted since the last turn.
static void count(struct leaving *leaving, struct left *left)
{
    const struct tunnel *tunnel = approach_tunnel(left->approach);
    const struct usher_engine *engine = tunnel ? tunnel_engine(tunnel) : NULL;
    if (!engine)
        return;
    const struct usher_counters *now = usher_engine_counters(engine);
    usher_counters_add_since(&leaving->counters, &left->counters, now);
    left->counters = *now;
}

bool leaving_turn(struct leaving *leaving, usec_t now)
{
    bool more = false;
    list_for_each(node, &leaving->tunnels) {
        count(leaving, left_of(node)); // before the turn, which may be its last
        more |= approach_turn(left_of(node)->approach, now);
    }
    list_for_each(node, &leaving->tunnels) {
        struct left *left = left_of(node);
        if (!left->over)
            continue;
        log_info("the tunnel to gate %s that was left has ended: %s", left->gate, approach_why(left->approach));
        drop(leaving, left);
    }
    return more;
}

void leaving_end(struct leaving *leaving, const char *reason)
{
    list_for_each(node, &leaving->tunnels)
        end(left_of(node), reason);
}

void leaving_judge(struct leaving *leaving, const char *(*unwanted)(void *arg, struct tunnel *tunnel), void *arg)
{
    list_for_each(node, &leaving->tunnels) {
        struct tunnel *tunnel = approach_tunnel(left_of(node)->approach);
        const char *why = tunnel ? unwanted(arg, tunnel) : NULL;
        if (why)
            end(left_of(node), why);
    }
}

void leaving_drop(struct leaving *leaving, const char *(*stranded)(void *arg, struct tunnel *tunnel), void *arg)
{
    list_for_each(node, &leaving->tunnels) {
        struct tunnel *tunnel = approach_tunnel(left_of(node)->approach);
        const char *why = tunnel ? stranded(arg, tunnel) : NULL;
        if (why)
            tunnel_drop(tunnel, why);
    }
}

void leaving_describe(const struct leaving *leaving, struct facts *facts)
{
    facts_list(facts, "leaving");
    list_for_each(node, &leaving->tunnels) {
        const struct left *left = container_of(node, const struct left, node);
        const struct tunnel *tunnel = approach_tunnel(left->approach);
        const struct usher_engine *engine = tunnel ? tunnel_engine(tunnel) : NULL;
        struct fact_label label = {.name = "gate", .value = left->gate};
        facts_item(facts, &label);
        facts_text(facts, "gate", "where a tunnel leads to that only lives for the sessions it has", left->gate);
        facts_gauge(facts, "sessions", "that are left in it", FACT_COUNT, engine ? usher_engine_sessions(engine) : 0);
        facts_gauge(facts, "left_s", "since what is new goes elsewhere", FACT_SECONDS,
                    (clock_now() - left->since) / USEC_PER_SEC);
        facts_item_end(facts);
    }
    facts_end(facts);
}
