// SPDX-License-Identifier: GPL-2.0-or-later
// down: asks a live portal to go and waits until it has; then removes what is left, which after a kill -9 are the
// unreachable routes that kept captured traffic from leaving in clear, and perhaps a resolv.conf of ours.

#include "cli/answer.h"
#include "cli/control.h"
#include "cli/runtime.h"
#include "os/netlink/routes.h"
#include "os/system_dns/resolv_file.h"
#include "portal/commands.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STEP_MS = 20,        // between looks
    PATIENCE_MS = 10000, // a portal ends within 3 s (FAREWELL_MS)
    ASK_S = 5,
};

struct instance {
    char root[RUNTIME_ROOT_SIZE];
    char name[INSTANCE_NAME_MAX + 1];
    pid_t pid;      // 0: dead
    uint64_t slots; // whose routes may stand; none but root's has any
};

static bool is_gone(const struct instance *instance)
{
    return runtime_pid(instance->root, instance->name) != instance->pid;
}

static bool ask(const struct instance *instance, struct fault *fault)
{
    char path[RUNTIME_PATH_SIZE];
    runtime_path(path, instance->root, instance->name, "control");
    char *answer = control_ask(path, "down", fault);
    bool heard = answer || is_gone(instance); // or it went while we asked
    free(answer);
    return heard;
}

// One name may be a gate's, which goes by the same word, and other people's tunnels with it.
static bool is_a_gate(const struct instance *instance)
{
    char path[RUNTIME_PATH_SIZE];
    struct fault silent;
    runtime_path(path, instance->root, instance->name, "control");
    struct json_t *status = answer_ask(path, "status", ASK_S, &silent);
    bool is_gate = status && !strcmp(answer_text(status, "role"), "gate");
    answer_free(status);
    return is_gate;
}

static bool wait_until_gone(const struct instance *instance, struct fault *fault)
{
    for (unsigned waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
        if (is_gone(instance))
            return true;
        usleep(STEP_MS * 1000);
    }
    return fault_set(fault, "%s (pid %d) does not end; kill -9 %d and try again", instance->name, (int)instance->pid,
                     (int)instance->pid);
}

static bool purge(uint64_t slots, struct fault *fault)
{
    struct netlink *nl = slots ? netlink_new(fault) : NULL;
    bool ok = !slots || (nl && routes_purge_slots(slots, nl, fault));
    netlink_free(nl);
    return ok;
}

static int take_down(const struct instance *instance, struct fault *fault)
{
    if (instance->pid && is_a_gate(instance)) {
        fault_set(fault, "%s is a gate, and no portal: usher-gate drain %s, or systemctl stop usher-gate@%s",
                  instance->name, instance->name, instance->name);
        return EXIT_FAILED;
    }
    bool is_root = geteuid() == 0; // nobody else's portal takes it over, nor could others give it back
    bool is_there =
        instance->pid || instance->slots || (is_root && resolv_file_is_of(RESOLV_FILE_PATH, instance->name));
    if (instance->pid && (!ask(instance, fault) || !wait_until_gone(instance, fault)))
        return EXIT_FAILED;
    if (!purge(instance->slots, fault) || (is_root && !resolv_file_give_back(RESOLV_FILE_PATH, instance->name, fault)))
        return EXIT_FAILED;
    runtime_remove(instance->root, instance->name); // what it was not allowed to remove itself
    if (is_there)
        return EXIT_DONE;
    fault_set(fault, "%s is not running%s", instance->name, geteuid() ? " as far as you may see: try sudo" : "");
    return EXIT_FAILED;
}

int command_down(const struct command_line *line)
{
    struct instance instance;
    struct fault fault = {""};
    int code = EXIT_FAILED;
    if (!instance_name(instance.name, line->argument, &fault)) {
        code = EXIT_WRONG;
    } else if (runtime_root(instance.root, &fault)) {
        instance.slots = runtime_slots(instance.root, instance.name);
        instance.pid = runtime_pid(instance.root, instance.name);
        code = take_down(&instance, &fault);
    }
    if (code != EXIT_DONE)
        fprintf(stderr, "usher-tun: %s\n", fault.text);
    return code;
}
