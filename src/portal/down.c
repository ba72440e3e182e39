// SPDX-License-Identifier: GPL-2.0-or-later
// down: asks a live portal to go and waits until it has; then removes what is left, which after a kill -9 are the
// unreachable routes that kept captured traffic from leaving in clear.

#include "cli/control.h"
#include "cli/runtime.h"
#include "portal/commands.h"
#include "portal/routes.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    STEP_MS = 20,        // between looks
    PATIENCE_MS = 10000, // a portal ends within 3 s (FAREWELL_MS)
};

static bool ask(const char *name, pid_t pid, struct fault *fault)
{
    char path[RUNTIME_PATH_SIZE];
    runtime_path(path, RUNTIME_ROOT, name, "control");
    char *answer = control_ask(path, "down", fault);
    bool heard = answer || runtime_pid(RUNTIME_ROOT, name) != pid; // or it went while we asked
    free(answer);
    return heard;
}

static bool wait_until_gone(const char *name, pid_t pid, struct fault *fault)
{
    for (unsigned waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
        if (runtime_pid(RUNTIME_ROOT, name) != pid)
            return true;
        usleep(STEP_MS * 1000);
    }
    return fault_set(fault, "%s (pid %d) does not end; kill -9 %d and try again", name, (int)pid, (int)pid);
}

static bool clean(const char *name, uint64_t slots, struct fault *fault)
{
    struct netlink *nl = netlink_new(fault);
    bool ok = nl;
    for (unsigned slot = 0; ok && slot < RUNTIME_SLOTS; slot++)
        if (slots >> slot & 1)
            ok = routes_purge(slot, nl, fault);
    netlink_free(nl);
    if (ok)
        runtime_remove(RUNTIME_ROOT, name);
    return ok;
}

int command_down(const struct command_line *line)
{
    char name[INSTANCE_NAME_MAX + 1];
    struct fault fault = {""};
    if (geteuid() != 0) {
        fprintf(stderr, "usher-tun: taking an interface down needs root: try sudo usher-tun down %s\n", line->argument);
        return EXIT_FAILED;
    }
    if (!instance_name(name, line->argument, &fault)) {
        fprintf(stderr, "usher-tun: %s\n", fault.text);
        return EXIT_WRONG;
    }
    uint64_t slots = runtime_slots(RUNTIME_ROOT, name);
    pid_t pid = runtime_pid(RUNTIME_ROOT, name);
    if (!pid && !slots) {
        runtime_remove(RUNTIME_ROOT, name); // what it was not allowed to remove itself
        fprintf(stderr, "usher-tun: %s is not running\n", name);
        return EXIT_FAILED;
    }
    bool ok = !pid || (ask(name, pid, &fault) && wait_until_gone(name, pid, &fault));
    if (!ok || !clean(name, slots, &fault)) {
        fprintf(stderr, "usher-tun: %s\n", fault.text);
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}
