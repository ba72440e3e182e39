// SPDX-License-Identifier: GPL-2.0-or-later
// What is said when a program reads its files again: every sentence is logged, told to who asked for it, and kept for the
// status while something is refused.
#ifndef CLI_REREADING_H
#define CLI_REREADING_H

#include "base/facts.h"

#include <stdbool.h>
#include <stdio.h>

struct rereading;

struct rereading *rereading_new(void);
void rereading_free(struct rereading *rereading);

// Begins; sentences go to what comes back, a line each, also by a child process. NULL when that cannot be had, which is
// logged, and then this one was refused.
FILE *rereading_begin(struct rereading *rereading);
// Ends it: `flawless` when nothing was refused, `renewed` when something new is in force.
void rereading_end(struct rereading *rereading, FILE *report, bool flawless, bool renewed);

// Whether nothing of it was refused, and all sentences; where nothing has changed, those of before.
void rereading_describe_last(const struct rereading *rereading, struct facts *facts);
// For the status: when something was taken, and why something was not, if that is how it is.
void rereading_describe(const struct rereading *rereading, struct facts *facts);

#endif
