// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/validity.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const usec_t DAY = 86400 * USEC_PER_SEC;

#define LEAD_MAX (3600 * USEC_PER_SEC)

enum {
    NOTICE_DAYS = 14, // time to renew what is copied by hand
    LOOKS_A_DAY = 24,
};

static const char *remedy(const struct validity *validity, const struct validity_item *item)
{
    if (!strcmp(item->name, "CRL"))
        return "make a fresh one (usher-pki crl DIR)";
    if (!strcmp(item->name, "CA"))
        return "make a new one and issue all that it issued anew (usher-pki init DIR, usher-pki issue)";
    return validity->role == TLS_GATE ? "issue it anew (usher-pki issue DIR gate NAME)"
                                      : "issue it anew (usher-pki issue DIR portal NAME)";
}

// Whole ones; 0 when it is over.
static unsigned long long days_left(const struct validity_item *item, usec_t wall)
{
    return item->expires > wall ? (item->expires - wall) / DAY : 0;
}

static const char *date(char room[32], usec_t at)
{
    time_t seconds = (time_t)(at / USEC_PER_SEC);
    struct tm tm;
    strftime(room, 32, "%FT%TZ", gmtime_r(&seconds, &tm));
    return room;
}

bool validity_runs_out(const struct validity *validity, size_t index, usec_t wall, struct fault *notice)
{
    const struct validity_item *item = &validity->items[index];
    char text[32];
    if (!item->file || item->expires == USEC_NEVER || item->expires > wall + NOTICE_DAYS * DAY)
        return false;
    unsigned long long days = days_left(item, wall);
    if (item->expires <= wall)
        fault_set(notice, "%s: %.200s is out of date since %s: %s", item->name, item->file, date(text, item->expires),
                  remedy(validity, item));
    else
        fault_set(notice, "%s: %.200s is valid until %s, for %llu more day%s: %s", item->name, item->file,
                  date(text, item->expires), days, days == 1 ? "" : "s", remedy(validity, item));
    return true;
}

void validity_reminder_init(struct validity_reminder *reminder, struct validity validity, usec_t wall)
{
    struct fault told;
    *reminder = (struct validity_reminder){.validity = validity};
    for (size_t i = 0; i < VALIDITY_ITEMS; i++)
        if (validity_runs_out(&validity, i, wall, &told))
            reminder->silent[i] = LOOKS_A_DAY;
}

bool validity_reminder_look(struct validity_reminder *reminder, size_t item, usec_t wall, struct fault *notice)
{
    unsigned *silent = &reminder->silent[item];
    if (*silent)
        --*silent;
    if (*silent || !validity_runs_out(&reminder->validity, item, wall, notice))
        return false;
    *silent = LOOKS_A_DAY;
    return true;
}

void validity_describe(const struct validity *validity, usec_t wall, struct facts *facts)
{
    facts_list(facts, "validity");
    for (size_t i = 0; i < VALIDITY_ITEMS; i++) {
        const struct validity_item *item = &validity->items[i];
        if (!item->file || item->expires == USEC_NEVER)
            continue;
        struct fact_label label = {.name = "credential", .value = item->name};
        facts_item(facts, &label);
        facts_text(facts, "credential", "the key of the configuration that names it", item->name);
        facts_text(facts, "file", "that it was read from", item->file);
        facts_gauge(facts, "expires", "when it is out of date", FACT_UNIX_SECONDS, item->expires / USEC_PER_SEC);
        facts_gauge(facts, "days_left", "until then, whole ones", FACT_COUNT, days_left(item, wall));
        facts_item_end(facts);
    }
    facts_end(facts);
}

usec_t validity_moment_to_leave(usec_t until, usec_t now, uint32_t chance)
{
    usec_t left = until > now ? until - now : 0;
    usec_t lead = left / 6 < LEAD_MAX ? left / 6 : LEAD_MAX;
    return until - lead - lead / 4 * (chance % 1024) / 1024;
}
