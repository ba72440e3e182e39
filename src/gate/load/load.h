// SPDX-License-Identifier: GPL-2.0-or-later
// A gate's configuration, read and judged with all that it names. Certificates, keys and lists are parsed by a short-lived
// child process, so that the process that stays has never parsed one.
#ifndef GATE_LOAD_LOAD_H
#define GATE_LOAD_LOAD_H

#include "config/gate_conf.h"
#include "gate/channel/handover.h"

#include <stdio.h>

// Every mistake goes to stderr. NULL when there was one. On success `handover` holds what was read, with the
// key in clear: the caller's.
struct gate_conf *gate_load(const char *name_or_file, const struct asking *asking, struct handover *handover);

// Reads again what the gate runs by, of which `before` is what is in force; `report` hears of every mistake. What is mistaken
// stays as it was: the text of the configuration; certificate and key; all of what it names. So a revocation is heeded
// whatever else is half written. NULL when nothing of it can be taken, else `now` as above; `flawless` when all was.
struct gate_conf *gate_load_again(const char *name_or_file, const struct handover *before, struct handover *now,
                                  FILE *report, bool *flawless);

// What an earlier program in this process has run by, judged by this one: that which it began with, and `now` what was in force
// instead, or NULL. Every mistake goes to stderr; NULL when there was one.
struct gate_conf *gate_load_inherited(const struct handover *handover, struct gate_conf **now);

#endif
