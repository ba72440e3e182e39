// SPDX-License-Identifier: GPL-2.0-or-later
// No style stands in the picture, but classes: the policy of the pages lets no inline style pass, and the style sheet has
// the colours of both themes.

#include "console/plot.h"

#include "console/units.h"

#include <math.h>
#include <stdio.h>

enum {
    HEIGHT = 200,
    LEFT = 8,
    RIGHT = 512,
    TOP = 24,
    BOTTOM = 176,
    GRID = 4,
};

static const char *value_text(char room[UNITS_SIZE], enum plot_unit unit, double value)
{
    return value < 0           ? "-"
           : unit == PLOT_RATE ? units_rate(room, value)
           : unit == PLOT_MS   ? units_ms(room, value)
                               : units_number(room, value);
}

// The least of 1, 2, 4, 5, 10 by a power of ten that is not below.
static double round_up(double value)
{
    static const double steps[] = {1, 2, 4, 5, 10};
    double power = pow(10, floor(log10(value)));
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (steps[i] * power >= value)
            return steps[i] * power;
    return 10 * power;
}

// A rate is shown in bits and kept in bytes, a time shown in ms and kept in us.
static double scale_of(enum plot_unit unit, double most)
{
    double factor = unit == PLOT_RATE ? 8 : unit == PLOT_MS ? 1e-3 : 1, least = unit == PLOT_RATE ? 1000 : 1;
    double shown = most * factor;
    return round_up(shown < least ? least : shown) / factor;
}

static double most_of(const struct plot *plot, const struct history *history, usec_t now)
{
    double most = 0;
    for (unsigned i = 0; i < plot->line_count; i++)
        for (unsigned ago = 0; ago < HISTORY_STEPS; ago++)
            most = fmax(most, (double)history_at(history, plot->lines[i].kind, ago, now));
    return most;
}

static double x_of(unsigned ago)
{
    return RIGHT - (double)(RIGHT - LEFT) * ago / (HISTORY_STEPS - 1);
}

static double y_of(double value, double scale)
{
    return BOTTOM - (BOTTOM - TOP) * value / scale;
}

// From the oldest on; a gap begins a new piece. One with an area is closed along the bottom.
static void path(struct markup *out, const struct history *history, enum history_kind kind, double scale, usec_t now,
                 bool area)
{
    bool drawing = false;
    for (unsigned ago = HISTORY_STEPS; ago-- > 0;) {
        double value = (double)history_at(history, kind, ago, now);
        if (value < 0) {
            if (drawing && area)
                markup_printf(out, "V%dZ", BOTTOM);
            drawing = false;
            continue;
        }
        if (!drawing && area)
            markup_printf(out, "M%.1f %dV%.1f", x_of(ago), BOTTOM, y_of(value, scale));
        else
            markup_printf(out, "%c%.1f %.1f", drawing ? 'L' : 'M', x_of(ago), y_of(value, scale));
        drawing = true;
    }
    if (drawing && area)
        markup_printf(out, "V%dZ", BOTTOM);
}

static void grid(struct markup *out, const struct plot *plot, double scale)
{
    char room[UNITS_SIZE];
    static const char *const times[] = {"-60 min", "-45", "-30", "-15", "now"};
    for (int i = 0; i <= GRID; i++) {
        double y = BOTTOM - (double)(BOTTOM - TOP) * i / GRID;
        double x = LEFT + (double)(RIGHT - LEFT) * i / GRID;
        markup_printf(out, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>", LEFT, y, RIGHT);
        if (i && i % 2 == 0) {
            markup_printf(out, "<text x=\"%d\" y=\"%.1f\">", LEFT, y - 5);
            markup_text(out, value_text(room, plot->unit, scale * i / GRID));
            markup_raw(out, "</text>");
        }
        markup_printf(out, "<text x=\"%.1f\" y=\"%d\" class=\"%s\">", x, HEIGHT - 6,
                      i == 0      ? "first"
                      : i == GRID ? "last"
                                  : "middle");
        markup_text(out, times[i]);
        markup_raw(out, "</text>");
    }
}

static void legend(struct markup *out, const struct plot *plot, const struct history *history, usec_t now)
{
    char room[UNITS_SIZE];
    markup_raw(out, "<p class=\"legend\">");
    for (unsigned i = 0; i < plot->line_count; i++) {
        double value = -1;
        for (unsigned ago = 0; value < 0 && ago < 3; ago++)
            value = (double)history_at(history, plot->lines[i].kind, ago, now);
        markup_printf(out, "<span class=\"line%u\">", i);
        markup_form(out, "%s <b>%s</b></span> ", plot->lines[i].name, value_text(room, plot->unit, value));
    }
    markup_raw(out, "</p>");
}

void plot_write(struct markup *out, const struct plot *plot, const struct history *history, usec_t now)
{
    char room[UNITS_SIZE];
    double most = most_of(plot, history, now), scale = scale_of(plot->unit, most);
    markup_form(out, "<figure class=\"plot\"><figcaption><h2>%s</h2>", plot->title);
    legend(out, plot, history, now);
    markup_form(
        out, "</figcaption><svg viewBox=\"0 0 520 200\" role=\"img\" aria-label=\"%s over the last hour, at most %s\">",
        plot->title, value_text(room, plot->unit, most));
    grid(out, plot, scale);
    for (unsigned i = 0; i < plot->line_count; i++) {
        markup_printf(out, "<path class=\"area%u\" d=\"", i);
        path(out, history, plot->lines[i].kind, scale, now, true);
        markup_printf(out, "\"/><path class=\"curve%u\" d=\"", i);
        path(out, history, plot->lines[i].kind, scale, now, false);
        markup_raw(out, "\"/>");
    }
    markup_raw(out, "</svg></figure>");
}

void plot_spark(struct markup *out, const struct history *history, usec_t now)
{
    enum { POINTS = 60, WIDE = 120, HIGH = 24, EACH = HISTORY_STEPS / POINTS };
    double values[POINTS], most = 1;
    for (unsigned i = 0; i < POINTS; i++) {
        values[i] = -1;
        for (unsigned ago = i * EACH; ago < (i + 1) * EACH; ago++) {
            float in = history_at(history, HISTORY_IN, ago, now), more = history_at(history, HISTORY_OUT, ago, now);
            if (in >= 0)
                values[i] = fmax(values[i], (double)in + (more < 0 ? 0 : (double)more));
        }
        most = fmax(most, values[i]);
    }
    markup_printf(out, "<svg class=\"spark\" viewBox=\"0 0 %d %d\" aria-hidden=\"true\"><path d=\"", WIDE, HIGH);
    bool drawing = false;
    for (unsigned i = POINTS; i-- > 0;) {
        double x = WIDE - 1 - (double)(WIDE - 2) * i / (POINTS - 1), y = HIGH - 2 - (HIGH - 4) * values[i] / most;
        if (values[i] >= 0)
            markup_printf(out, "%c%.1f %.1f", drawing ? 'L' : 'M', x, y);
        drawing = values[i] >= 0;
    }
    markup_raw(out, "\"/></svg>");
}
