// SPDX-License-Identifier: GPL-2.0-or-later
// Limits and identity. What was given up is asked for again, and only a refusal counts as success.
#include "os/sandbox/sandbox.h"

#include "os/sandbox/rights.h"
#include "os/sanitized.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

// A leak check at exit traces the process from outside.
static void forbid_tracing(void)
{
    prctl(PR_SET_DUMPABLE, SANITIZED, 0, 0, 0);
}

void sandbox_hide_memory(bool hidden)
{
    prctl(PR_SET_DUMPABLE, hidden ? SANITIZED : 1, 0, 0, 0);
}

void sandbox_protect_secrets(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    forbid_tracing();
}

void sandbox_limits(unsigned descriptors)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        struct rlimit more = {descriptors, descriptors};
        // Raising the hard limit takes CAP_SYS_RESOURCE; without it the soft one still goes as far as it may.
        if (files.rlim_max >= descriptors || setrlimit(RLIMIT_NOFILE, &more) < 0) {
            files.rlim_cur = files.rlim_max;
            setrlimit(RLIMIT_NOFILE, &files);
        }
    }
    sandbox_protect_secrets();
}

// What is asked later is of the start.
static void note_the_start(void)
{
    rights_are_the_machines();
}

static bool set_no_new_privs(struct fault *fault)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fault_errno(fault, errno, "sandbox: set no_new_privs");
    return true;
}

static bool change_identity(const struct passwd *user, bool keep_net_admin, struct fault *fault)
{
    capng_clear(CAPNG_SELECT_ALL);
    if (keep_net_admin && capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN) < 0)
        return fault_set(fault, "sandbox: keep CAP_NET_ADMIN: not possible");
    int result = capng_change_id((int)user->pw_uid, (int)user->pw_gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
    if (result < 0)
        return fault_set(fault, "sandbox: become user %s (uid %u): not possible (step %d of libcap-ng)", user->pw_name,
                         user->pw_uid, -result);
    return true;
}

static bool identity_is(const struct passwd *user)
{
    uid_t uid[3];
    gid_t gid[3];
    if (getresuid(&uid[0], &uid[1], &uid[2]) < 0 || getresgid(&gid[0], &gid[1], &gid[2]) < 0)
        return false;
    for (int i = 0; i < 3; i++) {
        if (uid[i] != user->pw_uid || gid[i] != user->pw_gid)
            return false;
    }
    return getgroups(0, NULL) == 0;
}

static bool capabilities_are(bool net_admin, bool bounded)
{
    if (capng_get_caps_process() < 0)
        return false;
    for (unsigned cap = 0; cap <= (unsigned)CAP_LAST_CAP; cap++) {
        bool may = net_admin && cap == CAP_NET_ADMIN;
        if (capng_have_capability(CAPNG_PERMITTED, cap) != may || capng_have_capability(CAPNG_EFFECTIVE, cap) != may ||
            capng_have_capability(CAPNG_INHERITABLE, cap) ||
            (bounded && capng_have_capability(CAPNG_BOUNDING_SET, cap)))
            return false;
    }
    return true;
}

// Of another user than root, who has some from a service manager (ambient ones, which go with the inheritable) or from the
// file; the bounding set is not his to change, and grants nothing without new privileges.
static bool give_up_capabilities(bool keep_net_admin, struct fault *fault)
{
    keep_net_admin = keep_net_admin && rights_have(CAP_NET_ADMIN);
    if (capabilities_are(keep_net_admin, false))
        return true;
    capng_clear(CAPNG_SELECT_CAPS);
    if (keep_net_admin)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
    if (capng_apply(CAPNG_SELECT_CAPS) < 0 || !capabilities_are(keep_net_admin, false))
        return fault_set(fault, "sandbox: give up capabilities: not possible");
    return true;
}

static bool root_can_come_back(void)
{
    return setresuid(0, 0, 0) == 0 || seteuid(0) == 0 || setresgid(0, 0, 0) == 0;
}

bool sandbox_drop(const char *user, bool keep_net_admin, struct fault *fault)
{
    note_the_start();
    if (geteuid() != 0)
        return give_up_capabilities(keep_net_admin, fault) && set_no_new_privs(fault);

    // In a root without a list of users there is nobody all the same.
    static const struct passwd overflow = {.pw_name = "nobody", .pw_uid = 65534, .pw_gid = 65534};
    const struct passwd *entry = getpwnam(user);
    if (!entry && !strcmp(user, overflow.pw_name))
        entry = &overflow;
    if (!entry)
        return fault_set(fault, "sandbox: there is no user \"%s\" to run as", user);
    if (entry->pw_uid == 0)
        return fault_set(fault, "sandbox: user \"%s\" is root: name one without privileges", user);
    if (!change_identity(entry, keep_net_admin, fault) || !set_no_new_privs(fault))
        return false;
    forbid_tracing(); // a change of identity set it anew

    if (!identity_is(entry) || !capabilities_are(keep_net_admin, true) || root_can_come_back())
        return fault_set(fault, "sandbox: became user %s, but privileges are left: not safe to go on", user);
    return true;
}

