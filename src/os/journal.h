// SPDX-License-Identifier: GPL-2.0-or-later
// Lines for the systemd journal with fields beside the message (systemd.journal-fields(7)), by its native protocol, so that
// people filter by portal, peer or certificate, and by what has happened.
#ifndef OS_JOURNAL_H
#define OS_JOURNAL_H

#include "os/log_event.h"

#include <stdbool.h>
#include <stddef.h>

// Whether stderr is the journal; then its socket is opened, which takes a right that a sealed process has given away. Lines
// of children that only fork go to stderr.
void journal_open(void);
// A field of every line from now on; NULL or "": none any more. Copied.
void journal_set(enum log_field field, const char *value);
bool journal_is_stderr(void);
// False: there is no journal, or it does not take it, and the line is still to be written.
bool journal_send(int priority, enum log_event event, const char *message, size_t len);

#endif
