// SPDX-License-Identifier: GPL-2.0-or-later
// The commands of a program, and what each may be given.
#ifndef CLI_COMMAND_TABLE_H
#define CLI_COMMAND_TABLE_H

#include <stdbool.h>

enum { COMMAND_MORE_MAX = 2 };

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_WRONG = 2 };

struct command_line {
    bool foreground;                    // -f
    bool json;                          // --json
    int passphrase_fd;                  // --passphrase-fd; -1: not given
    const char *argument;               // NAME or FILE; NULL when there is none
    const char *more[COMMAND_MORE_MAX]; // what stands behind it; NULL at the end
    const char *config;                 // --config; NULL: not given
    bool anonymous;                     // --anonymous
    bool once;                          // --once
    bool no_up;                         // --no-up
    const char *as;                     // --as NAME; NULL: not given
    char **command;                     // what stands behind "--", with NULL at its end; NULL when there is none
};

struct command {
    const char *name;
    int (*run)(const struct command_line *line);
    bool takes_foreground;
    bool takes_json;
    bool takes_passphrase_fd;
    bool takes_argument;
    bool needs_argument;
    bool needs_command;                   // behind "--"
    unsigned char takes_more, needs_more; // arguments behind the first
    bool takes_config;
    bool takes_anonymous;
    bool takes_once;
    bool takes_joining; // --no-up and --as
};

struct command_program {
    const char *name;
    const char *usage;
    const struct command *commands;
    unsigned count;
};

#endif
