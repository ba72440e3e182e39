// SPDX-License-Identifier: GPL-2.0-or-later
// The bound of what readers that have stopped make us hold. Credit bounds it for each session, and a budget what windows
// have beyond their first 64 KiB; but those come with every session, and thousands of them are more than a small machine
// has. When all sessions together hold more than `held_budget`, those whose data have not moved for the longest are
// reset, until an eighth of it is free: the flows that move live on, where running out of memory would end them all.
#ifndef USHER_EVICTION_H
#define USHER_EVICTION_H

// What both edges hear, with the word `limit`.
#define EVICTION_REASON "its data were not taken, and memory ran short"

struct usher_engine;

// At the end of a feed, which is what makes more be held. Costs nothing below the budget.
void eviction_run(struct usher_engine *engine);

#endif
