// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/expiry.h"

#include "base/memory.h"
#include "cli/query.h"
#include "os/log.h"

#include <stdlib.h>
#include <time.h>

enum { HOUR_MS = 3600 * 1000 };

struct expiry {
    uv_timer_t timer;
    struct validity_reminder reminder;
};

static usec_t wall_clock(void)
{
    return (usec_t)time(NULL) * USEC_PER_SEC;
}

static void look(uv_timer_t *timer)
{
    struct expiry *expiry = timer->data;
    struct fault notice;
    for (size_t i = 0; i < VALIDITY_ITEMS; i++)
        if (validity_reminder_look(&expiry->reminder, i, wall_clock(), &notice))
            log_warning("%s", notice.text);
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct expiry *expiry_new(uv_loop_t *loop, struct validity validity)
{
    struct expiry *expiry = memory_new(sizeof *expiry);
    validity_reminder_init(&expiry->reminder, validity, wall_clock());
    uv_timer_init(loop, &expiry->timer);
    expiry->timer.data = expiry;
    uv_timer_start(&expiry->timer, look, HOUR_MS, HOUR_MS);
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
        {.title = "CREDENTIAL", .key = "credential"},
        {.title = "VALID UNTIL", .key = "expires"},
        {.title = "DAYS", .key = "days_left", .kind = QUERY_NUMBER},
        {.title = "FILE", .key = "file"},
    };
    const struct json_t *validity = query_part(status, "validity");
    if (query_count(validity))
        query_table(out, validity, columns, sizeof columns / sizeof columns[0]);
}
