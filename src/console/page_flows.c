// SPDX-License-Identifier: GPL-2.0-or-later
// The flows of one instance, and the choice of whose.

#include "base/memory.h"
#include "console/listing.h"
#include "console/pages.h"
#include "console/units.h"

#include <stdlib.h>

static void table(struct page *page, const struct told *flows, enum source_role role)
{
    static const struct listing_column portals[] = {
        {.title = "Inside", .key = "inside"},
        {.title = "Protocol", .key = "protocol", .wide = true},
        {.title = "Far", .key = "far"},
        {.title = "Leads to", .key = "leads_to", .wide = true, .optional = true},
        {.title = "Via", .key = "via", .wide = true},
        {.title = "State", .key = "state", .wide = true},
        {.title = "Out", .key = "bytes_out", .kind = LISTING_BYTES},
        {.title = "In", .key = "bytes_in", .kind = LISTING_BYTES},
        {.title = "Age", .key = "age_s", .kind = LISTING_SECONDS},
    };
    static const struct listing_column gates[] = {
        {.title = "Portal", .key = "portal"},
        {.title = "Protocol", .key = "protocol", .wide = true},
        {.title = "From", .key = "from", .wide = true, .optional = true},
        {.title = "Destination", .key = "destination"},
        {.title = "Address", .key = "address", .wide = true, .optional = true},
        {.title = "Rule", .key = "rule", .wide = true},
        {.title = "State", .key = "state", .wide = true},
        {.title = "Out", .key = "bytes_out", .kind = LISTING_BYTES},
        {.title = "In", .key = "bytes_in", .kind = LISTING_BYTES},
        {.title = "Age", .key = "age_s", .kind = LISTING_SECONDS},
    };
    bool is_gate = role == SOURCE_GATE;
    size_t count = told_count(flows);
    struct listing_row *rows = memory_new((count + 1) * sizeof *rows);
    for (size_t i = 0; i < count; i++)
        rows[i].item = told_item(flows, i);
    struct listing listing = {
        .address = "/flows",
        .kept = "name",
        .caption = "flows",
        .columns = is_gate ? gates : portals,
        .column_count = is_gate ? sizeof gates / sizeof gates[0] : sizeof portals / sizeof portals[0],
        .rows = rows,
        .row_count = count,
        .sort = "-In",
    };
    listing_write(page, &listing);
    free(rows);
}

void flows_page(struct page *page, const struct source_instance *instance, const struct told *flows, const char *why)
{
    page_begin(page, "Flows", "/flows");
    markup_form(page->out, "<p class=\"crumbs\"><a href=\"/instance?name=%u\">%s</a></p><h1>Flows</h1>", instance->name,
                instance->name);
    if (flows)
        table(page, told_part(flows, "flows"), instance->role);
    else
        markup_form(page->out, "<p class=\"none\">The flows of %s cannot be shown: %s.</p>", instance->name, why);
    if (flows && told_text(flows, "next"))
        markup_raw(page->out,
                   "<p>There are more: these are the first that the gate tells. <code>usher-gate flows</code> "
                   "lists all, and with a portal's name those of that one.</p>");
    page_end(page);
}

static void choice(struct page *page, const struct source_instance *instance)
{
    char room[UNITS_SIZE];
    double flows = told_number(instance->status, "flows");
    markup_form(page->out, "<li><a href=\"/flows?name=%u\">%s</a> %s</li>", instance->name, instance->name,
                instance->role == SOURCE_GATE ? "gate" : units_number(room, flows));
}

void flows_choice_page(struct page *page)
{
    unsigned count = 0;
    page_begin(page, "Flows", "/flows");
    markup_raw(page->out, "<h1>Flows</h1><p>Whose?</p><ul class=\"choice\">");
    list_for_each(node, source_instances(page->source)) {
        const struct source_instance *instance = container_of(node, struct source_instance, node);
        bool tells = instance->role == SOURCE_GATE ? !!instance->status : told_number(instance->status, "flows") >= 0;
        if (tells)
            choice(page, instance);
        count += tells;
    }
    markup_raw(page->out, "</ul>");
    if (!count)
        markup_raw(page->out, "<p class=\"none\">No portal and no gate is running here.</p>");
    page_end(page);
}
