// SPDX-License-Identifier: GPL-2.0-or-later
// What the parts of a program tell of themselves. Each part has one X_describe, which tells its facts to whoever reads
// them: status, JSON, metrics. What a fact is called, means and is counted in is said there and nowhere else.
#ifndef BASE_FACTS_H
#define BASE_FACTS_H

#include <stdint.h>

enum fact_kind {
    FACT_COUNTER, // only grows; what two parts count under one name is one figure, their sum
    FACT_GAUGE,
    FACT_TEXT,
};

enum fact_unit {
    FACT_COUNT,
    FACT_BYTES,
    FACT_SECONDS,
    FACT_MICROSECONDS,
    FACT_UNIX_SECONDS, // since 1970
    FACT_SWITCH,       // 1: yes, 0: no
    FACT_WORDS,        // of texts
};

// Which one of several alike a fact is about.
struct fact_label {
    const char *name, *value;
    const struct fact_label *outer; // of what this one is a part of, or NULL
};

struct fact {
    const char *name; // a-z, 0-9 and _; "" in a list that has nothing but texts
    const char *help; // some words
    enum fact_kind kind;
    enum fact_unit unit;
    uint64_t value;                  // of counters and gauges
    const char *text;                // of texts; NULL: there is none at the moment
    const struct fact_label *labels; // the innermost first; NULL: none
};

enum facts_level { FACTS_GROUP, FACTS_LIST, FACTS_ITEM };

struct facts;

// One who reads. Everything that is told lives as long as the call.
struct facts_ops {
    void (*fact)(struct facts *facts, const struct fact *fact);
    // What follows belongs together, until `end`. `name` is "" for items.
    void (*begin)(struct facts *facts, enum facts_level level, const char *name);
    void (*end)(struct facts *facts);
};

struct facts {
    const struct facts_ops *ops;
    void *reader;
    const struct fact_label *labels; // of the items that are being told; NULL at first
};

// A part, as a reader that is not told its type takes it.
typedef void facts_describe(const void *part, struct facts *facts);

void facts_tell(struct facts *facts, const struct fact *fact);
void facts_counter(struct facts *facts, const char *name, const char *help, enum fact_unit unit, uint64_t value);
void facts_gauge(struct facts *facts, const char *name, const char *help, enum fact_unit unit, uint64_t value);
void facts_text(struct facts *facts, const char *name, const char *help, const char *text);

// A part within the part: its facts follow, and facts_end.
void facts_group(struct facts *facts, const char *name);
// Several alike: each follows as an item or a nameless text, and facts_end.
void facts_list(struct facts *facts, const char *name);
void facts_end(struct facts *facts);
// One of a list, which `label` tells from the others; it must last until facts_item_end.
void facts_item(struct facts *facts, struct fact_label *label);
void facts_item_end(struct facts *facts);

#endif
