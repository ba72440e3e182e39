// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/key_command.h"

#include "base/memory.h"
#include "os/process/helper.h"

#include <stdlib.h>

enum {
    OUTPUT_MAX = 64 * 1024, // bytes: a key with everything that may stand around it takes a tenth
    PATIENCE_S = 30,        // for a person to unlock a keyring, or a token to answer
};

bool key_command_parse(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    char **command = field;
    (void)key;
    if (!*entry->value)
        return fault_set(fault, "is empty");
    free(*command);
    *command = memory_text(entry->value);
    return true;
}

bool key_command_run(struct blob *out, const char *command, struct fault *fault)
{
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    const struct helper helper = {.name = "KeyCommand", .argv = argv, .max = OUTPUT_MAX, .seconds = PATIENCE_S};
    if (helper_run(&helper, out, fault) != HELPER_DONE)
        return false;
    if (out->len)
        return true;
    blob_wipe(out);
    return fault_set(fault, "KeyCommand printed nothing");
}
