// SPDX-License-Identifier: GPL-2.0-or-later
// The table of doc/PROTOCOL.md section 7. A session that has answered the peer's Close(WRITE) is `peer_stopped` for good.
#include "usher/closing.h"

#include <assert.h>

static_assert(sizeof(struct closing) == 1, "one byte of every session");

// Bit n: the step to state n is legal.
static const uint8_t steps[SESSION_STATES] = {
    [SESSION_PENDING] = 1 << SESSION_ACTIVE | 1 << SESSION_INACTIVE,
    [SESSION_ACTIVE] = 1 << SESSION_SESSION_ACTIVE | 1 << SESSION_WRITE_ACTIVE | 1 << SESSION_INACTIVE,
    [SESSION_SESSION_ACTIVE] = 1 << SESSION_INACTIVE,
    [SESSION_WRITE_ACTIVE] = 1 << SESSION_INACTIVE,
};

void closing_step(struct closing *closing, enum session_state state)
{
    assert(steps[closing->state] >> state & 1);
    closing->state = state;
}

bool closing_may_send(const struct closing *closing)
{
    bool open = closing->state == SESSION_ACTIVE || closing->state == SESSION_SESSION_ACTIVE;
    return open && closing->own < CLOSING_DUE;
}

bool closing_may_receive(const struct closing *closing)
{
    return closing->state == SESSION_ACTIVE || closing->state == SESSION_WRITE_ACTIVE;
}

bool closing_is_finishing(const struct closing *closing)
{
    return closing->own == CLOSING_FINISHING;
}

static void advance(struct closing *closing, enum closing_own own)
{
    if (closing->own < own)
        closing->own = own;
}

void closing_finish(struct closing *closing, bool both)
{
    closing->both |= both;
    advance(closing, CLOSING_FINISHING);
}

void closing_make_due(struct closing *closing)
{
    advance(closing, CLOSING_DUE);
}

enum usher_direction closing_direction(const struct closing *closing)
{
    return closing->both ? USHER_BOTH : USHER_READ;
}

void closing_sent(struct closing *closing)
{
    advance(closing, CLOSING_SENT);
    closing->discarding |= closing->both;
}

bool closing_peer_stops(struct closing *closing, bool both)
{
    if (closing->peer_stopped || closing->state == SESSION_WRITE_ACTIVE)
        return false;
    closing->peer_stopped = true;
    closing->both |= both;
    return true;
}

enum session_state closing_after_ours(const struct closing *closing)
{
    return closing->state == SESSION_ACTIVE ? SESSION_WRITE_ACTIVE : SESSION_INACTIVE;
}

enum session_state closing_after_peers(const struct closing *closing)
{
    return closing->state == SESSION_ACTIVE ? SESSION_SESSION_ACTIVE : SESSION_INACTIVE;
}
