// SPDX-License-Identifier: GPL-2.0-or-later
// Distributions and containers forbid user namespaces in several ways, which look alike to a program. The settings tell
// them apart.
#ifndef OS_PROCESS_NAMESPACE_REFUSED_H
#define OS_PROCESS_NAMESPACE_REFUSED_H

#include "base/fault.h"

// Always false: what to allow, so that what failed with `error` works. `settings` is "/proc/sys".
bool namespace_refused(const char *settings, int error, struct fault *fault);

#endif
