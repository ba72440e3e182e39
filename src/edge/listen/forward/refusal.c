// SPDX-License-Identifier: GPL-2.0-or-later
// Who is refused is told nothing but a reset, so the log says why; anybody who may connect can cause these lines, so their
// number is bounded.
#include "edge/listen/forward/internal.h"

#include "base/text.h"
#include "os/clock.h"
#include "os/log.h"

#include <stdio.h>

bool forward_has_room(struct forward *forward)
{
    if (forward->front.relay->count < forward->config.max_flows)
        return true;
    forward->counters.forwards_limited++;
    return false;
}

void forward_tell(struct forward_port *port, const struct endpoint *from, enum usher_word word, const char *text)
{
    struct forward *forward = port->forward;
    char inside[ENDPOINT_TEXT_SIZE], at[ENDPOINT_TEXT_SIZE], more[48] = "";
    char reason[USHER_REASON_MAX + 1], escaped[2 * USHER_REASON_MAX];
    forward->counters.forwards_refused++;
    if (!bucket_take(&forward->lines, clock_now())) {
        forward->untold++;
        return;
    }
    if (forward->untold)
        snprintf(more, sizeof more, " (and %llu others before)", (unsigned long long)forward->untold);
    forward->untold = 0;
    text_escape(escaped, sizeof escaped, usher_reason_write(reason, sizeof reason, word, text));
    log_warning("forward %s: %s is not served: %s%s", endpoint_text(&port->at, at), endpoint_text(from, inside),
                escaped, more);
}
