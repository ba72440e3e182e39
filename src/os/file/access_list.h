// SPDX-License-Identifier: GPL-2.0-or-later
// One more group that may use a file of ours: a POSIX access control list, which its owner may set without being of that group
// or having any capability.
#ifndef OS_FILE_ACCESS_LIST_H
#define OS_FILE_ACCESS_LIST_H

#include <stdbool.h>
#include <sys/types.h>

// The file, or directory, is then its owner's by `owner` (bits of 7), the group's by `may`, and nobody else's. False with errno:
// EOPNOTSUPP where the file system knows no lists.
bool access_list_let_in(const char *path, unsigned owner, gid_t group, unsigned may);

#endif
