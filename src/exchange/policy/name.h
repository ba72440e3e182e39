// SPDX-License-Identifier: GPL-2.0-or-later
// Host names in rules: "host.example" matches itself, "*.example" every name below example but not example itself.
// Letters match without regard to case; one dot at the end (a fully qualified name) counts for nothing.
#ifndef EXCHANGE_POLICY_NAME_H
#define EXCHANGE_POLICY_NAME_H

#include <stdbool.h>

// Longest name in text form, without its NUL (RFC 1035 section 2.3.4: 255 bytes on the wire).
enum { NAME_MAX_LENGTH = 253 };

bool name_pattern_is_valid(const char *pattern);
bool name_matches(const char *pattern, const char *host);

#endif
