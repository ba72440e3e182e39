// SPDX-License-Identifier: GPL-2.0-or-later
// A service's answer is kept: every function of os/sandbox/sandbox.h asks for it before it gives anything up.
#include "os/sandbox/rights.h"

#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const SERVICES[] = {RIGHTS_PORTAL_USER, RIGHTS_GATE_USER, RIGHTS_PKI_USER};

static enum { UNKNOWN, SOMEBODY, SERVICE } started;
// Asked for at the same time, since a filter may take the calls away that it needs; 0 where there is no such user.
static uid_t authority;

// Not by libcap-ng, which remembers who asked, and takes a child that it does not know of for its parent.
bool rights_have(unsigned capability)
{
    struct __user_cap_header_struct self = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    return syscall(SYS_capget, &self, sets) == 0 && sets[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

static uid_t authoritys_user(void)
{
    const struct passwd *entry = getpwnam(RIGHTS_PKI_USER);
    return entry ? entry->pw_uid : 0;
}

bool rights_are_the_machines(void)
{
    if (geteuid() == 0)
        return true;
    if (started == UNKNOWN) {
        started = rights_have(CAP_DAC_READ_SEARCH) ? SERVICE : SOMEBODY;
        if (started == SERVICE)
            authority = authoritys_user();
    }
    return started == SERVICE;
}

static bool is_a_services(uid_t owner)
{
    const struct passwd *entry = getpwuid(owner);
    for (size_t i = 0; entry && i < sizeof SERVICES / sizeof SERVICES[0]; i++)
        if (!strcmp(entry->pw_name, SERVICES[i]))
            return true;
    return false;
}

bool rights_trust(uid_t owner)
{
    if (owner == 0 || owner == geteuid())
        return true;
    return geteuid() == 0 ? is_a_services(owner) : rights_are_the_machines() && owner == authority;
}
