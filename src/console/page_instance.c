// SPDX-License-Identifier: GPL-2.0-or-later
// One portal, one gate, and a portal as its gate sees it.

#include "console/listing.h"
#include "console/pages.h"
#include "console/plot.h"
#include "console/units.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct plot RATES = {"Throughput", PLOT_RATE, {{"In", HISTORY_IN}, {"Out", HISTORY_OUT}}, 2};
static const struct plot ROUND_TRIPS = {"Round trip", PLOT_MS, {{"Round trip", HISTORY_RTT}}, 1};
static const struct plot FLOWS = {"Flows", PLOT_COUNT, {{"Open", HISTORY_FLOWS}}, 1};
static const struct plot SESSIONS = {"Sessions", PLOT_COUNT, {{"Open", HISTORY_FLOWS}}, 1};
static const struct plot PORTALS = {"Portals", PLOT_COUNT, {{"Connected", HISTORY_FLOWS}}, 1};

static void plots(struct page *page, const struct history *history, const struct plot *const *which, size_t count)
{
    markup_raw(page->out, "<div class=\"plots live\" id=\"plots\">");
    for (size_t i = 0; i < count; i++)
        plot_write(page->out, which[i], history, page->now);
    markup_raw(page->out, "</div>");
}

static void fact_moment(struct page *page, const char *term, const char *moment)
{
    if (!moment)
        return;
    markup_form(page->out, "<div><dt>%s</dt><dd>", term);
    page_moment(page->out, moment, page->wall);
    markup_raw(page->out, "</dd></div>");
}

static void fact_texts(struct page *page, const char *term, const struct told *texts)
{
    for (size_t i = 0; i < told_count(texts); i++)
        if (*told_item_text(texts, i))
            page_fact(page->out, term, told_item_text(texts, i));
}

static void fact_bytes(struct page *page, const char *term, const struct told *from, const char *key)
{
    char room[UNITS_SIZE];
    if (told_number(from, key) >= 0)
        page_fact(page->out, term, units_bytes(room, told_number(from, key)));
}

static void fact_number(struct page *page, const char *term, const struct told *from, const char *key)
{
    char room[UNITS_SIZE];
    if (told_number(from, key) >= 0)
        page_fact(page->out, term, units_number(room, told_number(from, key)));
}

static void fact_process(struct page *page, const char *term, const struct told *from)
{
    char room[32];
    if (told_number(from, "pid") < 0)
        return;
    snprintf(room, sizeof room, "%.0f", told_number(from, "pid"));
    page_fact(page->out, term, room);
}

static void heading(struct page *page, const char *name, const char *role, const char *state)
{
    markup_form(page->out,
                "<div class=\"title\"><div><p class=\"above\">%s</p><h1>%s</h1></div><span class=\"live\" "
                "id=\"state\">",
                role, name);
    page_state(page->out, state);
    markup_raw(page->out, "</span></div>");
}

static void counter(void *arg, const char *key, const char *value)
{
    struct page *page = arg;
    char room[UNITS_SIZE], term[64];
    double number = strtod(value, NULL);
    snprintf(term, sizeof term, "%s", key);
    for (char *at = term; *at; at++)
        *at = *at == '_' ? ' ' : *at;
    if (number > 0)
        page_fact(page->out, term, units_number(room, number));
}

static void counters(struct page *page, const struct told *from)
{
    if (!from)
        return;
    markup_raw(page->out, "<details><summary>Counters</summary><dl class=\"facts small live\" id=\"counters\">");
    told_each(from, counter, page);
    markup_raw(page->out, "</dl></details>");
}

static void validity(struct page *page, const struct source_instance *instance)
{
    static const struct listing_column columns[] = {
        {.title = "Credential", .key = "credential"},
        {.title = "File", .key = "file", .wide = true},
        {.title = "Days left", .key = "expires", .kind = LISTING_DAYS},
        {.title = "Valid until", .key = "expires"},
    };
    const struct told *items = told_part(instance->status, "validity");
    if (!told_count(items))
        return;
    markup_raw(page->out,
               "<section><h2>Certificates and lists</h2><div class=\"scroll\" tabindex=\"0\" role=\"region\" "
               "aria-label=\"Certificates and lists\"><table><thead><tr>");
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        markup_form(page->out, "<th scope=\"col\" class=\"%s\">%s</th>",
                    columns[i].kind   ? "num"
                    : columns[i].wide ? "wide"
                                      : "",
                    columns[i].title);
    markup_raw(page->out, "</tr></thead><tbody>");
    for (size_t i = 0; i < told_count(items); i++) {
        const struct told *item = told_item(items, i);
        double days = told_number(item, "days_left");
        char room[UNITS_SIZE];
        const char *until = told_text(item, "expires"), *file = told_text(item, "file");
        const char *credential = told_text(item, "credential");
        markup_form(page->out, "<tr><th scope=\"row\">%s</th><td class=\"wide\"><code>%s</code></td>",
                    credential ? credential : "-", file ? file : "-");
        markup_form(page->out, "<td class=\"num\"><span class=\"%s\">%s</span></td><td>%s</td></tr>",
                    days < 1    ? "bad"
                    : days < 15 ? "warn"
                                : "",
                    days < 0 ? "-" : units_number(room, days), until ? until : "-");
    }
    markup_raw(page->out, "</tbody></table></div></section>");
}

