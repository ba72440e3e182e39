// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/supervisor/refusals.h"

#include "os/clock.h"
#include "os/log.h"

#include <stdio.h>

enum {
    LINES_PER_S = 2,
    LINES_BURST = 20, // a screenful: enough to see what is going on
};

void refusals_init(struct refusals *refusals)
{
    *refusals = (struct refusals){.untold = 0};
    bucket_init(&refusals->lines, LINES_PER_S, LINES_BURST, clock_now());
}

void refusals_tell(struct refusals *refusals, const struct endpoint *peer, const char *why)
{
    char text[ENDPOINT_TEXT_SIZE], more[64] = "";
    if (!bucket_take(&refusals->lines, clock_now())) {
        refusals->untold++;
        return;
    }
    if (refusals->untold)
        snprintf(more, sizeof(more), " (and %llu others before)", (unsigned long long)refusals->untold);
    log_set_field(LOG_PEER, endpoint_text(peer, text));
    log_event(LOG_EVENT_REFUSED, LOG_LEVEL_WARNING, "%s: refused: %s%s", text, why, more);
    log_set_field(LOG_PEER, NULL);
    refusals->untold = 0;
}
