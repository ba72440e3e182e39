// SPDX-License-Identifier: GPL-2.0-or-later
// What the command that a person typed and the first process of the namespace say to each other, over a socketpair that
// keeps messages apart. Either knows by its end that the other is gone.
#ifndef PORTAL_INSIDE_CHANNEL_H
#define PORTAL_INSIDE_CHANNEL_H

#include "base/fault.h"

enum inside_word {
    INSIDE_GO,     // towards it, twice: it is mapped, and may set up; the tunnel is there, and it may start the command
    INSIDE_SIGNAL, // towards it: the command gets signal `number`
    INSIDE_FAILED, // from it: `text` says why there is no command; `number` is the exit code
    INSIDE_STOPPED, // from it: the command was stopped by signal `number`
    INSIDE_ENDED,   // from it: with wait status `number`
};

struct inside_message {
    enum inside_word word;
    int number;
    char text[FAULT_TEXT_SIZE];
};

// False when nobody is there any more.
bool inside_say(int channel, enum inside_word word, int number, const char *text);
bool inside_hear(int channel, struct inside_message *out); // waits

#endif
