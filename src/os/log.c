// SPDX-License-Identifier: GPL-2.0-or-later
// Each line is one write(2), so that lines of the supervisor and its workers never mix on a shared stderr.
#include "os/log.h"

#include "os/journal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

// Bytes of a line with its newline; the sentence of a fault (512) fits with room for a name. A longer line is cut.
enum { LINE_SIZE = 1024, NAME_SIZE = 64 };

static enum log_level most = LOG_LEVEL_INFO;
static char front[NAME_SIZE + 2]; // the name and ": ", or nothing

static const int priorities[] = {
    [LOG_LEVEL_ERROR] = LOG_ERR,
    [LOG_LEVEL_WARNING] = LOG_WARNING,
    [LOG_LEVEL_INFO] = LOG_INFO,
    [LOG_LEVEL_DEBUG] = LOG_DEBUG,
};

void log_set_level(enum log_level level)
{
    most = level;
}

void log_set_name(const char *name)
{
    snprintf(front, sizeof front, "%.*s%s", NAME_SIZE - 1, name, *name ? ": " : "");
    journal_open();
}

void log_set_field(enum log_field field, const char *value)
{
    journal_set(field, value);
}

static void write_line(enum log_event event, enum log_level level, const char *format, va_list args)
{
    if (level > most)
        return;
    int before = errno;
    char line[LINE_SIZE];
    size_t used = journal_is_stderr() ? (size_t)snprintf(line, sizeof line, "<%d>", priorities[level]) : 0;
    const size_t text = used;
    used += (size_t)snprintf(line + used, sizeof line - used, "%s", front);

    errno = before;                       // for %m
    size_t room = sizeof line - used - 1; // the newline takes the place of the NUL
    int len = vsnprintf(line + used, room, format, args);
    if (len >= 0 && (size_t)len < room) {
        used += (size_t)len;
    } else {
        used += room - 1;
        memcpy(line + used - 3, "...", 3);
    }
    if (text && journal_send(priorities[level], event, line + text, used - text)) {
        errno = before;
        return;
    }
    line[used++] = '\n';
    // A log that nobody takes (a full pipe, a closed terminal) is no reason to stop.
    ssize_t ignored = write(STDERR_FILENO, line, used);
    (void)ignored;
    errno = before;
}

void log_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(LOG_EVENT_NONE, LOG_LEVEL_ERROR, format, args);
    va_end(args);
}

void log_warning(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(LOG_EVENT_NONE, LOG_LEVEL_WARNING, format, args);
    va_end(args);
}

void log_info(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(LOG_EVENT_NONE, LOG_LEVEL_INFO, format, args);
    va_end(args);
}

void log_debug(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(LOG_EVENT_NONE, LOG_LEVEL_DEBUG, format, args);
    va_end(args);
}

void log_event(enum log_event event, enum log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(event, level, format, args);
    va_end(args);
}
