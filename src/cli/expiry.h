// SPDX-License-Identifier: GPL-2.0-or-later
// A daily word in the log while something of our own is about to be out of date, or is; both programs have it.
#ifndef CLI_EXPIRY_H
#define CLI_EXPIRY_H

#include "config/validity.h"

#include <stdio.h>
#include <uv.h>

struct expiry;
struct json_t;

// What reading the configuration has told already is told again a day later. The files' names are borrowed.
struct expiry *expiry_new(uv_loop_t *loop, struct validity validity);
void expiry_free(struct expiry *expiry);
// A table of "validity" in a status, as text.
void expiry_print(FILE *out, const struct json_t *status);

#endif
