// SPDX-License-Identifier: GPL-2.0-or-later
// The parts of a bundle, as text that is still to be scrubbed; each is to be freed.
#ifndef CLI_BUNDLE_FACTS_H
#define CLI_BUNDLE_FACTS_H

#include "config/credentials.h"

// What everybody may see of certificates and lists; keys are not opened.
char *bundle_credentials(const struct credential_keys *keys);
// What a command prints, or why it prints nothing.
char *bundle_command(const char *command);
// The end of a file, so many bytes at most; "" where there is none.
char *bundle_tail(const char *path, size_t max);

#endif
