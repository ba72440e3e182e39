// SPDX-License-Identifier: GPL-2.0-or-later
// What errno means to the other end.
#ifndef EDGE_RELAY_REASON_H
#define EDGE_RELAY_REASON_H

#include "base/address.h"
#include "usher/reason.h"

enum { REASON_ROOM = 160 };

enum usher_word reason_word(int error);
// The other way round: what connect(2) would say of a session that was refused so.
int reason_errno(enum usher_word word, const char *text);
// What is unreachable, "host" or "net"; "" with other words.
const char *reason_what(int error);
// The text behind the word: "10.73.0.9:80: Connection refused". Behind `unreachable` the first word says what is, "host"
// or "net", because an application sees these apart.
const char *reason_text(char room[REASON_ROOM], int error, const struct endpoint *to);

#endif
