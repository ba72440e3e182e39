// SPDX-License-Identifier: GPL-2.0-or-later
// Base64 (RFC 4648) in its two alphabets: with padding as files have it, and for addresses and command lines, without.
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BASE64_SIZE(LEN) (((LEN) + 2) / 3 * 4 + 1) // of the text, with its NUL

// Of the first alphabet; `room` has BASE64_SIZE(len).
void base64_encode(char *room, const uint8_t *bytes, size_t len);
// Of the second ("-" and "_", no padding), in the one way that is right. `room` has 3/4 of the text's length and is wiped by
// whoever knows why. False, with `*len` bytes of no meaning, when it is anything else.
bool base64url_decode(uint8_t *room, size_t *len, const char *text, size_t text_len);

#endif
