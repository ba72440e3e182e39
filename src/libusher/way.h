// SPDX-License-Identifier: GPL-2.0-or-later
// What stands behind a usher_t: a tunnel of its own (own.c), or that of a running portal (attached.c). All of it is called
// from any thread, and `why` says why not.
#ifndef LIBUSHER_WAY_H
#define LIBUSHER_WAY_H

#include "base/fault.h"
#include "libusher/deadline.h"
#include "usher/record.h"

struct way {
    // -1 with errno.
    int (*open)(struct way *way, const struct usher_open *to, const struct deadline *until, struct fault *why);
    void (*close)(struct way *way);
};

// NULL with errno.
struct way *own_connect(const char *name_or_file, const struct deadline *until, struct fault *why);
struct way *attached_new(const char *name_or_file, const struct deadline *until, struct fault *why);

#endif
