// SPDX-License-Identifier: GPL-2.0-or-later
// A process that is alone: user, network, mounts and process numbers of its own, made without any privilege
// (user_namespaces(7)). All of it goes with that process, whatever ends it: it is the first of its namespace, so the kernel
// kills everything that it has started.
#ifndef OS_PROCESS_NAMESPACE_H
#define OS_PROCESS_NAMESPACE_H

#include "base/fault.h"

#include <sys/types.h>

// As fork: 0 in the child, -1 with a fault that says what to allow where the system forbids it. Call it before there are
// threads. The child is nobody, and may do nothing, until it is mapped.
pid_t namespace_fork(struct fault *fault);
// By the parent: everybody in there is who they are outside, so that files are whose they are. Of root all users and
// groups, of anybody else they alone; what belongs to others seems to be nobody's.
bool namespace_map(pid_t child, struct fault *fault);
// By the child, once mapped and before anything else: it has the rights that it should have, and no mount of it is seen
// outside.
bool namespace_settle(struct fault *fault);

#endif
