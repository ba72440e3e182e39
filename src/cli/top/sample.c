// SPDX-License-Identifier: GPL-2.0-or-later
// Rows are found again by their texts, which do not change while a flow lives but for its state.
#include "cli/top/sample.h"

#include "base/memory.h"
#include "cli/answer.h"
#include "cli/query.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct sample_row *add(struct sample *sample, bool is_tunnel, const char *const text[SAMPLE_TEXTS])
{
    // Room doubles: there may be many.
    if (!(sample->count & (sample->count - 1)))
        sample->rows = memory_resize(sample->rows, (sample->count ? 2 * sample->count : 1) * sizeof *sample->rows);
    struct sample_row *row = &sample->rows[sample->count++];
    *row = (struct sample_row){.is_tunnel = is_tunnel};
    for (size_t i = 0; i < SAMPLE_TEXTS; i++)
        row->text[i] = memory_text(text[i]);
    return row;
}

static void add_flows(struct sample *sample, const struct json_t *flows)
{
    for (size_t i = 0; i < query_count(flows); i++) {
        const struct json_t *flow = answer_item(flows, i);
        const char *leads_to = answer_text(flow, "leads_to");
        const char *const text[] = {answer_text(flow, "protocol"), answer_text(flow, "inside"),
                                    *leads_to ? leads_to : answer_text(flow, "far"), answer_text(flow, "state")};
        struct sample_row *row = add(sample, false, text);
        row->in = answer_number(flow, "bytes_in");
        row->out = answer_number(flow, "bytes_out");
        row->age_s = answer_number(flow, "age_s");
    }
}

static uint64_t age_of(const char *since)
{
    struct tm tm = {0};
    const char *end = strptime(since, "%Y-%m-%dT%H:%M:%SZ", &tm);
    time_t then = end ? timegm(&tm) : 0, now = time(NULL);
    return end && then < now ? (uint64_t)(now - then) : 0;
}

static void add_tunnel(struct sample *sample, const struct json_t *status, const char *name, const char *where,
                       const char *flows)
{
    const char *since = answer_text(status, "since");
    const struct json_t *tunnel = query_part(status, "tunnel");
    const char *state = answer_text(status, "state");
    const char *const text[] = {answer_text(status, name), answer_text(status, where), *state ? state : "up", since};
    struct sample_row *row = add(sample, true, text);
    row->in = answer_number(status, "bytes_in");
    row->out = answer_number(status, "bytes_out");
    row->flows = answer_number(status, flows);
    row->rtt_us = answer_number(tunnel ? tunnel : status, "rtt_us");
    row->age_s = age_of(since);
}

void sample_add(struct sample *sample, const struct json_t *answer)
{
    const struct json_t *flows = query_part(answer, "flows"), *portals = query_part(answer, "portals");
    if (flows)
        add_flows(sample, flows);
    else if (!strcmp(answer_text(answer, "role"), "portal"))
        add_tunnel(sample, answer, "name", "gate", "flows");
    for (size_t i = 0; i < query_count(portals); i++)
        add_tunnel(sample, answer_item(portals, i), "identity", "address", "sessions");
}

// All but the state.
static int compare(const void *a, const void *b)
{
    const struct sample_row *x = *(const struct sample_row *const *)a, *y = *(const struct sample_row *const *)b;
    int order = x->is_tunnel - y->is_tunnel;
    for (size_t i = 0; !order && i < SAMPLE_TEXTS - 2; i++)
        order = strcmp(x->text[i], y->text[i]);
    return order ? order : x->is_tunnel ? 0 : strcmp(x->text[2], y->text[2]);
}

static double rate(uint64_t now, uint64_t before, double seconds)
{
    return now > before && seconds > 0 ? (double)(now - before) / seconds : 0;
}

void sample_rate(struct sample *sample, const struct sample *before)
{
    double seconds = before->at ? (double)(sample->at - before->at) / USEC_PER_SEC : 0;
    const struct sample_row **sorted = memory_new((before->count + 1) * sizeof *sorted);
    for (size_t i = 0; i < before->count; i++)
        sorted[i] = &before->rows[i];
    qsort(sorted, before->count, sizeof *sorted, compare);
    for (size_t i = 0; i < sample->count; i++) {
        struct sample_row *row = &sample->rows[i];
        const struct sample_row **found = bsearch(&row, sorted, before->count, sizeof *sorted, compare);
        // All that a new flow has, it had within that time; of a tunnel nobody knows.
        if (found || !row->is_tunnel) {
            row->in_rate = rate(row->in, found ? (*found)->in : 0, seconds);
            row->out_rate = rate(row->out, found ? (*found)->out : 0, seconds);
        }
    }
    free(sorted);
}

void sample_fini(struct sample *sample)
{
    for (size_t i = 0; i < sample->count; i++)
        for (size_t n = 0; n < SAMPLE_TEXTS; n++)
            free(sample->rows[i].text[n]);
    free(sample->rows);
    *sample = (struct sample){0};
}
