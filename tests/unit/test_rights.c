// SPDX-License-Identifier: GPL-2.0-or-later
// Whom a process acts for, in children that become somebody: root alone can try it.
#include "os/sandbox/rights.h"

#include "os/sandbox/sandbox.h"
#include "unit.h"

#include <cap-ng.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOMEBODY = 64621, OTHER = 64622 };

// As a service manager does it, with this one capability; -1: none.
static bool become(int capability)
{
    if (prctl(PR_SET_KEEPCAPS, capability >= 0, 0, 0, 0) || setgid(SOMEBODY) || setuid(SOMEBODY))
        return false;
    if (capability < 0)
        return true;
    capng_clear(CAPNG_SELECT_CAPS);
    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE, (unsigned)capability);
    return capng_apply(CAPNG_SELECT_CAPS) == 0 &&
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, (unsigned long)capability, 0, 0) == 0;
}

// Where there is that user.
static bool trusts_the_authority(bool expected)
{
    const struct passwd *entry = getpwnam(RIGHTS_PKI_USER);
    return !entry || rights_trust(entry->pw_uid) == expected;
}

static int as_root(void)
{
    return trusts_the_authority(true) && rights_are_the_machines() && rights_have(CAP_SETUID) && rights_trust(0) &&
           !rights_trust(OTHER);
}

static int as_somebody(void)
{
    return become(-1) && !rights_are_the_machines() && trusts_the_authority(false) && !rights_have(CAP_SETUID) &&
           rights_trust(0) && rights_trust(SOMEBODY) && !rights_trust(OTHER);
}

// What was is not forgotten, since there is no asking for it once it is given up.
static int as_a_service(void)
{
    struct fault fault;
    return become(CAP_DAC_READ_SEARCH) && sandbox_keep_files(&fault) && rights_are_the_machines() &&
           !rights_have(CAP_DAC_READ_SEARCH) && trusts_the_authority(true) && !rights_trust(OTHER) &&
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_DAC_READ_SEARCH, 0, 0) == 0;
}

static int with_another_right(void)
{
    return become(CAP_NET_ADMIN) && !rights_are_the_machines() && rights_have(CAP_NET_ADMIN);
}

static int dropped(void)
{
    struct fault fault;
    return become(CAP_NET_ADMIN) && sandbox_drop("nobody", true, &fault) && rights_have(CAP_NET_ADMIN) &&
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_ADMIN, 0, 0) == 0 && geteuid() == SOMEBODY;
}

static int dropped_whole(void)
{
    struct fault fault;
    return become(CAP_NET_ADMIN) && sandbox_drop("nobody", false, &fault) && !rights_have(CAP_NET_ADMIN);
}

// The next program in the process has what is left, and no more.
static int confined(void)
{
    struct fault fault;
    return become(CAP_DAC_READ_SEARCH) && sandbox_confine_supervisor(&fault) && rights_have(CAP_DAC_READ_SEARCH) &&
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_DAC_READ_SEARCH, 0, 0) == 1;
}

static const struct {
    const char *what;
    int (*run)(void);
} rows[] = {
    {"root", as_root},           {"somebody", as_somebody},
    {"a service", as_a_service}, {"another right", with_another_right},
    {"dropped", dropped},        {"dropped whole", dropped_whole},
    {"confined", confined},
};

static void test_each(void **state)
{
    (void)state;
    if (geteuid())
        skip();
    for (size_t i = 0; i < COUNT(rows); i++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0)
            _exit(rows[i].run() ? 0 : 1);
        CASE(rows[i].what, waitpid(pid, &status, 0) == pid && status == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
