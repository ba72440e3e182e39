// SPDX-License-Identifier: GPL-2.0-or-later
// What is a host name, and which pattern it matches. Nothing passes as a name here that some resolver would read as an
// address ("127.1", "0x7f.1", "2130706433"): such spellings would walk around every rule about addresses.
#include "exchange/policy/name.h"
#include "exchange/policy/policy.h"

#include <string.h>
#include <strings.h>

enum { LABEL_MAX_LENGTH = 63 }; // RFC 1035 section 2.3.4

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

static size_t length_without_dot(const char *host)
{
    size_t len = strlen(host);
    return len > 0 && host[len - 1] == '.' ? len - 1 : len;
}

bool policy_host_is_valid(const char *host)
{
    size_t len = length_without_dot(host);
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

bool name_pattern_is_valid(const char *pattern)
{
    if (strncmp(pattern, "*.", 2) == 0)
        pattern += 2;
    return policy_host_is_valid(pattern);
}

bool name_matches(const char *pattern, const char *host)
{
    size_t host_len = length_without_dot(host);
    size_t pattern_len = length_without_dot(pattern);
    if (pattern[0] != '*')
        return host_len == pattern_len && strncasecmp(host, pattern, host_len) == 0;
    // What follows the asterisk begins with a dot, so the match ends at a label's edge; something must stand before it.
    size_t tail_len = pattern_len - 1;
    return host_len > tail_len && strncasecmp(host + host_len - tail_len, pattern + 1, tail_len) == 0;
}
