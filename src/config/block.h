// SPDX-License-Identifier: GPL-2.0-or-later
// A value of many lines, such as a certificate, in the place of its key:
//
//     <CA>
//     -----BEGIN CERTIFICATE-----
//     ...
//     </CA>
#ifndef CONFIG_BLOCK_H
#define CONFIG_BLOCK_H

#include "os/file/secret.h"

#include <stdbool.h>
#include <stdio.h>

enum { BLOCK_NAME_SIZE = 32 };

// Whether the line, without white space around it, opens one.
bool block_opens(const char *line, char name[BLOCK_NAME_SIZE]);
// What stands between the line that opened it and the one that closes it, which are both of another time. `lines` are those
// that were taken. False when nothing closes it.
bool block_take(struct blob *out, FILE *in, const char *name, unsigned *lines);

#endif
