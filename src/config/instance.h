// SPDX-License-Identifier: GPL-2.0-or-later
// What a person names an instance by: a name, or the file that configures it.
#ifndef CONFIG_INSTANCE_H
#define CONFIG_INSTANCE_H

#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>

enum { INSTANCE_NAME_MAX = 48 }; // bytes

// "branch" of "branch", "/etc/usher/branch.conf" or "./branch.conf". False when it is no usable name.
bool instance_name(char name[INSTANCE_NAME_MAX + 1], const char *name_or_file, struct fault *fault);
// The configuration's path; anything with a slash or ".conf" is a path itself. "branch" is "/etc/usher/branch.conf", for
// another user than root only if there is no "$XDG_CONFIG_HOME/usher/branch.conf" ("~/.config" where that is not set).
void instance_config_path(char *room, size_t size, const char *name_or_file);
// The same for people who are elsewhere: from the root, where there is such a file. The caller's, to be freed.
char *instance_config_place(const char *name_or_file);
// Calls `visit` for every name that stands for a file, in no order; one that is in both places twice.
void instance_each(void (*visit)(void *arg, const char *name), void *arg);

#endif
