// SPDX-License-Identifier: GPL-2.0-or-later
// A tunnel within one node: two engines back to back. What an entrance opens here is adopted by an edge of the same
// exchange, and neither knows that there is no peer in between.
#ifndef EXCHANGE_INNER_H
#define EXCHANGE_INNER_H

#include "edge/edge.h"
#include "usher/engine.h"

struct inner;

// `wake`: inner_turn must be called before the loop sleeps; only a flag may be set in it.
struct inner *inner_new(struct edge *serves, void (*wake)(void *owner), void *owner);
// Every session ends as LOST.
void inner_free(struct inner *inner);
// Where sessions are opened.
struct usher_engine *inner_engine(const struct inner *inner);
// Carries records until neither side has any, or the batch is full: then it has asked for another turn.
void inner_turn(struct inner *inner, usec_t now);

#endif
