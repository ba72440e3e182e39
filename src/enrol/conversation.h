// SPDX-License-Identifier: GPL-2.0-or-later
// Whole messages over a stream socket, at once, with a deadline for each.
#ifndef ENROL_CONVERSATION_H
#define ENROL_CONVERSATION_H

#include "enrol/message.h"

// What follows the length is `out`, the caller's.
bool conversation_hear(int fd, struct blob *out, size_t max, unsigned seconds, struct fault *fault);
bool conversation_say(int fd, const struct blob *message, unsigned seconds, struct fault *fault);

#endif
