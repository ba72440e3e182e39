// SPDX-License-Identifier: GPL-2.0-or-later
// The byte stream cut into records, and no more than that. Bodies of UsherSend pass through as sub-slices of what was
// fed, as they come, never copied; any other body is handed over whole, in place when it came whole, else gathered in one
// buffer that exists only from the first such body to the next trim.
#ifndef USHER_INTAKE_H
#define USHER_INTAKE_H

#include "base/chunk.h"
#include "base/clock.h"
#include "usher/record.h"

struct usher_session;

#define INTAKE_RECORD_TIMEOUT (30 * USEC_PER_SEC) // for one record to come in whole (a body at 17 kbit/s)

struct intake {
    uint8_t head[USHER_HEADER_SIZE];
    uint8_t head_len; // bytes of `head` that are there
    bool in_body;
    struct record_header header;      // valid while in_body
    uint32_t left;                    // bytes of the body still to come
    struct usher_session *target;     // of an UsherSend; NULL: the rest of the body is skipped
    uint8_t *gathered;                // USHER_BODY_MAX bytes, or NULL
    uint64_t taken;                   // records, to their last byte
    uint8_t again[USHER_HEADER_SIZE]; // header of an UsherSend that another link brings once more
    bool is_again;
    uint32_t again_len; // bytes of its body that were handed over the first time
    usec_t since;       // when the unfinished record began; USEC_NEVER between records
};

enum intake_what {
    INTAKE_NOTHING, // all that came is consumed
    INTAKE_SEND,    // the header of an UsherSend: intake_aim says whose it is, before the next piece is asked for
    INTAKE_BYTES,   // a run of its body
    INTAKE_RECORD,  // any other record, whole
    INTAKE_BROKEN,  // a header that breaks section 2: nothing behind it can be read
};

struct intake_piece {
    struct record_header header;  // INTAKE_SEND, INTAKE_RECORD
    const uint8_t *body;          // INTAKE_RECORD: valid until the next piece is asked for
    struct usher_session *target; // INTAKE_BYTES
    struct slice bytes;           // INTAKE_BYTES
};

void intake_init(struct intake *intake);
void intake_fini(struct intake *intake);
// The next piece of `in`, which is advanced behind it. Between two calls any session may have been forgotten.
enum intake_what intake_next(struct intake *intake, struct slice *in, struct intake_piece *piece, usec_t now);
// Whose the UsherSend is that begins; without a call it is skipped.
void intake_aim(struct intake *intake, struct usher_session *session);
// The session takes no more: what is left of its UsherSend is skipped.
void intake_forget(struct intake *intake, const struct usher_session *session);

// The stream goes on with the first byte of the first record that was not taken. What was gathered of that is dropped; what
// of an UsherSend was handed over is skipped when it comes again, by the same header.
void intake_begin_again(struct intake *intake);
usec_t intake_deadline(const struct intake *intake);
// Gives the buffer back when it is not in use.
void intake_trim(struct intake *intake);

#endif
