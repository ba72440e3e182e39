// SPDX-License-Identifier: GPL-2.0-or-later
// Life of a capture, its turn and its alarm. The device is read when the loop says so; everything that only time brings
// about happens in the turn, and the alarm does no more than ask for one.
#include "edge/capture/capture.h"

#include "edge/capture/internal.h"

#include "base/memory.h"
#include "os/clock.h"
#include "os/random.h"

#include <stdlib.h>

enum {
    PACKETS_CACHED = 64,   // free buffers of 64 KiB: one reading's worth
    PACKETS_KEPT_IDLE = 4, // while there is no flow
    HELD_SHARE = 2,        // SYNs without an answer are at most max_flows divided by this
    HELD_SOURCE_SHARE = 4, // of one source; by default more than the far side waits for, where one gives way to another
    TCP_CLOSING_MS = 60000, // as the kernel's own tcp_fin_timeout
    ECHO_IDLE_MS = 30000,   // as the kernel's own nf_conntrack_icmp_timeout
    FAILED_MS = 1000,       // an application that tries again each second gets a fresh answer
    CLOSING_MS = 10000,     // a peer that lives answers within a round trip
};

static struct capture *capture_of(struct edge *edge)
{
    return container_of(edge, struct capture, edge);
}

static uint32_t flows(const struct edge *edge)
{
    const struct capture *capture = container_of(edge, const struct capture, edge);
    return capture->tcp_count + capture->association_count;
}

static void rang(void *owner)
{
    struct capture *capture = owner;
    edge_wake(&capture->edge);
}

static bool start_handles(struct capture *capture, uv_loop_t *loop, struct fault *fault)
{
    int rc = uv_poll_init(loop, &capture->poll, capture->tun->fd);
    if (rc < 0)
        return fault_set(fault, "tun %s: watch it: %s", capture->tun->name, uv_strerror(rc));
    alarm_init(&capture->alarm, loop, rang, capture);
    capture->poll.data = capture;
    return true;
}

static void init_lines(struct capture *capture)
{
    const uint32_t spans[LINES] = {
        [LINE_TCP_CLOSING] = TCP_CLOSING_MS,
        [LINE_UDP] = capture->config.udp_idle_ms,
        [LINE_ASKED] = capture->config.udp_idle_ms,
        [LINE_DNS] = capture->config.udp_dns_idle_ms,
        [LINE_ECHO] = ECHO_IDLE_MS,
        [LINE_FAILED] = FAILED_MS,
        [LINE_CLOSING] = CLOSING_MS,
    };
    for (int line = 0; line < LINES; line++)
        timeline_init(&capture->lines[line], spans[line]);
}

static void init_stack(struct capture *capture)
{
    struct stack_config config = {
        .mtu = capture->config.mtu,
        .offload = capture->tun->offload,
        .max_flows = capture->config.max_flows,
        .max_held = capture->config.max_flows / HELD_SHARE,
        .max_held_per_source = (capture->config.max_flows + HELD_SOURCE_SHARE - 1) / HELD_SOURCE_SHARE,
        .receive_budget = capture->config.receive_budget,
        .paths = capture->paths,
        .key = &capture->stack_key,
    };
    capture->stack = stack_new(&config, &capture_stack_ops, capture, capture->now);
}

// One after the other: the structure goes with the second.
static void on_closed(uv_handle_t *poll)
{
    struct capture *capture = poll->data;
    alarm_close(&capture->alarm, free, capture);
}

static void stop(struct edge *edge)
{
    struct capture *capture = capture_of(edge);
    stack_free(capture->stack);
    capture_tcp_free_all(capture);
    capture_association_free_all(capture);
    fragments_free(capture->fragments);
    path_mtus_free(capture->paths);
    if (capture->spare)
        packet_drop(capture->spare);
    packet_pool_free(capture->packets);
    batch_free(capture->batch);
    alarm_stop(&capture->alarm);
    uv_close((uv_handle_t *)&capture->poll, on_closed);
}

static void want(const struct opening *opening, struct want *out)
{
    if (container_of(opening, const struct capture_flow, opening)->protocol == USHER_TCP)
        capture_tcp_want(opening, out);
    else
        capture_association_want(opening, out);
}

