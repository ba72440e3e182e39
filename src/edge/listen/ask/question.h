// SPDX-License-Identifier: GPL-2.0-or-later
// One connection from accept until it has said where it wants to go, within 60 s and three answers. There is no buffer: what
// has come is looked at where it lies, and whole lines are taken from the socket, so that nothing behind them is read. When
// too many are under way the oldest is dropped for a new one.
#ifndef EDGE_LISTEN_ASK_QUESTION_H
#define EDGE_LISTEN_ASK_QUESTION_H

#include "edge/listen/ask/internal.h"

void questions_init(struct ask *ask);
void question_begin(struct ask *ask, int fd, const struct endpoint *client);
// Ends those whose time is up and sets the alarm for the next.
void questions_expire(struct ask *ask, usec_t now);
void questions_end_all(struct ask *ask);

#endif
