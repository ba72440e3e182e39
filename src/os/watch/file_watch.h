// SPDX-License-Identifier: GPL-2.0-or-later
// Files that others may put new ones in the place of, in any of the ways that there are: written over, renamed over,
// deleted and made again, a link on the way to them turned to somewhere else, a directory exchanged.
#ifndef OS_WATCH_FILE_WATCH_H
#define OS_WATCH_FILE_WATCH_H

#include "base/fault.h"

#include <uv.h>

enum { FILE_WATCH_SETTLE_MS = 100 }; // without another change until it is told, so that who writes several is done

struct file_watch;

// What is behind one of the paths may be another file, or none, or the same with other bytes. Told once in the beginning,
// too: since the owner read them something may have changed.
typedef void file_watch_changed(void *owner);

// `paths` are copied; NULL ones are skipped. NULL with a fault.
struct file_watch *file_watch_new(uv_loop_t *loop, const char *const paths[], size_t count, file_watch_changed *changed,
                                  void *owner, struct fault *fault);
void file_watch_free(struct file_watch *watch);

#endif
