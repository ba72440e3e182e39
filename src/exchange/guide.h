// SPDX-License-Identifier: GPL-2.0-or-later
// Says where a flow really goes whose far end the application knows by another address: in a network that has other
// addresses over there, behind a name, or within this very node. Guides are asked in the order in which they were added,
// on the entrance's side; whether one may go there is the far side's business (edge/judge.h).
#ifndef EXCHANGE_GUIDE_H
#define EXCHANGE_GUIDE_H

#include "base/list.h"
#include "usher/record.h"

struct edge;
struct inner;

enum guide_answer {
    GUIDE_NOT_MINE, // the next one is asked
    GUIDE_LEADS,    // through the tunnel, to what the open says now
    GUIDE_SERVES,   // to its edge
    GUIDE_NOBODY,   // the address is the guide's, and nobody has it
};

// Part of what guides; zeroed but for the first two.
struct guide {
    // Changes where `open` goes, if it is the guide's to say; an address is in `addr`, however it came. Asked for every
    // opening, for datagrams of others, and for what is shown: it changes nothing else but when an address was used last.
    enum guide_answer (*lead)(const struct guide *guide, struct usher_open *open);
    struct edge *edge; // for GUIDE_SERVES: adopts them, one of the same exchange; may be NULL if it never says so

    // The exchange's, from exchange_add_guide on.
    struct list node;
    struct inner *inner;
};

#endif
