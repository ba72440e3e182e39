// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/page.h"

#include "cli/version.h"
#include "console/units.h"

#include <string.h>

static const char *const PLACES[][2] = {
    {"/", "Overview"},
    {"/flows", "Flows"},
    {"/denials", "Denials"},
    {"/certificates", "Certificates"},
};

static void navigation(struct page *page, const char *place)
{
    markup_raw(page->out, "<nav aria-label=\"Main\"><ul>");
    for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++)
        markup_form(page->out, "<li><a href=\"%s\" aria-current=\"%s\">%s</a></li>", PLACES[i][0],
                    strcmp(PLACES[i][0], place) ? "false" : "page", PLACES[i][1]);
    markup_raw(page->out, "</ul></nav>");
}

void page_begin(struct page *page, const char *title, const char *place)
{
    markup_form(
        page->out,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s - usher</title>"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
        "<meta name=\"color-scheme\" content=\"light dark\">"
        "<link rel=\"stylesheet\" href=\"/style.css\"><link rel=\"icon\" href=\"/icon.svg\" type=\"image/svg+xml\">",
        title);
    if (page->login)
        markup_raw(page->out, "<script src=\"/live.js\" defer></script>");
    markup_raw(page->out, "</head><body><a class=\"skip\" href=\"#main\">Skip to the content</a>"
                          "<header><div class=\"bar\"><a class=\"mark\" href=\"/\">"
                          "<img src=\"/icon.svg\" alt=\"\" width=\"22\" height=\"22\">usher</a>");
    if (page->login) {
        navigation(page, place);
        markup_form(page->out,
                    "<form class=\"leave\" method=\"post\" action=\"/logout\"><input type=\"hidden\" name=\"token\" "
                    "value=\"%s\"><button class=\"quiet\" title=\"%s\">Log out</button></form>",
                    page->login->token, page->login->who);
    }
    markup_raw(page->out, "</div></header><main id=\"main\">");
    if (page->login && *page->login->notice) {
        markup_form(page->out, "<p class=\"notice\" role=\"status\">%s</p>", page->login->notice);
        *page->login->notice = '\0';
    }
}

void page_end(struct page *page)
{
    markup_raw(page->out, "</main><footer><p>usher-console ");
    markup_text(page->out, version_text);
    markup_raw(page->out, "<span id=\"live\" aria-live=\"off\"></span></p></footer></body></html>\n");
}

void page_state(struct markup *out, const char *state)
{
    const char *kind = !strcmp(state, "up")           ? "good"
                       : !strcmp(state, "connecting") ? "warn"
                       : !strcmp(state, "silent")     ? "bad"
                                                      : "off";
    markup_form(out, "<span class=\"state %s\">%s</span>", kind, state);
}

void page_fact(struct markup *out, const char *term, const char *text)
{
    if (text)
        markup_form(out, "<div><dt>%s</dt><dd>%s</dd></div>", term, text);
}

void page_moment(struct markup *out, const char *moment, time_t wall)
{
    char ago[UNITS_SIZE];
    if (units_moment(moment) < 0)
        markup_raw(out, "-");
    else
        markup_form(out, "<time datetime=\"%s\" title=\"%s\">%s</time>", moment, moment, units_ago(ago, moment, wall));
}

void page_button(struct page *page, const char *deed, const char *label, const char *name, const char *portal)
{
    if (!page->login || !page->login->may_act)
        return;
    markup_form(page->out, "<a class=\"button %s\" href=\"/ask?do=%u&amp;name=%u", deed, deed, name);
    if (portal)
        markup_form(page->out, "&amp;portal=%u", portal);
    markup_form(page->out, "\">%s</a>", label);
}
