// SPDX-License-Identifier: GPL-2.0-or-later
// What is a host name. Nothing passes as one here that some resolver would read as an address ("127.1", "0x7f.1",
// "2130706433"): such spellings would walk around every rule about addresses.
#include "base/host_name.h"

#include <stdio.h>
#include <string.h>

enum {
    LABEL_MAX_LENGTH = 63, // RFC 1035 section 2.3.4
    NAME_MAX_LENGTH = 253, // the same: 255 bytes on the wire
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Hyphens stand inside a label only (RFC 1123 section 2.1); underscores are no part of host names but of many that are
// in use.
static bool label_is_valid(const char *label, size_t len)
{
    if (len == 0 || len > LABEL_MAX_LENGTH || label[0] == '-' || label[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_letter(label[i]) && !is_digit(label[i]) && label[i] != '-' && label[i] != '_')
            return false;
    return true;
}

// The WHATWG URL standard's "ends in a number" checker: decimal digits alone, or 0x with hexadecimal digits or none.
static bool label_is_numeric(const char *label, size_t len)
{
    if (len >= 2 && label[0] == '0' && (label[1] == 'x' || label[1] == 'X'))
        return strspn(label + 2, "0123456789abcdefABCDEF") >= len - 2;
    return strspn(label, "0123456789") >= len;
}

size_t host_name_length(const char *host)
{
    size_t len = strlen(host);
    return len > 0 && host[len - 1] == '.' ? len - 1 : len;
}

bool host_name_is_valid(const char *host)
{
    size_t len = host_name_length(host);
    if (len == 0 || len > NAME_MAX_LENGTH)
        return false;
    const char *label = host;
    for (;;) {
        size_t left = (size_t)(host + len - label);
        const char *dot = memchr(label, '.', left);
        size_t label_len = dot ? (size_t)(dot - label) : left;
        if (!label_is_valid(label, label_len))
            return false;
        if (!dot)
            return !label_is_numeric(label, label_len);
        label = dot + 1;
    }
}

const char *host_port_text(char *room, size_t size, const char *host, uint16_t port)
{
    snprintf(room, size, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
    return room;
}
