// SPDX-License-Identifier: GPL-2.0-or-later
// How sessions begin: the peer's opens, and its answers to ours.
#ifndef USHER_RECEIVE_OPEN_H
#define USHER_RECEIVE_OPEN_H

#include "usher/record.h"

struct usher_engine;

void receive_open(struct usher_engine *engine, uint16_t id, const struct usher_open *open);
void receive_open_reply(struct usher_engine *engine, uint16_t id, uint16_t rc, const char *reason);

#endif
