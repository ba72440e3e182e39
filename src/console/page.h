// SPDX-License-Identifier: GPL-2.0-or-later
// What every page is written with: to whom, from what, and the frame around it.
#ifndef CONSOLE_PAGE_H
#define CONSOLE_PAGE_H

#include "console/form.h"
#include "console/login.h"
#include "console/markup.h"
#include "console/source.h"

#include <time.h>

struct page {
    struct markup *out;
    struct source *source;
    struct login *login; // NULL: nobody is logged in
    const struct form *query;
    time_t wall;
    usec_t now;
};

// Between them stands the page's own. What is within an element with an id and the class "live" is brought up to date by
// the script; `place` is the entry of the navigation that is here.
void page_begin(struct page *page, const char *title, const char *place);
void page_end(struct page *page);

void page_state(struct markup *out, const char *state); // a mark and a word
// A term and its text in a list of facts; nothing where the text is NULL.
void page_fact(struct markup *out, const char *term, const char *text);
void page_moment(struct markup *out, const char *moment, time_t wall); // with how long ago
// "what does it do" as a link that asks first; nothing for who may not act.
void page_button(struct page *page, const char *deed, const char *label, const char *name, const char *portal);

#endif
