// SPDX-License-Identifier: GPL-2.0-or-later
// One line per event on stderr, with a level prefix that the journal understands (sd-daemon(3)) when stderr is the
// journal. Text from a peer goes through text_escape first. Nothing is logged per packet or per record.
#ifndef OS_LOG_H
#define OS_LOG_H

#include "os/log_event.h"

#include <stdbool.h>

enum log_level { LOG_LEVEL_NONE = -1, LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
// Stands in front of every line: "usher-tun branch: ". Copied. Before a process gives its rights away.
void log_set_name(const char *name);
// Goes beside every line from now on, where the log is the journal; NULL: no more. Copied.
void log_set_field(enum log_field field, const char *value);
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_event(enum log_event event, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