static void buttons(struct page *page, const struct source_instance *instance)
{
    bool runs = instance->root;
    markup_raw(page->out, "<p class=\"buttons\">");
    if (runs)
        markup_form(page->out, "<a class=\"button\" href=\"/flows?name=%u\">Flows</a>", instance->name);
    if (runs) {
        page_button(page, "reload", "Reload", instance->name, NULL);
        page_button(page, "down", instance->role == SOURCE_GATE ? "Stop" : "Take down", instance->name, NULL);
    } else {
        page_button(page, "up", instance->role == SOURCE_GATE ? "Start" : "Bring up", instance->name, NULL);
    }
    markup_raw(page->out, "</p>");
}

static void portal_facts(struct page *page, const struct source_instance *instance)
{
    const struct told *status = instance->status, *identity = told_part(status, "identity");
    markup_raw(page->out, "<dl class=\"facts live\" id=\"facts\">");
    page_fact(page->out, "Last error", told_text(status, "last_error"));
    page_fact(page->out, "Gate", told_text(status, "gate"));
    page_fact(page->out, "Proxy", told_text(status, "proxy"));
    page_fact(page->out, "Gate's certificate", told_text(identity, "name"));
    fact_moment(page, "It expires", told_text(identity, "expires"));
    page_fact(page->out, "Cipher", told_text(identity, "cipher"));
    fact_moment(page, "In this state since", told_text(status, "since"));
    fact_number(page, "Flows", status, "flows");
    fact_bytes(page, "Bytes in", status, "bytes_in");
    fact_bytes(page, "Bytes out", status, "bytes_out");
    page_fact(page->out, "Device", told_text(status, "device"));
    fact_texts(page, "DNS", told_part(status, "dns"));
    fact_texts(page, "SOCKS", told_part(status, "socks"));
    fact_texts(page, "Forward", told_part(status, "forwards"));
    fact_texts(page, "Map", told_part(status, "map"));
    page_fact(page->out, "System DNS", told_text(status, "system_dns"));
    fact_process(page, "Process", status);
    markup_raw(page->out, "</dl>");
}

static void gate_facts(struct page *page, const struct source_instance *instance)
{
    const struct told *status = instance->status, *admission = told_part(status, "admission");
    markup_raw(page->out, "<dl class=\"facts live\" id=\"facts\">");
    fact_texts(page, "Not in force", told_part(status, "refused"));
    fact_texts(page, "Listens on", told_part(status, "listen"));
    fact_moment(page, "Since", told_text(status, "since"));
    fact_moment(page, "Renewed", told_text(status, "renewed"));
    fact_number(page, "Not authenticated yet", status, "unauthenticated");
    fact_number(page, "Refused connections", admission, "refused");
    fact_number(page, "Crashed workers", admission, "crashes");
    fact_process(page, "Process", status);
    markup_raw(page->out, "</dl>");
}

// The address of a portal at this gate up to its name, for a listing's links.
static char *branch_link(const struct source_instance *gate)
{
    struct markup link = {0};
    markup_form(&link, "/branch?gate=%u&name=", gate->name);
    return link.bytes;
}

