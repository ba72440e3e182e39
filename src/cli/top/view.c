// SPDX-License-Identifier: GPL-2.0-or-later
// Plain ASCII: what peers have named comes escaped, and every terminal shows it. Columns that hold names take what the
// width leaves.
#include "cli/top/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER = 7, PROTOCOL = 6, STATE = 10, NAME_LEAST = 12, NARROW = 100, NUMBER_SIZE = 32 };

static const char *bytes_text(double bytes, char room[NUMBER_SIZE])
{
    static const char units[] = "BKMGT";
    size_t unit = 0;
    for (; bytes >= 1000 && unit < sizeof units - 2; unit++)
        bytes /= 1024;
    snprintf(room, NUMBER_SIZE, unit && bytes < 100 ? "%.1f%c" : "%.0f%c", bytes, units[unit]);
    return room;
}

static const char *age_text(uint64_t s, char room[NUMBER_SIZE])
{
    if (s < 60)
        snprintf(room, NUMBER_SIZE, "%us", (unsigned)s);
    else if (s < 3600)
        snprintf(room, NUMBER_SIZE, "%um%02us", (unsigned)(s / 60), (unsigned)(s % 60));
    else if (s < 86400)
        snprintf(room, NUMBER_SIZE, "%uh%02um", (unsigned)(s / 3600), (unsigned)(s / 60 % 60));
    else
        snprintf(room, NUMBER_SIZE, "%llud%02uh", (unsigned long long)(s / 86400), (unsigned)(s / 3600 % 24));
    return room;
}

const char *view_order_text(enum view_order order)
{
    static const char *const texts[] = {
        [VIEW_RATE] = "rate", [VIEW_BYTES] = "bytes", [VIEW_AGE] = "age", [VIEW_FAR] = "far end"};
    return texts[order];
}

static bool is_shown(const struct view *view, const struct sample_row *row)
{
    bool shown = !*view->filter;
    for (size_t i = 0; i < SAMPLE_TEXTS; i++)
        shown |= !!strcasestr(row->text[i], view->filter);
    return shown;
}

static int compare(const void *a, const void *b, void *arg)
{
    const struct sample_row *x = *(const struct sample_row *const *)a, *y = *(const struct sample_row *const *)b;
    const struct view *view = arg;
    double left = 0, right = 0;
    if (view->order == VIEW_RATE) {
        left = x->in_rate + x->out_rate;
        right = y->in_rate + y->out_rate;
    } else if (view->order == VIEW_AGE) {
        left = (double)x->age_s;
        right = (double)y->age_s;
    }
    if (view->order == VIEW_BYTES || (view->order == VIEW_RATE && left == right)) {
        left = (double)(x->in + x->out);
        right = (double)(y->in + y->out);
    }
    if (left != right)
        return left < right ? 1 : -1;
    int order = strcmp(x->text[x->is_tunnel ? 0 : 2], y->text[y->is_tunnel ? 0 : 2]);
    return order ? order : strcmp(x->text[1], y->text[1]); // so that nothing dances
}

size_t view_pick(const struct view *view, const struct sample *sample, bool tunnels, const struct sample_row **out)
{
    size_t count = 0;
    bool filtered = !tunnels || view->gate;
    for (size_t i = 0; i < sample->count; i++) {
        const struct sample_row *row = &sample->rows[i];
        if (row->is_tunnel == tunnels && (!filtered || is_shown(view, row)))
            out[count++] = row;
    }
    qsort_r(out, count, sizeof *out, compare, (void *)view);
    return count;
}

// The numbers of a line; one that can be left out is, where the screen is narrow.
struct numbers {
    const char *text[6];
    bool spare[6];
    size_t count;
};

static bool is_left_out(const struct numbers *numbers, size_t i, int width)
{
    return numbers->spare[i] && width < NARROW;
}

// Two names share what the rest of a line leaves them.
static void lay_out(const struct numbers *numbers, int width, int first, int *a, int *b)
{
    int left = width - first - STATE - 2;
    for (size_t i = 0; i < numbers->count; i++)
        left -= is_left_out(numbers, i, width) ? 0 : NUMBER + 1;
    *a = left / 2 > NAME_LEAST ? left / 2 : NAME_LEAST;
    *b = left - *a > NAME_LEAST ? left - *a : NAME_LEAST;
}

