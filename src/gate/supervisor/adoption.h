// SPDX-License-Identifier: GPL-2.0-or-later
// Connections that carry on a tunnel that is: from the fresh worker, which has seen what they show, to the worker of that
// tunnel, which shakes hands. They hold no place of `admission` meanwhile, as they cost no process: a worker has few at a
// time. The supervisor hands on its own copy of a connection, never what a worker gives it.
#ifndef GATE_SUPERVISOR_ADOPTION_H
#define GATE_SUPERVISOR_ADOPTION_H

#include "gate/supervisor/child.h"

struct adoption;

struct adoption *adoption_new(struct admission *admission);
// No worker is left.
void adoption_free(struct adoption *adoption);
// What workers tell, as in struct child_ops.
bool adoption_ticket(struct adoption *adoption, struct child *child, const uint8_t *number);
bool adoption_shown(struct adoption *adoption, struct child *child, const uint8_t *number);
bool adoption_carried(struct adoption *adoption, struct child *child, uint32_t id);
void adoption_ended(struct adoption *adoption, struct child *child);

#endif
