// SPDX-License-Identifier: GPL-2.0-or-later
// Labels are a chain on the tellers' stacks: an item's is in front while the item is told.

#include "base/facts.h"

void facts_tell(struct facts *facts, const struct fact *fact)
{
    struct fact labelled = *fact;
    labelled.labels = facts->labels;
    facts->ops->fact(facts, &labelled);
}

void facts_counter(struct facts *facts, const char *name, const char *help, enum fact_unit unit, uint64_t value)
{
    const struct fact fact = {.name = name, .help = help, .kind = FACT_COUNTER, .unit = unit, .value = value};
    facts_tell(facts, &fact);
}

void facts_gauge(struct facts *facts, const char *name, const char *help, enum fact_unit unit, uint64_t value)
{
    const struct fact fact = {.name = name, .help = help, .kind = FACT_GAUGE, .unit = unit, .value = value};
    facts_tell(facts, &fact);
}

void facts_text(struct facts *facts, const char *name, const char *help, const char *text)
{
    const struct fact fact = {.name = name, .help = help, .kind = FACT_TEXT, .unit = FACT_WORDS, .text = text};
    facts_tell(facts, &fact);
}

void facts_group(struct facts *facts, const char *name)
{
    facts->ops->begin(facts, FACTS_GROUP, name);
}

void facts_list(struct facts *facts, const char *name)
{
    facts->ops->begin(facts, FACTS_LIST, name);
}

void facts_end(struct facts *facts)
{
    facts->ops->end(facts);
}

void facts_item(struct facts *facts, struct fact_label *label)
{
    label->outer = facts->labels;
    facts->labels = label;
    facts->ops->begin(facts, FACTS_ITEM, "");
}

void facts_item_end(struct facts *facts)
{
    facts->ops->end(facts);
    facts->labels = facts->labels->outer;
}
