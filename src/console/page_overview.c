// SPDX-License-Identifier: GPL-2.0-or-later
// All portals and gates, and what somebody should look at.

#include "console/pages.h"
#include "console/plot.h"
#include "console/units.h"

#include <stdio.h>
#include <string.h>

enum { DAYS_WORRY = 14 };

static struct source_instance *instance_of(struct list *node)
{
    return container_of(node, struct source_instance, node);
}

struct totals {
    unsigned instances, up, portals;
    double in, out, flows;
};

static struct totals add_up(const struct list *instances)
{
    struct totals totals = {0};
    list_for_each(node, instances) {
        const struct source_instance *instance = instance_of(node);
        totals.instances++;
        totals.up += !strcmp(source_state(instance), "up");
        totals.portals += (unsigned)told_count(told_part(instance->status, "portals"));
        if (instance->history.rates[0] > 0)
            totals.in += (double)instance->history.rates[0];
        if (instance->history.rates[1] > 0)
            totals.out += (double)instance->history.rates[1];
        if (instance->role == SOURCE_PORTAL && told_number(instance->status, "flows") > 0)
            totals.flows += told_number(instance->status, "flows");
    }
    return totals;
}

static void tile(struct markup *out, const char *title, const char *value)
{
    markup_form(out, "<div><dt>%s</dt><dd>%s</dd></div>", title, value);
}

static void tiles(struct page *page, const struct totals *totals)
{
    char room[UNITS_SIZE], up[2 * UNITS_SIZE];
    snprintf(up, sizeof up, "%u of %u", totals->up, totals->instances);
    markup_raw(page->out, "<dl class=\"tiles\">");
    tile(page->out, "Up", up);
    tile(page->out, "Portals at gates", units_number(room, totals->portals));
    tile(page->out, "Flows", units_number(room, totals->flows));
    tile(page->out, "In", units_rate(room, totals->in));
    tile(page->out, "Out", units_rate(room, totals->out));
    markup_raw(page->out, "</dl>");
}

static void row(struct page *page, const struct source_instance *instance)
{
    char room[UNITS_SIZE];
    const char *gate = told_text(instance->status, "gate"), *state = source_state(instance);
    const struct history *history = &instance->history;
    double rtt = told_number(instance->status, "rtt_us");
    markup_form(page->out,
                "<tr><th scope=\"row\"><a href=\"/instance?name=%u\">%s</a></th><td class=\"wide\">%s</td><td>",
                instance->name, instance->name, source_role_text(instance));
    page_state(page->out, state);
    markup_raw(page->out, "</td><td class=\"wide\">");
    page_moment(page->out, told_text(instance->status, "since"), page->wall);
    markup_raw(page->out, "</td><td class=\"wide\">");
    if (instance->role == SOURCE_GATE)
        markup_printf(page->out, "%zu portals", told_count(told_part(instance->status, "portals")));
    else
        markup_text(page->out, gate ? gate : "-");
    markup_form(page->out, "</td><td class=\"num\">%s</td>",
                history->rates[0] >= 0 && instance->status ? units_rate(room, (double)history->rates[0]) : "-");
    markup_form(page->out, "<td class=\"num\">%s</td>",
                history->rates[1] >= 0 && instance->status ? units_rate(room, (double)history->rates[1]) : "-");
    markup_form(page->out, "<td class=\"num wide\">%s</td><td class=\"wide\">", rtt > 0 ? units_ms(room, rtt) : "-");
    plot_spark(page->out, history, page->now);
    markup_raw(page->out, "</td></tr>");
}

static void note(struct page *page, unsigned *notes, const struct source_instance *instance, const char *what,
                 const char *more)
{
    if (!(*notes)++)
        markup_raw(page->out, "<section class=\"notes\" aria-label=\"Worth a look\"><h2>Worth a look</h2><ul>");
    markup_form(page->out, "<li><a href=\"/instance?name=%u\">%s</a> %s%s</li>", instance->name, instance->name, what,
                more);
}

static void note_validity(struct page *page, unsigned *notes, const struct source_instance *instance)
{
    const struct told *items = told_part(instance->status, "validity");
    char room[160];
    for (size_t i = 0; i < told_count(items); i++) {
        const struct told *item = told_item(items, i);
        double days = told_number(item, "days_left");
        if (days < 0 || days >= DAYS_WORRY)
            continue;
        snprintf(room, sizeof room, "%.40s is valid for %.0f more day%s", told_text(item, "credential"), days,
                 days == 1 ? "" : "s");
        note(page, notes, instance, room, "");
    }
}

static void notes(struct page *page)
{
    unsigned count = 0;
    list_for_each(node, source_instances(page->source)) {
        const struct source_instance *instance = instance_of(node);
        const char *state = source_state(instance), *error = told_text(instance->status, "last_error");
        const struct told *refused = told_part(instance->status, "refused");
        if (!strcmp(state, "silent"))
            note(page, &count, instance, "is not heard: ", instance->why.text);
        else if (!strcmp(state, "connecting"))
            note(page, &count, instance, error ? "is connecting: " : "is connecting", error ? error : "");
        for (size_t i = 0; i < told_count(refused); i++)
            note(page, &count, instance, "has refused what lies there now: ", told_item_text(refused, i));
        note_validity(page, &count, instance);
    }
    if (count)
        markup_raw(page->out, "</ul></section>");
}

void overview_page(struct page *page)
{
    const struct list *instances = source_instances(page->source);
    const struct totals totals = add_up(instances);
    page_begin(page, "Overview", "/");
    markup_raw(page->out, "<h1>Overview</h1><div class=\"live\" id=\"all\">");
    tiles(page, &totals);
    notes(page);
    if (!totals.instances) {
        markup_raw(page->out,
                   "<p class=\"none\">No portal and no gate is known here yet. They show up as they are brought up "
                   "(<code>usher-tun up</code>, <code>usher-gate run</code>), once this console may ask them.</p>");
    } else {
        markup_raw(page->out,
                   "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Portals and gates\"><table>"
                   "<caption class=\"unseen\">Portals and gates</caption><thead><tr>"
                   "<th scope=\"col\">Name</th><th scope=\"col\" class=\"wide\">Role</th><th scope=\"col\">State</th>"
                   "<th scope=\"col\" class=\"wide\">Since</th><th scope=\"col\" class=\"wide\">Other end</th>"
                   "<th scope=\"col\" class=\"num\">In</th><th scope=\"col\" class=\"num\">Out</th>"
                   "<th scope=\"col\" class=\"num wide\">Round trip</th>"
                   "<th scope=\"col\" class=\"wide\">Last hour</th></tr></thead><tbody>");
        list_for_each(node, instances)
            row(page, instance_of(node));
        markup_raw(page->out, "</tbody></table></div>");
    }
    markup_raw(page->out, "</div>");
    page_end(page);
}
