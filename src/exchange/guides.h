// SPDX-License-Identifier: GPL-2.0-or-later
// All guides of an exchange, and the inner tunnels of those with an edge.
#ifndef EXCHANGE_GUIDES_H
#define EXCHANGE_GUIDES_H

#include "base/clock.h"
#include "exchange/guide.h"

struct usher_engine;

struct guides {
    struct list list;
    void (*wake)(void *owner); // a turn must be run before the loop sleeps
    void *owner;
};

void guides_init(struct guides *guides, void (*wake)(void *owner), void *owner);
// Ends what runs in inner tunnels. The guides are their owners'.
void guides_fini(struct guides *guides);
void guides_add(struct guides *guides, struct guide *guide);

// What the first guide says that knows it, in `open`; NOT_MINE if none does. With GUIDE_SERVES `*through` is the engine of
// the inner tunnel that it opens in.
enum guide_answer guides_lead(const struct guides *guides, struct usher_open *open, struct usher_engine **through);
// Whether any guide knows the address. What goes there has that one far end.
bool guides_know(const struct guides *guides, uint16_t protocol, const struct endpoint *to);
// Carries what waits in inner tunnels.
void guides_turn(struct guides *guides, usec_t now);

#endif
