// SPDX-License-Identifier: GPL-2.0-or-later
// One far end of an association that may have many, for who keeps accounts: from the first datagram that may go there until
// that far end gives way or the association is over. The edge counts, and calls `over` once, after which it is dead.
#ifndef EDGE_VISIT_H
#define EDGE_VISIT_H

#include <stdint.h>

enum visit_end {
    VISIT_OVER,     // with its association
    VISIT_GAVE_WAY, // to another far end: no more are remembered
    VISIT_DENIED,   // the rules have changed
    VISIT_ENDS
};

struct visit {
    uint64_t received, sent; // bytes of payload, from the peer and to it
    void (*over)(struct visit *visit, enum visit_end end);
};

#endif
