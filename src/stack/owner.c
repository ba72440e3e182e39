// SPDX-License-Identifier: GPL-2.0-or-later
// What an owner asks for is only noted, but for refusals and aborts; the end of the turn does it, so that
// acknowledgements, window and data leave in one packet where they can. What an owner hears was noted, too, while lwIP
// was at work: so no owner ever acts inside lwIP.
#include "stack/owner.h"

#include "stack/eviction.h"
#include "stack/held.h"
#include "stack/lwip.h"
#include "stack/stack.h"

#include <assert.h>

// The owner is done with the flow. What remains of it is the stack's, until the next flush or the end of TIME_WAIT.
static void orphan(struct stack_flow *flow)
{
    struct stack *stack = flow->stack;
    flow->orphaned = true;
    stack->flows--;
    flow_drop_traffic(flow); // of a pcb that is left, one in TIME_WAIT, nothing is on its way
    if (flow->unanswered) {
        held_end(flow);
        table_remove(&stack->table, &flow->node);
        flow_live_on(flow, &stack->lingering, 0);
    }
    flow_touch(flow);
}

static void end(struct stack_flow *flow, enum stack_ending ending)
{
    orphan(flow);
    flow->stack->ops.ended(flow->owner, ending);
}

void owner_report(struct stack_flow *flow)
{
    const struct stack_ops *ops = &flow->stack->ops;
    if (flow->traffic && flow->traffic->acked > 0 && !flow->reset && !flow->orphaned) {
        uint32_t acked = flow->traffic->acked;
        flow->traffic->acked = 0;
        ops->acked(flow->owner, acked);
    }
    if (flow_unread(flow) > 0 && !flow->told && !flow->reset && !flow->orphaned) {
        flow->told = true;
        ops->readable(flow->owner);
    }
    if (flow->finished && !flow->reset && !flow->orphaned) {
        flow->finished = false;
        ops->finished(flow->owner);
    }
    if (flow->orphaned)
        return;
    if (flow->reset)
        end(flow, flow->evicted ? STACK_ENDED_EVICTED : STACK_ENDED_RESET);
    else if (flow->closed && flow_unread(flow) == 0)
        end(flow, STACK_ENDED_CLOSED);
}

bool stack_flow_tuple(const struct stack_flow *flow, struct stack_tuple *out)
{
    if (flow->unanswered)
        *out = flow->held->tuple;
    else if (flow->pcb)
        pcb_tuple(flow, out);
    else if (flow_unread(flow) > 0)
        *out = flow->traffic->tuple;
    else
        return false;
    return true;
}

void stack_flow_accept(struct stack_flow *flow)
{
    assert(flow->unanswered);
    flow->accepted = true;
    flow_touch(flow);
}

void stack_flow_refuse(struct stack_flow *flow, enum stack_refusal refusal)
{
    assert(flow->unanswered);
    held_refuse(flow, refusal);
    orphan(flow);
}

size_t stack_flow_read(struct stack_flow *flow, uint8_t *room, size_t size)
{
    if (flow_unread(flow) == 0)
        return 0;
    size_t len = unread_take(&flow->traffic->unread, room, size);
    eviction_read(flow);
    flow->traffic->unreturned += (uint32_t)len;
    if (flow_unread(flow) == 0)
        flow->told = false;
    flow_touch(flow);
    return len;
}

size_t stack_flow_waiting(const struct stack_flow *flow)
{
    return flow_unread(flow);
}

void stack_flow_write(struct stack_flow *flow, const struct slice *slice)
{
    assert(!flow->finishing);
    if (!flow->unanswered && !flow->pcb)
        return; // nobody will read it; `ended` is on its way
    unacked_put(&flow_traffic(flow)->unacked, slice);
    flow_touch(flow);
}

void stack_flow_finish(struct stack_flow *flow)
{
    flow->finishing = true;
    flow_touch(flow);
}

void stack_flow_abort(struct stack_flow *flow)
{
    if (flow->orphaned)
        return;
    if (flow->unanswered)
        held_refuse(flow, STACK_REFUSE_RST);
    else if (flow->pcb && !flow->time_wait)
        pcb_abort(flow);
    orphan(flow);
}
