// SPDX-License-Identifier: GPL-2.0-or-later
// One line of what a person typed into telnet, netcat or anything alike. No I/O: it is looked at what has come so far, and
// told how much of it the line takes, so that nothing behind it is read.
#ifndef EDGE_LISTEN_ASK_LINE_H
#define EDGE_LISTEN_ASK_LINE_H

#include <stddef.h>
#include <stdint.h>

enum {
    LINE_TEXT_SIZE = 320,  // of a host of 255 bytes and a port, with room for a person's spaces
    LINE_BYTES_MAX = 1024, // of a line as it comes: a telnet client may talk of itself in between
};

// The bytes that the line takes, its end included: LF, CR LF, CR NUL, or a CR that something else follows. 0: more must come.
// `text` gets what stands in it without telnet's commands (RFC 854); a byte that is no printable ASCII becomes "?", and what
// does not fit is left out.
size_t line_take(char text[LINE_TEXT_SIZE], const uint8_t *bytes, size_t len);

#endif
