// SPDX-License-Identifier: GPL-2.0-or-later
// A source of answers besides the servers: for names that are mapped, it makes them up. It is asked first.
#ifndef EDGE_NAMES_SOURCE_H
#define EDGE_NAMES_SOURCE_H

#include "packet/dns.h"

struct names_source;
struct names_question; // one that somebody waits for

// What it does; its own structure begins with a struct names_source.
struct names_source_ops {
    // Whether the answer is its business, whatever it will be. `name` is that of the question, as packet/dns.h writes it.
    bool (*owns)(const struct names_source *source, const struct dns_question *question, const char *name);
    // Answers by names_answer, from within or later, once.
    void (*ask)(struct names_source *source, struct names_question *pending, const struct dns_question *question,
                const char *name);
    // Nobody waits any more: no answer, and the question is gone.
    void (*forget)(struct names_source *source, struct names_question *pending);
};

struct names_source {
    const struct names_source_ops *ops;
};

// To whoever waits; the question is gone.
void names_answer(struct names_question *pending, const struct dns_answer *answer);

#endif
