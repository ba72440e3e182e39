// SPDX-License-Identifier: GPL-2.0-or-later
// Why an open failed or a session was reset: REASON is "word: text" (doc/PROTOCOL.md section 4).
#ifndef USHER_REASON_H
#define USHER_REASON_H

#include <stddef.h>

enum usher_word {
    USHER_FAILED, // also any word that we do not know
    USHER_REFUSED,
    USHER_UNREACHABLE,
    USHER_TIMEOUT,
    USHER_DENIED,
    USHER_RESOLVE,
    USHER_LIMIT,
    USHER_UNSUPPORTED,
    USHER_WORDS // how many
};

// Reads the word at the head of `reason`; `*text` is set to what stands behind "word: ".
enum usher_word usher_reason_parse(const char *reason, const char **text);
// Writes "word: text" into `room`, cut to fit; returns `room`.
const char *usher_reason_write(char *room, size_t size, enum usher_word word, const char *text);

#endif
