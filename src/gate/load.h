// SPDX-License-Identifier: GPL-2.0-or-later
// A gate's configuration, read and judged with all that it names. Certificates, keys and lists are parsed by a short-lived
// child process, so that the process that stays has never parsed one.
#ifndef GATE_LOAD_H
#define GATE_LOAD_H

#include "config/gate_conf.h"
#include "gate/handover.h"

// Every mistake goes to stderr. NULL when there was one. On success `handover` holds what was read, with the
// key in clear: the caller's.
struct gate_conf *gate_load(const char *name_or_file, const struct asking *asking, struct handover *handover);

#endif