static void gate_portals(struct page *page, const struct source_instance *gate)
{
    static const struct listing_column columns[] = {
        {.title = "Portal", .key = "identity"},
        {.title = "Address", .key = "address", .wide = true},
        {.title = "Since", .key = "since", .kind = LISTING_MOMENT, .wide = true},
        {.title = "Sessions", .key = "sessions", .kind = LISTING_NUMBER},
        {.title = "Rate in", .kind = LISTING_RATE_IN, .key = "rate"},
        {.title = "Rate out", .kind = LISTING_RATE_OUT, .key = "rate"},
        {.title = "In", .key = "bytes_in", .kind = LISTING_BYTES, .wide = true},
        {.title = "Out", .key = "bytes_out", .kind = LISTING_BYTES, .wide = true},
        {.title = "Round trip", .key = "tunnel.rtt_us", .kind = LISTING_MS, .wide = true},
        {.title = "Days left", .key = "expires", .kind = LISTING_DAYS, .wide = true},
    };
    const struct told *portals = told_part(gate->status, "portals");
    size_t count = told_count(portals);
    struct listing_row *rows = memory_new((count + 1) * sizeof *rows);
    char *link = branch_link(gate);
    for (size_t i = 0; i < count; i++) {
        const char *name = told_text(told_item(portals, i), "identity");
        rows[i].item = told_item(portals, i);
        rows[i].history = name ? source_peer(page->source, gate, name) : NULL;
        rows[i].link = link;
    }
    struct listing listing = {
        .address = "/instance",
        .kept = "name",
        .caption = "portals",
        .columns = columns,
        .column_count = sizeof columns / sizeof columns[0],
        .rows = rows,
        .row_count = count,
        .sort = "Portal",
    };
    markup_raw(page->out, "<section><h2>Portals</h2>");
    listing_write(page, &listing);
    markup_raw(page->out, "</section>");
    free(rows);
    free(link);
}

void instance_page(struct page *page, const struct source_instance *instance)
{
    static const struct plot *const portal[] = {&RATES, &ROUND_TRIPS, &FLOWS};
    static const struct plot *const gate[] = {&RATES, &PORTALS};
    bool is_gate = instance->role == SOURCE_GATE;
    page_begin(page, instance->name, "");
    heading(page, instance->name,
            is_gate                           ? "Gate"
            : instance->role == SOURCE_PORTAL ? "Portal"
                                              : "Instance",
            source_state(instance));
    buttons(page, instance);
    if (!instance->status && instance->root && *instance->why.text)
        markup_form(page->out, "<p class=\"notice\">It is not heard: %s.</p>", instance->why.text);
    if (is_gate && instance->status)
        gate_facts(page, instance);
    else if (instance->status)
        portal_facts(page, instance);
    plots(page, &instance->history, is_gate ? gate : portal, is_gate ? 2 : 3);
    if (is_gate && instance->status)
        gate_portals(page, instance);
    validity(page, instance);
    counters(page, told_part(instance->status, "counters"));
    page_end(page);
}

static const struct told *find_branch(const struct source_instance *gate, const char *name)
{
    const struct told *portals = told_part(gate->status, "portals");
    for (size_t i = 0; i < told_count(portals); i++) {
        const char *identity = told_text(told_item(portals, i), "identity");
        if (identity && !strcmp(identity, name))
            return told_item(portals, i);
    }
    return NULL;
}

bool branch_page(struct page *page, const struct source_instance *gate, const char *name)
{
    static const struct plot *const which[] = {&RATES, &ROUND_TRIPS, &SESSIONS};
    const struct told *branch = find_branch(gate, name);
    const struct history *history = source_peer(page->source, gate, name);
    if (!branch && !history)
        return false;
    page_begin(page, name, "");
    markup_form(page->out, "<p class=\"crumbs\"><a href=\"/instance?name=%u\">%s</a></p>", gate->name, gate->name);
    heading(page, name, "Portal at a gate", branch ? "up" : "down");
    markup_raw(page->out, "<p class=\"buttons\">");
    if (branch)
        page_button(page, "end", "End its tunnels", gate->name, name);
    markup_raw(page->out, "</p><dl class=\"facts live\" id=\"facts\">");
    page_fact(page->out, "Address", told_text(branch, "address"));
    fact_moment(page, "Logged in", told_text(branch, "since"));
    page_fact(page->out, "Serial", told_text(branch, "serial"));
    fact_moment(page, "Certificate expires", told_text(branch, "expires"));
    page_fact(page->out, "Cipher", told_text(branch, "cipher"));
    fact_number(page, "Sessions", branch, "sessions");
    fact_bytes(page, "Bytes in", branch, "bytes_in");
    fact_bytes(page, "Bytes out", branch, "bytes_out");
    fact_texts(page, "Forward", told_part(branch, "forwards"));
    fact_texts(page, "Export", told_part(branch, "exports"));
    fact_texts(page, "Map", told_part(branch, "map"));
    fact_process(page, "Worker", branch);
    markup_raw(page->out, "</dl>");
    if (history)
        plots(page, history, which, 3);
    counters(page, told_part(branch, "tunnel"));
    page_end(page);
    return true;
}
