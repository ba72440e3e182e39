// SPDX-License-Identifier: GPL-2.0-or-later
// What a process in a mount namespace of its own sees in the place of files that are there. Outside nothing changes.
#ifndef OS_PROCESS_MOUNTS_H
#define OS_PROCESS_MOUNTS_H

#include "base/fault.h"

// A directory is empty, anything else reads as empty and refuses connections. What is not there is none of our business.
bool mounts_hide(const char *path, struct fault *fault);
// The file has this text. Where `path` is a link into what is hidden, the file is made there.
bool mounts_write(const char *path, const char *text, struct fault *fault);
// /proc shows the processes of the namespace alone. Refused where parts of the /proc outside are hidden, as in containers.
bool mounts_proc(struct fault *fault);

#endif
