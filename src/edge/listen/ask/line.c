// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/listen/ask/line.h"

#include <stdbool.h>

// RFC 854: commands, of which those from WILL on have an option behind them, and SB goes on until SE.
enum { TELNET_SE = 240, TELNET_SB = 250, TELNET_WILL = 251, TELNET_IAC = 255 };

// The bytes of a subnegotiation that begins with IAC SB; 0: it has not come to its end.
static size_t subnegotiation(const uint8_t *bytes, size_t len)
{
    for (size_t at = 2; at + 1 < len; at++) {
        if (bytes[at] != TELNET_IAC)
            continue;
        if (bytes[at + 1] == TELNET_SE)
            return at + 2;
        at++; // IAC IAC is a byte of data
    }
    return 0;
}

// The bytes of a command, which begins with IAC; 0: more must come.
static size_t command(const uint8_t *bytes, size_t len)
{
    if (len < 2)
        return 0;
    if (bytes[1] == TELNET_SB)
        return subnegotiation(bytes, len);
    size_t need = bytes[1] >= TELNET_WILL && bytes[1] != TELNET_IAC ? 3 : 2;
    return len < need ? 0 : need;
}

// The bytes of a line's end; 0: what follows a CR has not come yet.
static size_t line_end(const uint8_t *bytes, size_t len)
{
    if (bytes[0] == '\n')
        return 1;
    if (len < 2)
        return 0;
    return bytes[1] == '\n' || bytes[1] == '\0' ? 2 : 1;
}

static char shown(uint8_t byte)
{
    if (byte == '\t')
        return ' ';
    return byte >= ' ' && byte <= '~' ? (char)byte : '?';
}

size_t line_take(char text[LINE_TEXT_SIZE], const uint8_t *bytes, size_t len)
{
    size_t used = 0, at = 0;
    while (at < len) {
        uint8_t byte = bytes[at];
        bool ends = byte == '\n' || byte == '\r';
        bool is_command = byte == TELNET_IAC;
        size_t taken = ends ? line_end(bytes + at, len - at) : is_command ? command(bytes + at, len - at) : 1;
        if (taken == 0)
            return 0;
        bool is_data = !ends && byte != '\0' && (!is_command || bytes[at + 1] == TELNET_IAC);
        if (is_data && used + 1 < LINE_TEXT_SIZE)
            text[used++] = shown(byte);
        at += taken;
        if (ends) {
            text[used] = '\0';
            return at;
        }
    }
    return 0;
}
