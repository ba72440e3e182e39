// SPDX-License-Identifier: GPL-2.0-or-later
// Time in dial. One list for each thing to wait for, oldest first; the alarm is set to the first of all and does
// nothing but wake the loop, and dial_turn asks what is due. Activity moves a flow to the end of its list, so the alarm
// may come early and find nothing.
#include "edge/dial/internal.h"

static uint32_t now_ms(const struct dial *dial)
{
    return (uint32_t)uv_now(dial->loop);
}

static void alarmed(uv_timer_t *alarm)
{
    struct dial *dial = alarm->data;
    edge_wake(&dial->edge);
}

void dial_waits_init(struct dial *dial)
{
    const uint32_t ms[WAITS] = {
        [WAIT_CONNECT] = dial->config.connect_timeout_ms,
        [WAIT_DRAIN] = DRAIN_TIMEOUT_MS,
        [WAIT_UDP] = dial->config.udp_idle_ms,
        [WAIT_UDP_DNS] = dial->config.udp_dns_idle_ms,
        [WAIT_ECHO] = ECHO_IDLE_MS,
    };
    for (int i = 0; i < WAITS; i++) {
        list_init(&dial->waits[i].flows);
        dial->waits[i].ms = ms[i];
    }
    uv_timer_init(dial->loop, &dial->alarm);
    dial->alarm.data = dial;
}

static void set_alarm(struct dial *dial, uint32_t due)
{
    int32_t left = (int32_t)(due - now_ms(dial));
    if (uv_is_active((uv_handle_t *)&dial->alarm) && (int32_t)(due - dial->alarm_due) >= 0)
        return;
    dial->alarm_due = due;
    uv_timer_start(&dial->alarm, alarmed, left > 0 ? (uint64_t)left : 0, 0);
}

void dial_flow_wait(struct dial_flow *flow, enum dial_wait wait)
{
    struct dial *dial = flow->dial;
    flow->due = now_ms(dial) + dial->waits[wait].ms;
    list_remove(&flow->link);
    if (list_is_empty(&dial->waits[wait].flows))
        set_alarm(dial, flow->due);
    list_push_back(&dial->waits[wait].flows, &flow->link);
}

void dial_flow_wait_stop(struct dial_flow *flow)
{
    list_remove(&flow->link);
    list_push_back(&flow->dial->waits[WAIT_NOTHING].flows, &flow->link);
}

static struct dial_flow *first_of(const struct dial *dial, int wait)
{
    return container_of(dial->waits[wait].flows.next, struct dial_flow, link);
}

void dial_waits_run(struct dial *dial, usec_t now)
{
    uint32_t ms = (uint32_t)(now / USEC_PER_MSEC);
    for (int i = WAIT_NOTHING + 1; i < WAITS; i++) {
        while (!list_is_empty(&dial->waits[i].flows)) {
            struct dial_flow *flow = first_of(dial, i);
            if ((int32_t)(flow->due - ms) > 0) {
                set_alarm(dial, flow->due);
                break;
            }
            dial_flow_wait_stop(flow);
            flow->kind->expired(flow);
        }
    }
}
