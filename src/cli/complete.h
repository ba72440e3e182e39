// SPDX-License-Identifier: GPL-2.0-or-later
// What a shell may complete a command line with. Shells ask the program itself, so none of them knows of a command or an
// option that there is not.
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

#include "cli/command_table.h"

#include <stdio.h>

#define COMPLETE_OPTION "--complete" // not for people

// `words` are those behind the program's name up to the one that is being typed, which comes last and may be empty. Writes a
// line for each that may stand there: the word, a tab and what it does, if that is known. A line ":files" or ":command" says
// that the shell knows by itself: a file, or another program's command line that begins behind "--".
void complete(FILE *out, const struct command_program *program, int count, char **words);

#endif
