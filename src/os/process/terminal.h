// SPDX-License-Identifier: GPL-2.0-or-later
// The person at the terminal, whatever standard input is.
#ifndef OS_PROCESS_TERMINAL_H
#define OS_PROCESS_TERMINAL_H

#include "os/file/secret.h"

bool terminal_is_there(void);
// Asks for a line that does not show; without its end in `out`, a secret. An interruption (^C and the like) puts the terminal
// right and then ends the program as it would have; ^Z does the same and asks again afterwards. False when the person gives
// no answer (^D).
bool terminal_ask(struct blob *out, const char *prompt, size_t max, struct fault *fault);

#endif
