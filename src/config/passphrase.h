// SPDX-License-Identifier: GPL-2.0-or-later
// Where the passphrase of an encrypted key comes from: never from an argument or the environment, which others can read.
// The first of these that there is: a descriptor that the caller names, KeyCommand, a credential of the service manager, the
// terminal, systemd-ask-password.
#ifndef CONFIG_PASSPHRASE_H
#define CONFIG_PASSPHRASE_H

#include "os/file/secret.h"

#include <stdbool.h>

// Whom a command may ask.
struct asking {
    int fd;                // holds the passphrase in its first line; -1: none
    bool at_terminal_only; // a person at the terminal, or nobody: a judge that is not to wait for others
    bool nobody;           // at all: the terminal, and what else there is, is somebody else's
};

#define ASKING_ANYBODY ((struct asking){.fd = -1})

struct passphrase_question {
    const char *instance;
    const char *file;    // that the key is in; NULL: KeyCommand printed it
    const char *command; // prints the passphrase; NULL: there is none
    bool again;          // the last one was wrong
};

enum passphrase_answer {
    PASSPHRASE_GIVEN,  // for good or ill
    PASSPHRASE_ASKED,  // by a person, who may be asked again when it is wrong
    PASSPHRASE_NOBODY, // is there to ask
    PASSPHRASE_FAILED, // the fault says how
};

// `out` is a secret.
enum passphrase_answer passphrase_get(struct blob *out, const struct asking *asking,
                                      const struct passphrase_question *question, struct fault *fault);

#endif
