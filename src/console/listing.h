// SPDX-License-Identifier: GPL-2.0-or-later
// A table that is searched, sorted and cut into pages here, by the query of its address: "q", "sort", "dir", "page".
#ifndef CONSOLE_LISTING_H
#define CONSOLE_LISTING_H

#include "console/history.h"
#include "console/page.h"
#include "console/told.h"

enum { LISTING_PAGE = 100, LISTING_COLUMNS = 12 }; // rows of a page, columns at most

enum listing_kind {
    LISTING_TEXT,
    LISTING_NUMBER,
    LISTING_BYTES,
    LISTING_SECONDS,
    LISTING_MOMENT,
    LISTING_MS,      // of microseconds
    LISTING_RATE_IN, // of the history
    LISTING_RATE_OUT,
    LISTING_DAYS, // until a moment
};

struct listing_row {
    const struct told *item;
    const struct history *history; // NULL: none
    const char *link;              // of the first column: the address before the value; NULL: none
    const char *owner;             // a text beside the item: the key "" of a column
    double number;                 // of what is sorted by
    const char *text;
};

struct listing_column {
    const char *title;
    const char *key; // of the item, "part.key" within a part of it
    enum listing_kind kind;
    bool wide;     // left out on a narrow screen
    bool optional; // left out where no row has a text in it
};

struct listing {
    const char *address; // of the page
    const char *kept;    // of the query, what stays whatever is clicked: the name of a parameter, or NULL
    const char *caption; // for screen readers, and of what there is none
    const struct listing_column *columns;
    size_t column_count;
    struct listing_row *rows; // put into another order
    size_t row_count;
    const char *sort; // at first; a "-" in front: the greatest first
};

void listing_write(struct page *page, struct listing *listing);

#endif