static void placed(struct opening *opening)
{
    if (container_of(opening, const struct capture_flow, opening)->protocol == USHER_TCP)
        capture_tcp_placed(opening);
    else
        capture_association_placed(opening);
}

static void refused(struct opening *opening, enum usher_word word, const char *text)
{
    if (container_of(opening, const struct capture_flow, opening)->protocol == USHER_TCP)
        capture_tcp_refused(opening, word, text);
    else
        capture_association_refused(opening, word, text);
}

static void set_alarm(struct capture *capture, usec_t now)
{
    alarm_set(&capture->alarm, stack_deadline(capture->stack), now);
    alarm_set(&capture->alarm, fragments_deadline(capture->fragments, now), now);
    alarm_set(&capture->alarm, timelines_deadline(capture->lines, LINES, now), now);
}

static void after_pull(struct edge *edge, bool link_blocked, usec_t now)
{
    struct capture *capture = capture_of(edge);
    capture->now = now;
    if (stack_deadline(capture->stack) <= now)
        stack_tick(capture->stack, now);
    capture_tcp_expire(capture, timeline_moment(now));
    capture_association_expire(capture, timeline_moment(now));
    fragments_expire(capture->fragments, now);
    capture_tcp_reclaim(capture);
    capture_association_reclaim(capture);
    answer_flush(capture);
    stack_flush(capture->stack, link_blocked, now);
    if (flows(edge) == 0)
        packet_pool_trim(capture->packets, PACKETS_KEPT_IDLE);
    capture_device_watch(capture);
    set_alarm(capture, now); // packets that the budget left on the device make it readable again
}

static void each_flow(struct edge *edge, flow_visit *visit, void *arg, usec_t now)
{
    capture_tcp_each(capture_of(edge), visit, arg, now);
    capture_association_each(capture_of(edge), visit, arg, now);
}

static void describe(const struct edge *edge, struct facts *facts)
{
    const struct capture *capture = container_of(edge, const struct capture, edge);
    facts_group(facts, "counters");
#define TELL(name, help) facts_counter(facts, #name, help, FACT_COUNT, capture->counters.name);
    CAPTURE_COUNTERS(TELL)
#undef TELL
    facts_end(facts);
    facts_group(facts, "stack");
    stack_describe(capture->stack, facts);
    facts_end(facts);
}

struct capture *capture_new(uv_loop_t *loop, const struct tun *tun, const struct capture_config *config,
                            struct fault *fault)
{
    static const struct edge_kind kind = {
        .name = "capture",
        .want = want,
        .placed = placed,
        .refused = refused,
        .after_pull = after_pull,
        .flows = flows,
        .each_flow = each_flow,
        .describe = describe,
        .stop = stop,
    };
    struct capture *capture = memory_new(sizeof *capture);
    capture->config = *config;
    capture->tun = tun;
    capture->edge.kind = &kind;
    capture->loop = loop;
    if (!start_handles(capture, loop, fault)) {
        free(capture);
        return NULL;
    }
    capture->now = clock_now();
    random_fill(&capture->key, sizeof capture->key);
    random_fill(&capture->stack_key, sizeof capture->stack_key);
    random_fill(&capture->fragment_number, sizeof capture->fragment_number);
    init_lines(capture);
    list_init(&capture->tcp_open);
    list_init(&capture->tcp_dead);
    list_init(&capture->association_dead);
    table_init(&capture->associations);
    capture->packets = packet_pool_new(PACKETS_CACHED);
    capture->batch = batch_new();
    capture->fragments = fragments_new(&capture->key, &capture->counters.fragments_dropped);
    capture->paths = path_mtus_new(&capture->key);
    init_stack(capture);
    capture_device_watch(capture);
    return capture;
}

struct edge *capture_edge(struct capture *capture)
{
    return &capture->edge;
}

const struct capture_counters *capture_counters(const struct capture *capture)
{
    return &capture->counters;
}

void capture_device_back(struct capture *capture)
{
    capture->device_gone = false;
    capture->watched = 0;
    capture_device_watch(capture);
}

void capture_withdraw(struct capture *capture, capture_covers *covers, void *owner)
{
    capture_tcp_withdraw(capture, covers, owner);
    edge_wake(&capture->edge);
}

bool capture_is_gone(const struct capture *capture)
{
    return capture->device_gone;
}
