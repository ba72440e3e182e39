// SPDX-License-Identifier: GPL-2.0-or-later
// The tables, read once more.

#include "usher/counters.h"

void usher_counters_add(struct usher_counters *to, const struct usher_counters *from)
{
#define ADD(name, help) to->name += from->name;
    USHER_COUNTERS(ADD)
#undef ADD
}

void usher_counters_add_since(struct usher_counters *to, const struct usher_counters *before,
                              const struct usher_counters *now)
{
#define ADD(name, help) to->name += now->name - before->name;
    USHER_COUNTERS(ADD)
#undef ADD
}

void usher_counters_describe(const struct usher_counters *counters, struct facts *facts)
{
#define TELL(name, help) facts_counter(facts, #name, help, FACT_BYTES, counters->name);
    USHER_BYTE_COUNTERS(TELL)
#undef TELL
#define TELL(name, help) facts_counter(facts, #name, help, FACT_COUNT, counters->name);
    USHER_EVENT_COUNTERS(TELL)
#undef TELL
}
