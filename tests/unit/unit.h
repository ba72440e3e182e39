// SPDX-License-Identifier: GPL-2.0-or-later
// What every unit test includes: cmocka with the headers it needs, and two helpers for tables of cases.
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// One row of a table holds: a failure names the row.
#define CASE(name, condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail_msg("%s: %s", (name), #condition);                                                                    \
    } while (0)

#endif
