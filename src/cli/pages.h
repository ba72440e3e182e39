// SPDX-License-Identifier: GPL-2.0-or-later
// What an instance answers to a question, whole: what it tells in pages is asked for until there are no more.
#ifndef CLI_PAGES_H
#define CLI_PAGES_H

#include "base/fault.h"

struct json_t;

struct pages {
    const char *line; // of the control socket
    // The member of the answers that is told in pages. Its rows are sorted by their `by`, and within that the oldest first.
    // NULL: an answer is whole.
    const char *list, *by;
    const char *of; // whose it is to be; NULL: everybody's
};

// Of the instance whose control socket that is; NULL with a fault. An answer that is an error is an answer.
struct json_t *pages_ask(const char *path, const struct pages *pages, struct fault *fault);

#endif
