// SPDX-License-Identifier: GPL-2.0-or-later
// What was built in, one library a line.
#ifndef CLI_VERSION_H
#define CLI_VERSION_H

#include <stdio.h>

// Of this program, as of its build.
extern const char version_text[];

void version_print(FILE *out, const char *program);

#endif
