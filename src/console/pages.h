// SPDX-License-Identifier: GPL-2.0-or-later
// The pages, each whole. What they need was asked before; they only write.
#ifndef CONSOLE_PAGES_H
#define CONSOLE_PAGES_H

#include "console/page.h"

void overview_page(struct page *page);
void instance_page(struct page *page, const struct source_instance *instance);
// A portal as its gate sees it. False: it is not there.
bool branch_page(struct page *page, const struct source_instance *gate, const char *name);
// `flows` NULL: why not, in one sentence.
void flows_page(struct page *page, const struct source_instance *instance, const struct told *flows, const char *why);
void flows_choice_page(struct page *page); // of whom?
void denials_page(struct page *page);
void certificates_page(struct page *page);
void login_page(struct page *page, const char *why);
void welcome_page(struct page *page);
void sentence_page(struct page *page, const char *title, const char *sentence);

#endif
