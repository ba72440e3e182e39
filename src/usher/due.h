// SPDX-License-Identifier: GPL-2.0-or-later
// What a session has to say: the control records that wait to be pulled, sessions in the order in which they first had
// something. It is a thing of its own, and exists only while there is something: most of ten thousand held sessions have
// nothing to say.
#ifndef USHER_DUE_H
#define USHER_DUE_H

#include "base/list.h"
#include "usher/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct usher_session;

// In the order in which they are pulled.
enum due_what {
    DUE_RECORD = 1 << 0, // the encoded one: UsherOpen, UsherOpenReply and UsherRST exclude each other
    DUE_ACK = 1 << 1,
    DUE_CLOSE = 1 << 2,
};

struct due {
    struct list link; // among all that wait
    struct usher_session *session;
    uint8_t what; // enum due_what, any of them
    bool last;    // the id is released when `record` has been pulled
    int16_t type; // of `record`, enum record_type
    uint16_t len;
    uint8_t record[];
};

// All of these take the place where a session keeps what is due for it; NULL in there: nothing.

// Adds ack or close: at the end of `waiting`, or where the session waits already.
void due_add(struct due **due, struct list *waiting, struct usher_session *session, enum due_what what);
// Adds a copy of an encoded record, of which the bytes end at w->at. Nothing may be due for the session before.
void due_add_record(struct due **due, struct list *waiting, struct usher_session *session, enum record_type type,
                    const struct writer *w, const uint8_t *bytes);
// That one is done, or no longer needed; with the last of them `*due` goes.
void due_done(struct due **due, enum due_what what);
void due_drop(struct due **due);

// Which of them is to be pulled.
enum due_what due_first(const struct due *due);
bool due_has_record(const struct due *due, enum record_type type);

#endif
