// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/listing.h"

#include "console/units.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct order {
    const struct listing_column *by;
    bool falling;
};

static const char *text_of(const struct listing_row *row, const struct listing_column *column)
{
    char part[32];
    const char *dot = strchr(column->key, '.');
    if (!*column->key)
        return row->owner;
    if (!dot)
        return told_text(row->item, column->key);
    snprintf(part, sizeof part, "%.*s", (int)(dot - column->key), column->key);
    return told_text(told_part(row->item, part), dot + 1);
}

static double number_of(const struct listing_row *row, const struct listing_column *column)
{
    char part[32];
    const char *dot = strchr(column->key, '.');
    if (column->kind == LISTING_RATE_IN || column->kind == LISTING_RATE_OUT)
        return row->history ? (double)row->history->rates[column->kind == LISTING_RATE_OUT] : -1;
    if (column->kind == LISTING_MOMENT || column->kind == LISTING_DAYS)
        return (double)units_moment(text_of(row, column));
    if (!dot)
        return told_number(row->item, column->key);
    snprintf(part, sizeof part, "%.*s", (int)(dot - column->key), column->key);
    return told_number(told_part(row->item, part), dot + 1);
}

static int compare(const void *a, const void *b, void *arg)
{
    const struct listing_row *one = a, *other = b;
    const struct order *order = arg;
    int way = one->number < other->number ? -1 : one->number > other->number;
    if (order->by->kind == LISTING_TEXT)
        way = strverscmp(one->text ? one->text : "", other->text ? other->text : "");
    return order->falling ? -way : way;
}

static bool matches(const struct listing *listing, const struct listing_row *row, const char *wanted)
{
    for (size_t i = 0; i < listing->column_count; i++) {
        const char *text = listing->columns[i].kind == LISTING_TEXT ? text_of(row, &listing->columns[i]) : NULL;
        if (text && strcasestr(text, wanted))
            return true;
    }
    return false;
}

static size_t search(struct listing *listing, const char *wanted)
{
    size_t count = 0;
    if (!*wanted)
        return listing->row_count;
    for (size_t i = 0; i < listing->row_count; i++)
        if (matches(listing, &listing->rows[i], wanted))
            listing->rows[count++] = listing->rows[i];
    return count;
}

static struct order order_of(const struct listing *listing, const struct form *query)
{
    const char *key = form_value(query, "sort");
    bool falling = !strcmp(form_value(query, "dir"), "down");
    struct order order = {&listing->columns[0], falling};
    if (!*key) {
        order.falling = *listing->sort == '-';
        key = listing->sort + order.falling;
    }
    for (size_t i = 0; i < listing->column_count; i++)
        if (!strcmp(listing->columns[i].title, key))
            order.by = &listing->columns[i];
    return order;
}

static void sort(struct listing *listing, size_t count, struct order *order)
{
    for (size_t i = 0; i < count; i++) {
        struct listing_row *row = &listing->rows[i];
        if (order->by->kind == LISTING_TEXT)
            row->text = text_of(row, order->by);
        else
            row->number = number_of(row, order->by);
    }
    if (count) // of none there is not even an array
        qsort_r(listing->rows, count, sizeof *listing->rows, compare, order);
}

// "/flows?name=x&q=..."
static void address(struct page *page, const struct listing *listing, const char *sort, bool falling, size_t at)
{
    markup_form(page->out, "%s?", listing->address);
    if (listing->kept)
        markup_form(page->out, "%s=%u&amp;", listing->kept, form_value(page->query, listing->kept));
    if (*form_value(page->query, "q"))
        markup_form(page->out, "q=%u&amp;", form_value(page->query, "q"));
    markup_form(page->out, "sort=%u&amp;dir=%s", sort, falling ? "down" : "up");
    if (at)
        markup_printf(page->out, "&amp;page=%zu", at);
}

static bool is_number(const struct listing_column *column)
{
    return column->kind != LISTING_TEXT;
}

static const char *class_of(const struct listing_column *column)
{
    return column->wide ? is_number(column) ? "num wide" : "wide" : is_number(column) ? "num" : "";
}

// Whether the column says nothing: of all rows, so that no page of the table looks different from another.
static bool is_void(const struct listing *listing, const struct listing_column *column)
{
    for (size_t i = 0; column->optional && i < listing->row_count; i++) {
        const char *text = text_of(&listing->rows[i], column);
        if (text && *text)
            return false;
    }
    return column->optional;
}

static void heads(struct page *page, const struct listing *listing, const struct order *order, const bool *hidden)
{
    markup_raw(page->out, "<thead><tr>");
    for (size_t i = 0; i < listing->column_count; i++) {
        const struct listing_column *column = &listing->columns[i];
        bool is_by = column == order->by;
        if (hidden[i])
            continue;
        bool falling = is_by ? !order->falling : is_number(column);
        markup_form(page->out, "<th scope=\"col\" class=\"%s\"", class_of(column));
        if (is_by)
            markup_raw(page->out, order->falling ? " aria-sort=\"descending\"" : " aria-sort=\"ascending\"");
        markup_raw(page->out, "><a href=\"");
        address(page, listing, column->title, falling, 0);
        markup_form(page->out, "\">%s</a></th>", column->title);
    }
    markup_raw(page->out, "</tr></thead>");
}

