// SPDX-License-Identifier: GPL-2.0-or-later
// A terminal that is as it was, whatever becomes of the program that draws on it: that is a child, and who started it puts
// the terminal back when the child has been killed or has crashed.
#ifndef CLI_TOP_GUARD_H
#define CLI_TOP_GUARD_H

// Runs `draw` in a child, whose exit code is returned.
int guard_run(int (*draw)(void *owner), void *owner);

#endif
