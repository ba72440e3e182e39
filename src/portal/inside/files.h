// SPDX-License-Identifier: GPL-2.0-or-later
// What the command sees of the machine's files: all of them, but none through which a program outside would use the network
// in its place, and those that say how names are resolved are the tunnel's.
#ifndef PORTAL_INSIDE_FILES_H
#define PORTAL_INSIDE_FILES_H

#include "config/names_keys.h"

// In the mount namespace, with all rights in it. Names are asked for where `names` says.
bool files_cover(const struct names_keys *names, struct fault *fault);
// In the process that becomes the command.
void files_clean_environment(void);

#endif
