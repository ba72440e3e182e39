// SPDX-License-Identifier: GPL-2.0-or-later
// What was denied, and what runs out: of all instances, in one table each.

#include "base/memory.h"
#include "console/listing.h"
#include "console/pages.h"
#include "console/units.h"

#include <stdlib.h>
#include <string.h>

struct gathering {
    struct listing_row *rows;
    size_t count, size;
};

static void add(struct gathering *all, const struct told *items, const char *owner)
{
    for (size_t i = 0; i < told_count(items); i++) {
        if (all->count == all->size) {
            all->size = 2 * all->size + 64;
            all->rows = memory_resize(all->rows, all->size * sizeof *all->rows);
        }
        all->rows[all->count++] = (struct listing_row){.item = told_item(items, i), .owner = owner};
    }
}

static void show(struct page *page, struct gathering *all, struct listing *listing)
{
    listing->rows = all->rows;
    listing->row_count = all->count;
    listing_write(page, listing);
    free(all->rows);
}

// How many, by whom, where the parts tell no more than that.
static void denied_counts(struct page *page)
{
    char room[UNITS_SIZE];
    markup_raw(page->out, "<dl class=\"tiles live\" id=\"counts\">");
    list_for_each(node, source_instances(page->source)) {
        const struct source_instance *instance = container_of(node, struct source_instance, node);
        const struct told *portals = told_part(instance->status, "portals");
        double denied = told_number(told_part(instance->status, "dial"), "denied");
        for (size_t i = 0; i < told_count(portals); i++) {
            double more = told_number(told_part(told_item(portals, i), "dial"), "denied");
            denied = more < 0 ? denied : more + (denied < 0 ? 0 : denied);
        }
        if (denied >= 0)
            markup_form(page->out, "<div><dt>Denied at %s</dt><dd>%s</dd></div>", instance->name,
                        units_number(room, denied));
    }
    markup_raw(page->out, "</dl>");
}

void denials_page(struct page *page)
{
    static const struct listing_column columns[] = {
        {.title = "At", .key = ""},
        {.title = "Portal", .key = "portal", .optional = true},
        {.title = "From", .key = "from", .wide = true, .optional = true},
        {.title = "Protocol", .key = "protocol", .wide = true},
        {.title = "Destination", .key = "destination"},
        {.title = "Address", .key = "address", .wide = true, .optional = true},
        {.title = "Rule", .key = "rule"},
        {.title = "Place", .key = "place", .wide = true, .optional = true},
        {.title = "Times", .key = "count", .kind = LISTING_NUMBER},
        {.title = "Last", .key = "last", .kind = LISTING_MOMENT},
    };
    struct gathering all = {0};
    list_for_each(node, source_instances(page->source)) {
        const struct source_instance *instance = container_of(node, struct source_instance, node);
        add(&all, told_part(instance->status, "denials"), instance->name);
    }
    page_begin(page, "Denials", "/denials");
    markup_raw(page->out,
               "<h1>Denials</h1><p class=\"lead\">What was asked for and not allowed, and the rule that said so.</p>");
    denied_counts(page);
    struct listing listing = {
        .address = "/denials",
        .caption = "denials",
        .columns = columns,
        .column_count = sizeof columns / sizeof columns[0],
        .sort = "-Last",
    };
    show(page, &all, &listing);
    page_end(page);
}

void certificates_page(struct page *page)
{
    static const struct listing_column columns[] = {
        {.title = "Of", .key = ""},
        {.title = "Credential", .key = "credential"},
        {.title = "File", .key = "file", .wide = true},
        {.title = "Days left", .key = "expires", .kind = LISTING_DAYS},
        {.title = "Valid until", .key = "expires"},
    };
    static const struct listing_column portal_columns[] = {
        {.title = "Portal", .key = "identity"},
        {.title = "At", .key = "", .wide = true},
        {.title = "Serial", .key = "serial", .wide = true},
        {.title = "Days left", .key = "expires", .kind = LISTING_DAYS},
        {.title = "Valid until", .key = "expires"},
    };
    bool portals = !strcmp(form_value(page->query, "of"), "portals");
    struct gathering all = {0};
    list_for_each(node, source_instances(page->source)) {
        const struct source_instance *instance = container_of(node, struct source_instance, node);
        add(&all, told_part(instance->status, portals ? "portals" : "validity"), instance->name);
    }
    page_begin(page, "Certificates", "/certificates");
    markup_form(
        page->out,
        "<h1>Certificates</h1><p class=\"tabs\"><a href=\"/certificates\" aria-current=\"%s\">Of this machine</a>"
        "<a href=\"/certificates?of=portals\" aria-current=\"%s\">Of connected portals</a></p>",
        portals ? "false" : "page", portals ? "page" : "false");
    struct listing listing = {
        .address = "/certificates",
        .kept = portals ? "of" : NULL,
        .caption = portals ? "certificates of portals" : "certificates and lists",
        .columns = portals ? portal_columns : columns,
        .column_count = portals ? sizeof portal_columns / sizeof portal_columns[0] : sizeof columns / sizeof columns[0],
        .sort = "Days left",
    };
    show(page, &all, &listing);
    page_end(page);
}
