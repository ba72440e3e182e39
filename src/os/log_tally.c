// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/log_tally.h"

#include "os/log.h"

#include <stdarg.h>
#include <stdio.h>

enum { WHAT_SIZE = 512 }; // bytes; a line is not longer than twice that

void log_tally(struct log_tally *tally, uint64_t total, usec_t now, const char *format, ...)
{
    if (total < tally->told)
        tally->told = 0;
    if (total == tally->told || now < tally->next)
        return;
    char what[WHAT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    log_event(tally->event, LOG_LEVEL_WARNING, "%s: %llu, in all %llu", what, (unsigned long long)(total - tally->told),
              (unsigned long long)total);
    tally->told = total;
    tally->next = now + LOG_TALLY_PAUSE;
}
