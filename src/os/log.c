// SPDX-License-Identifier: GPL-2.0-or-later
// Each line is one write(2), so that lines of the supervisor and its workers never mix on a shared stderr.
#include "os/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
}

// The service manager names the stream it gave us as "device:inode" (systemd.exec(5), JOURNAL_STREAM). The variable
// alone proves nothing: a child inherits it after its stderr was turned elsewhere.
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    uintmax_t device, inode;
    return stream && fstat(STDERR_FILENO, &st) == 0 && sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
           device == (uintmax_t)st.st_dev && inode == (uintmax_t)st.st_ino;
}

static void write_line(enum log_level level, const char *format, va_list args)
{
    if (level > most)
        return;
    int before = errno;
    char line[LINE_SIZE];
    size_t used = 0;
    if (stderr_is_journal())
        used = (size_t)snprintf(line, sizeof line, "<%d>", priorities[level]);
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
    write_line(LOG_LEVEL_ERROR, format, args);
    va_end(args);
}

void log_warning(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(LOG_LEVEL_WARNING, format, args);
    va_end(args);
}

void log_info(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(LOG_LEVEL_INFO, format, args);
    va_end(args);
}

void log_debug(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(LOG_LEVEL_DEBUG, format, args);
    va_end(args);
}
