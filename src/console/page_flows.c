// SPDX-License-Identifier: GPL-2.0-or-later
// The flows of one instance, and the choice of whose.

#include "base/memory.h"
#include "console/listing.h"
#include "console/pages.h"
#include "console/units.h"

#include <stdlib.h>

static void table(struct page *page, const struct told *flows)
{
    static const struct listing_column columns[] = {
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
    size_t count = told_count(flows);
    struct listing_row *rows = memory_new((count + 1) * sizeof *rows);
    for (size_t i = 0; i < count; i++)
        rows[i].item = told_item(flows, i);
    struct listing listing = {
        .address = "/flows",
        .kept = "name",
        .caption = "flows",
        .columns = columns,
        .column_count = sizeof columns / sizeof columns[0],
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
        table(page, told_part(flows, "flows"));
    else
        markup_form(page->out, "<p class=\"none\">The flows of %s cannot be shown: %s.</p>", instance->name, why);
    page_end(page);
}

void flows_choice_page(struct page *page)
{
    char room[UNITS_SIZE];
    unsigned count = 0;
    page_begin(page, "Flows", "/flows");
    markup_raw(page->out, "<h1>Flows</h1><p>Whose?</p><ul class=\"choice\">");
    list_for_each(node, source_instances(page->source)) {
        const struct source_instance *instance = container_of(node, struct source_instance, node);
        double flows = told_number(instance->status, "flows");
        if (instance->role != SOURCE_PORTAL || flows < 0)
            continue;
        count++;
        markup_form(page->out, "<li><a href=\"/flows?name=%u\">%s</a> %s</li>", instance->name, instance->name,
                    units_number(room, flows));
    }
    markup_raw(page->out, "</ul>");
    if (!count)
        markup_raw(page->out,
                   "<p class=\"none\">No portal is running here. A gate counts the sessions of each portal; what they "
                   "are, the portal tells.</p>");
    page_end(page);
}
