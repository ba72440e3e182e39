// SPDX-License-Identifier: GPL-2.0-or-later
// The last hour as a picture: SVG in the page, with its meaning in words for who does not see it.
#ifndef CONSOLE_PLOT_H
#define CONSOLE_PLOT_H

#include "console/history.h"
#include "console/markup.h"

enum plot_unit { PLOT_RATE, PLOT_MS, PLOT_COUNT };

struct plot {
    const char *title;
    enum plot_unit unit;
    struct {
        const char *name;
        enum history_kind kind;
    } lines[2];
    unsigned line_count;
};

void plot_write(struct markup *out, const struct plot *plot, const struct history *history, usec_t now);
// A line alone, as small as a word: what goes in and out together.
void plot_spark(struct markup *out, const struct history *history, usec_t now);

#endif
