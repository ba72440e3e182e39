// SPDX-License-Identifier: GPL-2.0-or-later
// One echo request as an application would send it, and what came of it.
#ifndef OS_SOCKET_PING_H
#define OS_SOCKET_PING_H

#include "base/address.h"
#include "base/clock.h"

// 0 and the round trip, or an errno: what the network said, ETIMEDOUT when nobody answers in time, EPERM for who may not.
int ping_once(const struct address *to, unsigned timeout_ms, usec_t *took);

#endif