bool sandbox_keep_files(struct fault *fault)
{
    note_the_start();
    if (geteuid() != 0)
        return give_up_capabilities(false, fault) && set_no_new_privs(fault);
    static const unsigned files[] = {CAP_CHOWN, CAP_DAC_OVERRIDE};
    bool has[2];
    if (capng_get_caps_process() < 0)
        return fault_set(fault, "sandbox: read the capabilities: not possible");
    for (size_t i = 0; i < 2; i++)
        has[i] = capng_have_capability(CAPNG_PERMITTED, files[i]);
    capng_clear(CAPNG_SELECT_CAPS);
    for (size_t i = 0; i < 2; i++)
        if (has[i])
            capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, files[i]);
    if (capng_apply(CAPNG_SELECT_CAPS) < 0 || rights_have(CAP_SETUID))
        return fault_set(fault, "sandbox: give up capabilities: not possible");
    return set_no_new_privs(fault);
}

// What root's programs need for their work on files, with users and on sockets; nothing over mounts and networks.
static const int CONFINED[] = {CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH,  CAP_FOWNER,  CAP_FSETID,
                               CAP_KILL,    CAP_SETGID,       CAP_SETUID,           CAP_SETFCAP, CAP_SETPCAP,
                               CAP_NET_RAW, CAP_SYS_CHROOT,   CAP_NET_BIND_SERVICE, CAP_MKNOD,   CAP_SYS_NICE};

bool sandbox_confine(struct fault *fault)
{
    forbid_tracing();
    note_the_start();
    if (geteuid() != 0)
        return give_up_capabilities(false, fault) && set_no_new_privs(fault);
    capng_clear(CAPNG_SELECT_ALL);
    for (size_t i = 0; i < sizeof CONFINED / sizeof CONFINED[0]; i++)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, (unsigned)CONFINED[i]);
    if (capng_apply(CAPNG_SELECT_ALL) < 0 || capng_get_caps_process() < 0 ||
        capng_have_capability(CAPNG_PERMITTED, CAP_SYS_ADMIN) ||
        prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0)) // libcap-ng asks /proc, which may be another namespace's
        return fault_set(fault, "sandbox: give up capabilities: not possible");
    return set_no_new_privs(fault);
}

// Sockets at low ports, raw ones, devices, large buffers and any congestion control for workers, their identity, limits and ends; and files of the configuration,
// whoever owns them. What a system has not given is not asked for.
static const int SUPERVISOR[] = {CAP_NET_BIND_SERVICE, CAP_NET_RAW, CAP_NET_ADMIN,    CAP_SETUID,         CAP_SETGID,
                                 CAP_SETPCAP,          CAP_KILL,    CAP_SYS_RESOURCE, CAP_DAC_READ_SEARCH};

bool sandbox_confine_supervisor(struct fault *fault)
{
    note_the_start();
    if (!rights_are_the_machines())
        return set_no_new_privs(fault);
    bool has[sizeof SUPERVISOR / sizeof SUPERVISOR[0]];
    if (capng_get_caps_process() < 0)
        return fault_set(fault, "sandbox: read the capabilities: not possible");
    for (size_t i = 0; i < sizeof has / sizeof has[0]; i++)
        has[i] = capng_have_capability(CAPNG_PERMITTED, (unsigned)SUPERVISOR[i]);
    bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
    // What is inheritable stays ambient, where it was: a program that takes over in this process (exec) has it again. To root
    // an exec gives what is in the bounding set.
    capng_type_t inherited = geteuid() == 0 ? CAPNG_BOUNDING_SET : CAPNG_INHERITABLE;
    capng_clear(CAPNG_SELECT_ALL);
    for (size_t i = 0; i < sizeof has / sizeof has[0]; i++)
        if (has[i])
            capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | inherited, (unsigned)SUPERVISOR[i]);
    if (capng_apply(may_bound ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS) < 0 || capng_get_caps_process() < 0 ||
        capng_have_capability(CAPNG_PERMITTED, CAP_SYS_ADMIN))
        return fault_set(fault, "sandbox: give up capabilities: not possible");
    return set_no_new_privs(fault);
}
