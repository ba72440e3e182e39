// SPDX-License-Identifier: GPL-2.0-or-later
#include "exchange/policy/name.h"

#include "base/host_name.h"

#include <string.h>
#include <strings.h>

bool name_pattern_is_valid(const char *pattern)
{
    if (strncmp(pattern, "*.", 2) == 0)
        pattern += 2;
    return host_name_is_valid(pattern);
}

bool name_matches(const char *pattern, const char *host)
{
    size_t host_len = host_name_length(host);
    size_t pattern_len = host_name_length(pattern);
    if (pattern[0] != '*')
        return host_len == pattern_len && strncasecmp(host, pattern, host_len) == 0;
    // What follows the asterisk begins with a dot, so the match ends at a label's edge; something must stand before it.
    size_t tail_len = pattern_len - 1;
    return host_len > tail_len && strncasecmp(host + host_len - tail_len, pattern + 1, tail_len) == 0;
}
