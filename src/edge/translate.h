// SPDX-License-Identifier: GPL-2.0-or-later
// Where a far end really is that the peer knows under another address: behind this host's own ports, or in a network that
// has other addresses here. An exit asks it after the judge (edge/judge.h): rules are about what the peer asked for. What
// comes back needs no question: an exit keeps what was asked for beside where it went.
#ifndef EDGE_TRANSLATE_H
#define EDGE_TRANSLATE_H

#include "base/address.h"

enum { TRANSLATE_MAX = 2 };

// Part of what translates.
struct translate {
    // Where `asked` is, which the peer named and may reach: the first of its own IP version; the others are for when there
    // is no connection to be had with the first. Returns how many, at least one.
    size_t (*address)(const struct translate *translate, const struct address *asked,
                      struct address there[TRANSLATE_MAX]);
    // Where any host name is. NULL: names are resolved, and are where their addresses say.
    size_t (*name)(const struct translate *translate, struct address there[TRANSLATE_MAX]);
};

#endif
