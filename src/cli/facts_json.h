// SPDX-License-Identifier: GPL-2.0-or-later
// Facts as JSON: a group is an object, a list an array, a moment ISO 8601 in UTC, a text that is not there null. All the
// JSON that a program gives out is written here.
#ifndef CLI_FACTS_JSON_H
#define CLI_FACTS_JSON_H

#include "base/facts.h"

// One object, compact, of the caller's (free). What is told first stands; counters of one name are added up.
char *facts_json(facts_describe *describe, const void *part);

#endif
