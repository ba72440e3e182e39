// SPDX-License-Identifier: GPL-2.0-or-later
// A question by TCP and its answer, as bytes: each behind its length (RFC 1035 section 4.2.2).
#ifndef EDGE_NAMES_FRAMED_H
#define EDGE_NAMES_FRAMED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Zeroed: nothing has gone or come.
struct names_framed {
    size_t sent;
    size_t got; // bytes of the answer, with its length
    uint8_t length[2];
    uint8_t *answer; // NULL: its length has not come
};

// The next bytes of `message` to send, at most `size`; names_framed.sent says how many of all are gone.
size_t names_framed_next(const struct names_framed *framed, const uint8_t *message, size_t len, uint8_t *room,
                         size_t size);
// Takes bytes of the answer; true once it is whole. What comes behind it counts for nothing.
bool names_framed_take(struct names_framed *framed, const uint8_t *bytes, size_t len);
size_t names_framed_len(const struct names_framed *framed); // of a whole answer
void names_framed_fini(struct names_framed *framed);

#endif
