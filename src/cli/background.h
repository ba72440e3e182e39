// SPDX-License-Identifier: GPL-2.0-or-later
// Going into the background, with a verdict: the command that a person typed returns only once the program that stays
// says how it went.
#ifndef CLI_BACKGROUND_H
#define CLI_BACKGROUND_H

#include "base/fault.h"

#include <stdbool.h>

struct background {
    int verdict; // pipe to the command that waits; -1 in the foreground
    int log;     // what becomes stderr once it is ready; -1: none
    // Whoever waits goes on to do so: `verdict` stays, what fails later is told there too, and it ends when they do.
    bool attached;
};

// In the foreground: messages stay on stderr, and nobody waits for a verdict.
#define BACKGROUND_NONE ((struct background){-1, -1, false})

// Forks. In the child: true. In the parent, once the child has given its verdict: false, with the exit code and, if that
// is not 0, the reason; the child has ended then. A person who interrupts the parent interrupts the child: it finds
// nobody at the other end of `verdict` (POLLERR), and the parent waits until it has undone everything.
bool background_start(struct background *background, int *code, struct fault *fault);
// In a child that was forked already: for somebody who holds the other end of `verdict`, and ends it by closing that.
void background_attach(struct background *background, int verdict);
// Opens the file that messages go to later; while the rights for it are still there.
bool background_open_log(struct background *background, const char *path, struct fault *fault);
// All is well: the command returns 0. From here on messages go to the log. False when nobody waits any more; then the
// program should end.
bool background_ready(struct background *background);
// It failed: the command says why and returns 1.
void background_failed(struct background *background, const char *why);

#endif
