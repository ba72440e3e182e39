// SPDX-License-Identifier: GPL-2.0-or-later
// Who stays root when a portal gives its rights away, for what it will not be able to do any more. Another user's portal has
// none, and needs none.
#ifndef PORTAL_ATTENDANTS_H
#define PORTAL_ATTENDANTS_H

#include "os/process/attendant.h"

struct attendants {
    struct attendant reader; // os/watch/file_reader.h
    struct attendant keeper; // os/system_dns/resolv_keeper.h; none once it has its work, or has none
};

// Before a secret is read. `keeper`: this machine's names may be the portal's.
bool attendants_start(struct attendants *out, bool keeper, struct fault *fault);
// In a process that has forked the portal: they are the portal's alone.
void attendants_leave(struct attendants *attendants);

#endif