static void cell(struct page *page, const struct listing_row *row, const struct listing_column *column)
{
    char room[UNITS_SIZE];
    double number = is_number(column) ? number_of(row, column) : 0;
    if (column->kind == LISTING_TEXT) {
        const char *text = text_of(row, column);
        markup_text(page->out, text ? text : "-");
    } else if (column->kind == LISTING_MOMENT) {
        page_moment(page->out, text_of(row, column), page->wall);
    } else if (number < 0) {
        markup_raw(page->out, "-");
    } else if (column->kind == LISTING_BYTES) {
        markup_text(page->out, units_bytes(room, number));
    } else if (column->kind == LISTING_SECONDS) {
        markup_text(page->out, units_seconds(room, number));
    } else if (column->kind == LISTING_MS) {
        markup_text(page->out, number > 0 ? units_ms(room, number) : "-");
    } else if (column->kind == LISTING_RATE_IN || column->kind == LISTING_RATE_OUT) {
        markup_text(page->out, units_rate(room, number));
    } else if (column->kind == LISTING_DAYS) {
        double days = (number - (double)page->wall) / 86400;
        markup_form(page->out, "<span class=\"%s\">%s</span>",
                    days < 1    ? "bad"
                    : days < 15 ? "warn"
                                : "",
                    days < 0 ? "over" : units_number(room, (double)(long)days));
    } else {
        markup_text(page->out, units_number(room, number));
    }
}

static void body(struct page *page, const struct listing *listing, size_t from, size_t to, const bool *hidden)
{
    markup_raw(page->out, "<tbody>");
    for (size_t r = from; r < to; r++) {
        const struct listing_row *row = &listing->rows[r];
        bool first = true;
        markup_raw(page->out, "<tr>");
        for (size_t i = 0; i < listing->column_count; i++) {
            const struct listing_column *column = &listing->columns[i];
            if (hidden[i])
                continue;
            markup_form(page->out, first ? "<th scope=\"row\" class=\"%s\">" : "<td class=\"%s\">", class_of(column));
            if (first && row->link)
                markup_form(page->out, "<a href=\"%s%u\">", row->link,
                            text_of(row, column) ? text_of(row, column) : "");
            cell(page, row, column);
            markup_raw(page->out, first ? row->link ? "</a></th>" : "</th>" : "</td>");
            first = false;
        }
        markup_raw(page->out, "</tr>");
    }
    markup_raw(page->out, "</tbody>");
}

static void search_box(struct page *page, const struct listing *listing, const struct order *order)
{
    markup_form(page->out, "<form class=\"search\" role=\"search\" action=\"%s\">", listing->address);
    if (listing->kept)
        markup_form(page->out, "<input type=\"hidden\" name=\"%s\" value=\"%s\">", listing->kept,
                    form_value(page->query, listing->kept));
    markup_form(page->out,
                "<input type=\"hidden\" name=\"sort\" value=\"%s\"><input type=\"hidden\" name=\"dir\" value=\"%s\">"
                "<label for=\"q\">Search</label><input id=\"q\" type=\"search\" name=\"q\" value=\"%s\" "
                "autocomplete=\"off\" spellcheck=\"false\"><button>Search</button></form>",
                order->by->title, order->falling ? "down" : "up", form_value(page->query, "q"));
}

static void pager(struct page *page, const struct listing *listing, const struct order *order, size_t at, size_t pages)
{
    if (pages < 2)
        return;
    markup_raw(page->out, "<nav class=\"pager\" aria-label=\"Pages of the table\">");
    if (at > 1) {
        markup_raw(page->out, "<a rel=\"prev\" href=\"");
        address(page, listing, order->by->title, order->falling, at - 1);
        markup_raw(page->out, "\">Previous</a>");
    }
    markup_printf(page->out, "<span>Page %zu of %zu</span>", at, pages);
    if (at < pages) {
        markup_raw(page->out, "<a rel=\"next\" href=\"");
        address(page, listing, order->by->title, order->falling, at + 1);
        markup_raw(page->out, "\">Next</a>");
    }
    markup_raw(page->out, "</nav>");
}

void listing_write(struct page *page, struct listing *listing)
{
    char all[UNITS_SIZE], some[UNITS_SIZE];
    struct order order = order_of(listing, page->query);
    bool hidden[LISTING_COLUMNS];
    for (size_t i = 0; i < listing->column_count; i++)
        hidden[i] = is_void(listing, &listing->columns[i]);
    size_t total = listing->row_count, count = search(listing, form_value(page->query, "q"));
    size_t pages = count ? (count + LISTING_PAGE - 1) / LISTING_PAGE : 1;
    size_t at = strtoul(form_value(page->query, "page"), NULL, 10);
    at = at < 1 ? 1 : at > pages ? pages : at;
    sort(listing, count, &order);
    size_t from = (at - 1) * LISTING_PAGE, to = from + LISTING_PAGE < count ? from + LISTING_PAGE : count;
    if (total)
        search_box(page, listing, &order);
    markup_raw(page->out, "<div class=\"live\" id=\"rows\">");
    if (!count) {
        markup_form(page->out,
                    total ? "<p class=\"none\">None of the %s matches.</p>" : "<p class=\"none\">There are no %s.</p>",
                    total ? units_number(all, (double)total) : listing->caption);
    } else {
        markup_form(page->out, "<p class=\"count\">%s", units_number(some, (double)count));
        if (count != total)
            markup_form(page->out, " of %s", units_number(all, (double)total));
        markup_form(page->out,
                    " %s</p><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table>"
                    "<caption class=\"unseen\">%s</caption>",
                    listing->caption, listing->caption, listing->caption);
        heads(page, listing, &order, hidden);
        body(page, listing, from, to, hidden);
        markup_raw(page->out, "</table></div>");
    }
    pager(page, listing, &order, at, pages);
    markup_raw(page->out, "</div>");
}
