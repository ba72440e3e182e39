// SPDX-License-Identifier: GPL-2.0-or-later
// Which rows are shown, in which order, and how they read: all that does not depend on a terminal.
#ifndef CLI_TOP_VIEW_H
#define CLI_TOP_VIEW_H

#include "cli/top/sample.h"

enum view_order { VIEW_RATE, VIEW_BYTES, VIEW_AGE, VIEW_FAR, VIEW_ORDERS };

enum { VIEW_FILTER_SIZE = 64, VIEW_LINE_SIZE = 512 };

struct view {
    enum view_order order;
    char filter[VIEW_FILTER_SIZE]; // "": everything; else what has it in a text, whatever its case
    bool gate;                     // whose portals are shown, and no flows
};

const char *view_order_text(enum view_order order);
// Rows of one kind that are shown, in order, the first first; returns how many. `out` has room for all of the sample.
size_t view_pick(const struct view *view, const struct sample *sample, bool tunnels, const struct sample_row **out);
// A row as text of `width` columns at most, and the heading of such rows; return `room`.
const char *view_row(const struct view *view, const struct sample_row *row, int width, char room[VIEW_LINE_SIZE]);
const char *view_heading(const struct view *view, bool tunnels, int width, char room[VIEW_LINE_SIZE]);
// All in one line.
const char *view_sum(const struct view *view, const struct sample *sample, char room[VIEW_LINE_SIZE]);

#endif
