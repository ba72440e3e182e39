// SPDX-License-Identifier: GPL-2.0-or-later
// What a hosts file says (hosts(5)), for a process that cannot read it when it is asked. c-ares would open it each time.
#ifndef OS_RESOLVER_HOSTS_H
#define OS_RESOLVER_HOSTS_H

#include "base/address.h"

#include <stddef.h>

enum { HOSTS_SIZE_MAX = 1024 * 1024 }; // bytes: a look takes a millisecond, and anybody behind a portal can cause one

// The file's text, NUL-terminated, to be freed; NULL when there is none, or it is longer.
char *hosts_read(int fd);
// The addresses of `name` in the order of the file, `max` at most; 0: it is not there.
size_t hosts_find(const char *text, const char *name, struct address *out, size_t max);

#endif
