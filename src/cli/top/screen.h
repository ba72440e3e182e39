// SPDX-License-Identifier: GPL-2.0-or-later
// The terminal, by ncurses. Reverse video is all that is used to set things off, so no colours are needed.
#ifndef CLI_TOP_SCREEN_H
#define CLI_TOP_SCREEN_H

#include "cli/top/view.h"

struct screen {
    const char *program;
    const char *notice; // in place of rows, where there is none to show; NULL: none
    size_t scroll;      // rows of the main table above its first line
    bool paused;
    bool typing; // a filter
};

// False: there is no terminal that could be drawn on.
bool screen_begin(void);
void screen_end(void);
void screen_draw(struct screen *screen, const struct view *view, const struct sample *sample);

enum screen_key {
    SCREEN_NOTHING,
    SCREEN_RESIZE,
    SCREEN_UP,
    SCREEN_DOWN,
    SCREEN_PAGE_UP,
    SCREEN_PAGE_DOWN,
    SCREEN_HOME,
    SCREEN_ENTER,
    SCREEN_ESCAPE,
    SCREEN_ERASE,
    SCREEN_CHARACTER, // beside it
};
// What was typed, without waiting.
enum screen_key screen_read(char *character);

#endif
