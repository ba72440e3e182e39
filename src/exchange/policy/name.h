// SPDX-License-Identifier: GPL-2.0-or-later
// Host names in rules: "host.example" matches itself, "*.example" every name below example but not example itself.
// Letters match without regard to case; one dot at the end (a fully qualified name) counts for nothing.
#ifndef EXCHANGE_POLICY_NAME_H
#define EXCHANGE_POLICY_NAME_H

#include <stdbool.h>

bool name_pattern_is_valid(const char *pattern);
bool name_matches(const char *pattern, const char *host);

#endif
