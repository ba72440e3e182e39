// SPDX-License-Identifier: GPL-2.0-or-later
// A support bundle: what somebody who is asked for help wants to see of an instance and its machine, in one file that its
// owner can look through and send. What is in it has no secrets (cli/bundle/scrub.h).
#ifndef CLI_BUNDLE_BUNDLE_H
#define CLI_BUNDLE_BUNDLE_H

#include "cli/command.h"
#include "config/config.h"
#include "config/credentials.h"

struct bundle_program {
    const char *name; // "usher-tun"
    const char *unit; // of the service manager, before the instance: "usher-tun"
    // What to ask the instance for, ends with NULL: each becomes NAME.json.
    const char *const *questions;
    // Parses the text of a configuration of its kind, so that `config` knows the keys; what credentials and files with
    // passwords it names, borrowed until `free`.
    void *(*parse)(struct config *config, const struct blob *text, const struct credential_keys **credentials,
                   const char *passwords[2]);
    void (*free)(void *conf);
};

int bundle_run(const struct command_line *line, const char *name_or_file, const char *file,
               const struct bundle_program *program);

#endif
