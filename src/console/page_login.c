// SPDX-License-Identifier: GPL-2.0-or-later
// Pages with a sentence or two.

#include "console/pages.h"

void login_page(struct page *page, const char *why)
{
    page_begin(page, "Log in", "");
    markup_raw(page->out, "<section class=\"narrow\"><h1>Log in</h1>");
    if (why)
        markup_form(page->out, "<p class=\"notice\" role=\"alert\">%s</p>", why);
    markup_raw(page->out, "<p>Open the link that <code>usher-console</code> printed when it started. It is good once. "
                          "For a fresh one:</p><pre>systemctl kill -s USR1 usher-console\njournalctl -u usher-console "
                          "-n 1</pre></section>");
    page_end(page);
}

// A cookie that only our own pages get is not sent behind a link from elsewhere, so the next step is this page's.
void welcome_page(struct page *page)
{
    markup_raw(page->out,
               "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Logged in - usher</title>"
               "<meta http-equiv=\"refresh\" content=\"0;url=/\"><link rel=\"stylesheet\" href=\"/style.css\">"
               "<link rel=\"icon\" href=\"/icon.svg\" type=\"image/svg+xml\">"
               "</head><body><main id=\"main\"><p>You are logged in: <a href=\"/\">to the overview</a>.</p></main>"
               "</body></html>\n");
}

void sentence_page(struct page *page, const char *title, const char *sentence)
{
    page_begin(page, title, "");
    markup_form(page->out,
                "<section class=\"narrow\"><h1>%s</h1><p>%s</p><p><a href=\"/\">Back to the overview</a></p></section>",
                title, sentence);
    page_end(page);
}
