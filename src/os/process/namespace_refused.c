// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/process/namespace_refused.h"

#include <errno.h>
#include <stdio.h>

// Settings that refuse with one value, and what allows it.
static const struct {
    const char *path;
    long long refuses;
    const char *allow;
} SETTINGS[] = {
    {"user/max_user_namespaces", 0, "sysctl user.max_user_namespaces=15000"},
    {"user/max_net_namespaces", 0, "sysctl user.max_net_namespaces=15000"},
    {"user/max_mnt_namespaces", 0, "sysctl user.max_mnt_namespaces=15000"},
    {"user/max_pid_namespaces", 0, "sysctl user.max_pid_namespaces=15000"},
    {"kernel/unprivileged_userns_clone", 0, "sysctl kernel.unprivileged_userns_clone=1"},
    {"kernel/apparmor_restrict_unprivileged_userns", 1,
     "the AppArmor profile of usher-tun (see usher-tun(8)), or sysctl kernel.apparmor_restrict_unprivileged_userns=0"},
};

enum { SETTING_COUNT = sizeof SETTINGS / sizeof SETTINGS[0] };

static bool is_set_so(const char *settings, size_t which)
{
    char path[256];
    long long value = 0;
    snprintf(path, sizeof path, "%s/%s", settings, SETTINGS[which].path);
    FILE *in = fopen(path, "re");
    bool so = in && fscanf(in, "%lld", &value) == 1 && value == SETTINGS[which].refuses;
    if (in)
        fclose(in);
    return so;
}

bool namespace_refused(const char *settings, int error, struct fault *fault)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (is_set_so(settings, i))
            return fault_set(fault,
                             "this system forbids user namespaces, which a run is made of; root allows them with %s",
                             SETTINGS[i].allow);
    switch (error) {
    case ENOSPC:
    case EUSERS:
        return fault_set(fault,
                         "there are as many user namespaces as this system allows, or they are nested too deep: end "
                         "others, or raise sysctl user.max_user_namespaces");
    case EINVAL:
    case ENOSYS:
        return fault_set(fault, "this kernel has no user namespaces, which a run is made of (CONFIG_USER_NS)");
    case EPERM:
    case EACCES:
        return fault_set(fault,
                         "user namespaces, which a run is made of, are forbidden in here, as many containers do: "
                         "let this container make them (its seccomp or security profile)");
    default:
        return fault_errno(fault, error, "make a user namespace");
    }
}
