// SPDX-License-Identifier: GPL-2.0-or-later
// A broken invariant ends the run at once: the seed is known to main, and the core shows the rest.
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

// Prints the place and the seed that is running, and aborts.
_Noreturn void check_failed(const char *file, int line, const char *what);

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            check_failed(__FILE__, __LINE__, #condition);                                                              \
    } while (0)

#endif
