// SPDX-License-Identifier: GPL-2.0-or-later
// Who did what by this console: a line in the log, and one of JSON in a file of its own where one is configured. The file is
// opened for each line, so it may be moved away at any time.
#ifndef CONSOLE_AUDIT_H
#define CONSOLE_AUDIT_H

struct audit {
    const char *who, *from; // the login, and the address
    const char *deed;       // "login", "logout", "end", "reload", "up", "down"
    const char *instance;   // NULL: of none
    const char *portal;     // NULL: of none
    const char *outcome;
};

void audit_write(const char *file, const struct audit *audit); // `file` NULL: the log alone

#endif
