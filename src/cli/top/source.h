// SPDX-License-Identifier: GPL-2.0-or-later
// Where samples come from: the instances that run are asked one question at a time, and nobody waits for the answer.
#ifndef CLI_TOP_SOURCE_H
#define CLI_TOP_SOURCE_H

#include "cli/top/sample.h"

struct source;

// `name` NULL: all instances of that role, "portal" or "gate".
struct source *top_source_new(const char *role, const char *name);
void top_source_free(struct source *source);

// Begins to ask for a new sample, unless one is being made.
void top_source_begin(struct source *source);
// To be polled for reading while a sample is being made; -1: none is.
int top_source_fd(const struct source *source);
// There is something to be read, or time has passed. True when the sample is whole: it is the callee's.
bool top_source_read(struct source *source, struct sample *out);

#endif
