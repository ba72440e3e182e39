// SPDX-License-Identifier: GPL-2.0-or-later
// Where a client wants to go: a flow of the relay, whose socket is the client's.
#ifndef EDGE_LISTEN_ASK_ANSWER_H
#define EDGE_LISTEN_ASK_ANSWER_H

#include "edge/listen/ask/internal.h"

void answers_init(struct ask *ask);
// Takes the client's socket, of which nothing but the answer was read.
void answer_begin(struct ask *ask, int fd, const struct endpoint *client, const struct usher_open *to);
// Of edge_kind.
void answer_want(const struct opening *opening, struct want *out);
void answer_placed(struct opening *opening);
void answer_refused(struct opening *opening, enum usher_word word, const char *text);

#endif
