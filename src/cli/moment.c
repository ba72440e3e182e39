// SPDX-License-Identifier: GPL-2.0-or-later

#include "cli/moment.h"

const char *moment_text(char room[MOMENT_TEXT_SIZE], time_t at)
{
    struct tm utc;
    if (!gmtime_r(&at, &utc) || !strftime(room, MOMENT_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc))
        room[0] = '\0';
    return room;
}
