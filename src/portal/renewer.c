// SPDX-License-Identifier: GPL-2.0-or-later
// Forked and run anew at once, so that nothing of the portal's memory is in it. All that it ever hears of the portal is its
// end; what it asks, it asks by the control socket, as anybody of that user may.
#include "portal/renewer.h"

#include "portal/portal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

// In the child.
static void run(const char *file, int portal, int log)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(portal, STDIN_FILENO);
    if (log >= 0)
        dup2(log, STDERR_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    execl("/proc/self/exe", "usher-tun", "renew", "-f", file, (char *)NULL);
    _exit(1);
}

static bool take_renewer(struct portal *portal, struct fault *fault)
{
    char path[4096];
    int ends[2];
    portal->renewer = -1;
    if (!portal->conf->renew.count)
        return true;
    instance_config_path(path, sizeof path, portal->name_or_file);
    char *file = realpath(path, NULL);
    if (!file)
        return fault_errno(fault, errno, "%s", path);
    bool good = pipe2(ends, O_CLOEXEC) == 0;
    pid_t pid = good ? fork() : -1;
    if (pid == 0)
        run(file, ends[0], portal->background->log);
    int error = errno;
    free(file);
    if (good)
        close(ends[0]);
    if (pid > 0) {
        portal->renewer = ends[1];
        control_trust(portal->control, pid);
        return true;
    }
    if (good)
        close(ends[1]);
    return fault_errno(fault, error, "a process that renews the certificate");
}

static void undo_renewer(struct portal *portal)
{
    if (portal->renewer >= 0)
        close(portal->renewer);
}

const struct step RENEWER = {"renewer", take_renewer, undo_renewer};
