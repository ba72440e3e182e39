// SPDX-License-Identifier: GPL-2.0-or-later
// Of a build that has ncurses.
#ifdef USHER_CURSES
#include "cli/top/screen.h"

#include "base/memory.h"

#include <locale.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TUNNELS_SHARE = 3 }; // of the screen a portal's tunnels take a third at most

static SCREEN *terminal;

bool screen_begin(void)
{
    setlocale(LC_CTYPE, "");
    terminal = newterm(NULL, stdout, stdin);
    if (!terminal)
        return false;
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(50);
    curs_set(0);
    return true;
}

void screen_end(void)
{
    if (!terminal)
        return;
    endwin();
    delscreen(terminal);
    terminal = NULL;
}

static void put_line(int y, const char *text, bool reversed)
{
    if (y < 0 || y >= LINES)
        return;
    if (reversed)
        attron(A_REVERSE);
    mvprintw(y, 0, "%-*.*s", COLS, COLS, text);
    if (reversed)
        attroff(A_REVERSE);
}

static void draw_head(const struct screen *screen, const struct view *view, const struct sample *sample)
{
    char sum[VIEW_LINE_SIZE], line[VIEW_LINE_SIZE + 128], clock[16];
    time_t now = time(NULL);
    struct tm tm;
    strftime(clock, sizeof clock, "%H:%M:%S", localtime_r(&now, &tm));
    snprintf(line, sizeof line, "%s top  %s  %s%s", screen->program, clock, view_sum(view, sample, sum),
             screen->paused ? "  PAUSED" : "");
    put_line(0, line, false);
}

static void draw_foot(const struct screen *screen, const struct view *view)
{
    char line[VIEW_LINE_SIZE];
    if (screen->typing)
        snprintf(line, sizeof line, "filter: %s_   Enter keep, Esc drop", view->filter);
    else
        snprintf(line, sizeof line, "q quit  s sort: %s  / filter%s%s  p %s  arrows scroll",
                 view_order_text(view->order), *view->filter ? ": " : "", view->filter,
                 screen->paused ? "go on" : "pause");
    put_line(LINES - 1, line, true);
}

// Rows from `first` on, in the lines from y to `end`; returns the line behind.
static int draw_rows(const struct view *view, const struct sample_row **rows, size_t count, size_t first, int y,
                     int end)
{
    char line[VIEW_LINE_SIZE];
    for (size_t i = first; i < count && y < end; i++)
        put_line(y++, view_row(view, rows[i], COLS, line), false);
    return y;
}

static int draw_heading(const struct view *view, bool tunnels, int y)
{
    char line[VIEW_LINE_SIZE];
    put_line(y, view_heading(view, tunnels, COLS, line), true);
    return y + 1;
}

// The table that scrolls: no further than to its last row.
static void draw_main(struct screen *screen, const struct view *view, const struct sample_row **rows, size_t count,
                      int y)
{
    size_t room = LINES - 1 > y ? (size_t)(LINES - 1 - y) : 0;
    if (screen->scroll + room > count)
        screen->scroll = count > room ? count - room : 0;
    draw_rows(view, rows, count, screen->scroll, y, LINES - 1);
}

void screen_draw(struct screen *screen, const struct view *view, const struct sample *sample)
{
    const struct sample_row **rows = memory_new((sample->count + 1) * sizeof *rows);
    erase();
    draw_head(screen, view, sample);
    size_t count = view_pick(view, sample, true, rows);
    int y = draw_heading(view, true, 1);
    if (view->gate) {
        draw_main(screen, view, rows, count, y);
    } else {
        y = draw_rows(view, rows, count, 0, y, y + 1 + LINES / TUNNELS_SHARE);
        count = view_pick(view, sample, false, rows);
        y = draw_heading(view, false, y + 1);
        draw_main(screen, view, rows, count, y);
    }
    if (screen->notice)
        put_line(LINES / 2, screen->notice, false);
    draw_foot(screen, view);
    free(rows);
    refresh();
}

enum screen_key screen_read(char *character)
{
    static const struct {
        int curses;
        enum screen_key key;
    } keys[] = {
        {ERR, SCREEN_NOTHING},   {KEY_RESIZE, SCREEN_RESIZE}, {KEY_UP, SCREEN_UP},
        {KEY_DOWN, SCREEN_DOWN}, {KEY_PPAGE, SCREEN_PAGE_UP}, {KEY_NPAGE, SCREEN_PAGE_DOWN},
        {KEY_HOME, SCREEN_HOME}, {KEY_ENTER, SCREEN_ENTER},   {'\r', SCREEN_ENTER},
        {'\n', SCREEN_ENTER},    {27, SCREEN_ESCAPE},         {KEY_BACKSPACE, SCREEN_ERASE},
        {127, SCREEN_ERASE},     {8, SCREEN_ERASE},
    };
    int typed = getch();
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (keys[i].curses == typed)
            return keys[i].key;
    *character = typed >= ' ' && typed < 127 ? (char)typed : '\0';
    return SCREEN_CHARACTER;
}
#endif
