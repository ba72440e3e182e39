// SPDX-License-Identifier: GPL-2.0-or-later
// It looks every hour, because the wall clock may be set at any time, and speaks once a day.
#include "cli/expiry.h"

#include "base/memory.h"
#include "cli/query.h"
#include "os/log.h"

#include <stdlib.h>
#include <time.h>

enum {
    LOOK_MS = 3600 * 1000,
    LOOKS_A_DAY = 24,
};

struct expiry {
    uv_timer_t timer;
    struct validity validity;
    unsigned silent[VALIDITY_ITEMS]; // looks that it still says nothing at
};

static usec_t wall_clock(void)
{
    return (usec_t)time(NULL) * USEC_PER_SEC;
}

static void look(uv_timer_t *timer)
{
    struct expiry *expiry = timer->data;
    struct fault notice;
    for (size_t i = 0; i < VALIDITY_ITEMS; i++) {
        if (expiry->silent[i])
            expiry->silent[i]--;
        if (expiry->silent[i] || !validity_runs_out(&expiry->validity, i, wall_clock(), &notice))
            continue;
        log_warning("%s", notice.text);
        expiry->silent[i] = LOOKS_A_DAY;
    }
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct expiry *expiry_new(uv_loop_t *loop, struct validity validity)
{
    struct expiry *expiry = memory_new(sizeof *expiry);
    struct fault told;
    expiry->validity = validity;
    for (size_t i = 0; i < VALIDITY_ITEMS; i++)
        expiry->silent[i] = validity_runs_out(&validity, i, wall_clock(), &told) ? LOOKS_A_DAY : 0;
    uv_timer_init(loop, &expiry->timer);
    expiry->timer.data = expiry;
    uv_timer_start(&expiry->timer, look, LOOK_MS, LOOK_MS);
    uv_unref((uv_handle_t *)&expiry->timer);
    return expiry;
}

void expiry_free(struct expiry *expiry)
{
    if (expiry)
        uv_close((uv_handle_t *)&expiry->timer, closed);
}

void expiry_print(FILE *out, const struct json_t *status)
{
    static const struct query_column columns[] = {
        {"CREDENTIAL", "credential", QUERY_TEXT},
        {"VALID UNTIL", "expires", QUERY_TEXT},
        {"DAYS", "days_left", QUERY_NUMBER},
        {"FILE", "file", QUERY_TEXT},
    };
    const struct json_t *validity = query_part(status, "validity");
    if (query_count(validity))
        query_table(out, validity, columns, sizeof columns / sizeof columns[0]);
}
