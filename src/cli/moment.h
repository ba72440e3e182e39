// SPDX-License-Identifier: GPL-2.0-or-later
// Points in time as people and programs read them: ISO 8601, UTC.
#ifndef CLI_MOMENT_H
#define CLI_MOMENT_H

#include <time.h>

enum { MOMENT_TEXT_SIZE = 32 };

// "2026-11-24T06:50:37Z"; returns `room`.
const char *moment_text(char room[MOMENT_TEXT_SIZE], time_t at);

#endif
