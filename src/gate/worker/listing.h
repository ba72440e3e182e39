// SPDX-License-Identifier: GPL-2.0-or-later
// The flows of a worker, some at a time, for who lists those of the gate.
#ifndef GATE_WORKER_LISTING_H
#define GATE_WORKER_LISTING_H

#include "exchange/exchange.h"
#include "gate/channel/channel.h"

// Answers with the next ones behind that place. A flow that is there all the time is told once over all answers, whatever comes
// and goes meanwhile. `policy` NULL: no rule is known.
void listing_tell(int channel, struct exchange *exchange, const struct policy *policy,
                  const struct channel_place *behind);

#endif
