// SPDX-License-Identifier: GPL-2.0-or-later
// Text that came from a peer, made safe for a log line.
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>

// Writes `text` into `room` with every byte that is not printable ASCII, and the backslash and the double quote, as
// \xNN; cuts at `size` with "..." and always ends with NUL. Returns `room`. `size` is at least 8.
const char *text_escape(char *room, size_t size, const char *text);

#endif
