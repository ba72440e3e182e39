// SPDX-License-Identifier: GPL-2.0-or-later
// One line per event on stderr, with a level prefix that the journal understands (sd-daemon(3)) when stderr is the
// journal. Text from a peer goes through text_escape first. Nothing is logged per packet or per record.
#ifndef OS_LOG_H
#define OS_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_NONE = -1, LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
// Stands in front of every line: "usher-tun branch: ". Copied.
void log_set_name(const char *name);
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