// `first` NULL: there is no such column.
static const char *write_row(const char *first, const char *name, const char *where, const char *state,
                             const struct numbers *numbers, int width, char room[VIEW_LINE_SIZE])
{
    int a, b, used = 0;
    lay_out(numbers, width, first ? PROTOCOL + 1 : 0, &a, &b);
    if (first)
        used = snprintf(room, VIEW_LINE_SIZE, "%-*.*s ", PROTOCOL, PROTOCOL, first);
    used += snprintf(room + used, (size_t)(VIEW_LINE_SIZE - used), "%-*.*s %-*.*s %-*.*s", a, a, name, b, b, where,
                     STATE, STATE, state);
    for (size_t i = 0; i < numbers->count && used < VIEW_LINE_SIZE; i++)
        if (!is_left_out(numbers, i, width))
            used += snprintf(room + used, (size_t)(VIEW_LINE_SIZE - used), " %*s", NUMBER, numbers->text[i]);
    if (width >= 0 && width < VIEW_LINE_SIZE)
        room[width] = '\0';
    return room;
}

const char *view_row(const struct view *view, const struct sample_row *row, int width, char room[VIEW_LINE_SIZE])
{
    char in_rate[NUMBER_SIZE], out_rate[NUMBER_SIZE], in[NUMBER_SIZE], out[NUMBER_SIZE], age[NUMBER_SIZE];
    char flows[NUMBER_SIZE], rtt[NUMBER_SIZE];
    (void)view;
    bytes_text(row->in_rate, in_rate);
    bytes_text(row->out_rate, out_rate);
    age_text(row->age_s, age);
    if (!row->is_tunnel) {
        const struct numbers numbers = {
            {in_rate, out_rate, bytes_text((double)row->in, in), bytes_text((double)row->out, out), age},
            {[2] = true, [3] = true},
            5};
        return write_row(row->text[0], row->text[1], row->text[2], row->text[3], &numbers, width, room);
    }
    snprintf(flows, sizeof flows, "%llu", (unsigned long long)row->flows);
    snprintf(rtt, sizeof rtt, row->rtt_us ? "%.1fms" : "-", (double)row->rtt_us / 1000);
    const struct numbers numbers = {
        {flows, rtt, in_rate, out_rate, bytes_text((double)(row->in + row->out), in), age}, {[4] = true}, 6};
    return write_row(NULL, row->text[0], row->text[1], row->text[2], &numbers, width, room);
}

const char *view_heading(const struct view *view, bool tunnels, int width, char room[VIEW_LINE_SIZE])
{
    const struct numbers of_flow = {{"IN/s", "OUT/s", "IN", "OUT", "AGE"}, {[2] = true, [3] = true}, 5};
    const struct numbers of_tunnel = {
        {view->gate ? "OPEN" : "FLOWS", "RTT", "IN/s", "OUT/s", "BYTES", "AGE"}, {[4] = true}, 6};
    if (!tunnels)
        return write_row("PROTO", "INSIDE", "FAR END", "STATE", &of_flow, width, room);
    return write_row(NULL, "PORTAL", view->gate ? "ADDRESS" : "GATE", "STATE", &of_tunnel, width, room);
}

const char *view_sum(const struct view *view, const struct sample *sample, char room[VIEW_LINE_SIZE])
{
    char in_text[NUMBER_SIZE], out_text[NUMBER_SIZE];
    double in = 0, out = 0;
    unsigned long long tunnels = 0, flows = 0;
    for (size_t i = 0; i < sample->count; i++) {
        const struct sample_row *row = &sample->rows[i];
        if (!row->is_tunnel)
            continue;
        in += row->in_rate;
        out += row->out_rate;
        flows += row->flows;
        tunnels++;
    }
    snprintf(room, VIEW_LINE_SIZE, "%llu portal%s, %llu %s, in %s/s, out %s/s", tunnels, tunnels == 1 ? "" : "s", flows,
             view->gate ? "sessions" : "flows", bytes_text(in, in_text), bytes_text(out, out_text));
    return room;
}
