// SPDX-License-Identifier: GPL-2.0-or-later
// Life of a capture, its turn and its timer. The device is read when the loop says so; everything that only time brings
// about happens in the turn, and the timer does no more than ask for one.
#include "edge/capture/internal.h"

#include "base/memory.h"
#include "os/clock.h"
#include "os/random.h"

#include <stdlib.h>

enum {
    PACKETS_CACHED = 64,      // free buffers of 64 KiB: one reading's worth
    PACKETS_KEPT_IDLE = 4,    // while there is no flow
    HELD_MAX = 4096,          // SYNs without an answer
    HELD_PER_SOURCE = 512,    // a laptop is one source, and a browser opens hundreds at once
    TCP_CLOSING_SECONDS = 60, // as the kernel's own tcp_fin_timeout
    ECHO_IDLE_SECONDS = 30,   // as the kernel's own nf_conntrack_icmp_timeout
    FAILED_SECONDS = 1,       // an application that tries again each second gets a fresh answer
    CLOSING_SECONDS = 10,     // a peer that lives answers within a round trip
};

static void on_timer(uv_timer_t *timer)
{
    struct capture *capture = timer->data;
    capture->armed = USEC_NEVER;
    capture->wake(capture->owner);
}

static bool start_handles(struct capture *capture, uv_loop_t *loop, struct fault *fault)
{
    int rc = uv_poll_init(loop, &capture->poll, capture->tun->fd);
    if (rc < 0)
        return fault_set(fault, "tun %s: watch it: %s", capture->tun->name, uv_strerror(rc));
    uv_timer_init(loop, &capture->timer);
    capture->poll.data = capture->timer.data = capture;
    capture->armed = USEC_NEVER;
    return true;
}

static void init_lines(struct capture *capture)
{
    const struct capture_config *config = &capture->config;
    struct timeline *lines = capture->lines;
    timeline_init(&lines[LINE_TCP_WAITING], config->hold_ms);
    timeline_init(&lines[LINE_TCP_CLOSING], TCP_CLOSING_SECONDS * 1000);
    timeline_init(&lines[LINE_WAITING], config->hold_ms);
    timeline_init(&lines[LINE_UDP], config->udp_idle_ms);
    timeline_init(&lines[LINE_DNS], config->udp_dns_idle_ms);
    timeline_init(&lines[LINE_ECHO], ECHO_IDLE_SECONDS * 1000);
    timeline_init(&lines[LINE_FAILED], FAILED_SECONDS * 1000);
    timeline_init(&lines[LINE_CLOSING], CLOSING_SECONDS * 1000);
}

static void init_stack(struct capture *capture)
{
    struct stack_config config = {
        .mtu = capture->config.mtu,
        .offload = capture->tun->offload,
        .max_flows = capture->config.max_flows,
        .max_held = HELD_MAX,
        .max_held_per_source = HELD_PER_SOURCE,
        .receive_budget = capture->config.receive_budget,
        .key = &capture->stack_key,
    };
    capture->stack = stack_new(&config, &capture_stack_ops, capture, capture->now);
}

struct capture *capture_new(uv_loop_t *loop, const struct tun *tun, const struct capture_config *config,
                            void (*wake)(void *owner), void *owner, struct fault *fault)
{
    struct capture *capture = memory_new(sizeof *capture);
    capture->config = *config;
    capture->tun = tun;
    capture->wake = wake;
    capture->owner = owner;
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
    list_init(&capture->tcp_refused);
    list_init(&capture->tcp_dead);
    list_init(&capture->association_dead);
    table_init(&capture->associations);
    capture->packets = packet_pool_new(PACKETS_CACHED);
    capture->fragments = fragments_new(&capture->key, &capture->counters.fragments_dropped);
    init_stack(capture);
    capture_device_watch(capture);
    return capture;
}

static void on_closed(uv_handle_t *handle)
{
    struct capture *capture = handle->data;
    if (++capture->handles_closed == 2)
        free(capture);
}

void capture_free(struct capture *capture)
{
    if (!capture)
        return;
    stack_free(capture->stack);
    capture_tcp_free_all(capture);
    capture_association_free_all(capture);
    fragments_free(capture->fragments);
    if (capture->spare)
        packet_drop(capture->spare);
    packet_pool_free(capture->packets);
    uv_close((uv_handle_t *)&capture->poll, on_closed);
    uv_close((uv_handle_t *)&capture->timer, on_closed);
}

void capture_attach(struct capture *capture, struct usher_engine *engine)
{
    capture->engine = engine;
    capture_tcp_attach(capture);
    capture_association_attach(capture);
}

void capture_detach(struct capture *capture)
{
    capture->engine = NULL;
}

static usec_t deadline(const struct capture *capture, usec_t now)
{
    usec_t earliest = stack_deadline(capture->stack);
    usec_t fragments = fragments_deadline(capture->fragments, now);
    usec_t flows = timelines_deadline(capture->lines, LINES, now);
    if (fragments < earliest)
        earliest = fragments;
    return flows < earliest ? flows : earliest;
}

// A deadline that has moved later is left alone: the timer then fires for nothing once, instead of being set anew with
// every packet.
static void arm(struct capture *capture, usec_t now)
{
    usec_t at = deadline(capture, now);
    if (at >= capture->armed)
        return;
    usec_t wait = at > now ? at - now : 0;
    capture->armed = at;
    uv_timer_start(&capture->timer, on_timer, (wait + USEC_PER_MSEC - 1) / USEC_PER_MSEC, 0);
}

void capture_turn(struct capture *capture, bool link_blocked, usec_t now)
{
    capture->now = now;
    if (stack_deadline(capture->stack) <= now)
        stack_tick(capture->stack, now);
    capture_tcp_expire(capture, now);
    capture_association_expire(capture, now);
    fragments_expire(capture->fragments, now);
    capture_tcp_reclaim(capture);
    capture_association_reclaim(capture);
    answer_flush(capture);
    stack_flush(capture->stack, link_blocked, now);
    if (capture_flows(capture) == 0)
        packet_pool_trim(capture->packets, PACKETS_KEPT_IDLE);
    capture_device_watch(capture);
    arm(capture, now); // packets that the budget left on the device make it readable again
}

void capture_each_flow(struct capture *capture, flow_visit *visit, void *arg, usec_t now)
{
    capture_tcp_each(capture, visit, arg, now);
    capture_association_each(capture, visit, arg, now);
}

uint32_t capture_flows(const struct capture *capture)
{
    return capture->tcp_count + capture->association_count;
}

const struct capture_counters *capture_counters(const struct capture *capture)
{
    return &capture->counters;
}

bool capture_is_waiting(const struct capture *capture)
{
    return !timeline_is_empty(&capture->lines[LINE_TCP_WAITING]) || !timeline_is_empty(&capture->lines[LINE_WAITING]);
}

bool capture_is_gone(const struct capture *capture)
{
    return capture->device_gone;
}
