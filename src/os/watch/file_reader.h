// SPDX-License-Identifier: GPL-2.0-or-later
// Files that are watched, and read all together when one of them has changed or when somebody asks: by this process, or, for
// a program that is about to give the right to read them away, by an attendant that keeps no more than that right. Which
// files it reads is said once, in the beginning; it hands over what they hold, looks at none of it, and can do nothing
// else: so whoever takes the program over learns nothing that the program would not be given anyway.
#ifndef OS_WATCH_FILE_READER_H
#define OS_WATCH_FILE_READER_H

#include "os/process/attendant.h"
#include "os/watch/file_set.h"

#include <uv.h>

enum { FILE_READER_FILES_MAX = 16 };

struct file_reader;

struct file_reader_config {
    const struct attendant *attendant; // that file_reader_attendant has started; NULL: this process reads for itself
    const struct file_wish *wishes;    // copied; those without a path are skipped
    size_t count;                      // at most FILE_READER_FILES_MAX
    int log;                           // what the attendant says to nobody else goes there; -1: to stderr
    // What the files hold now, the owner's from then on. `asked` when it was read after file_reader_ask. Told once in the
    // beginning, too, as somebody may have written one since the owner read them.
    void (*read)(void *owner, struct file_set *set, bool asked);
    // The attendant has ended: nothing is read any more.
    void (*gone)(void *owner);
    void *owner;
};

// Before any secret is read.
bool file_reader_attendant(struct attendant *out, struct fault *fault);
// NULL with a fault. The attendant is the reader's then; what could not be watched is told in the log.
struct file_reader *file_reader_new(uv_loop_t *loop, const struct file_reader_config *config, struct fault *fault);
void file_reader_free(struct file_reader *reader);
// `read` follows, perhaps at once; false when it never will.
bool file_reader_ask(struct file_reader *reader);

#endif
