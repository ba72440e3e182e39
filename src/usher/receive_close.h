// SPDX-License-Identifier: GPL-2.0-or-later
// How sessions end by the peer: UsherClose and UsherRST (doc/PROTOCOL.md sections 6 and 7).
#ifndef USHER_RECEIVE_CLOSE_H
#define USHER_RECEIVE_CLOSE_H

#include "usher/record.h"

struct usher_engine;

void receive_close(struct usher_engine *engine, uint16_t id, enum usher_direction direction);
void receive_rst(struct usher_engine *engine, uint16_t id, const char *reason);

#endif
