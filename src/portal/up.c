// SPDX-License-Identifier: GPL-2.0-or-later
// up and check: everything that can be judged beforehand is, and only then is anything touched.

#include "os/sandbox/rights.h"
#include "os/sandbox/sandbox.h"
#include "portal/commands.h"
#include "portal/load.h"
#include "portal/run.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

int command_check(const struct command_line *line)
{
    sandbox_protect_secrets();
    struct tls_identity *identity;
    struct portal_conf *conf = portal_load(line, PORTAL_OF_HOST, true, &identity, NULL);
    if (!conf)
        return EXIT_WRONG;
    tls_identity_free(identity);
    portal_conf_free(conf);
    return EXIT_DONE;
}

// In the process that stays.
static int run(struct portal *portal, struct background *background, struct fault *fault)
{
    portal->background = background;
    int code = portal_run(portal);
    *fault = portal->failure;
    return code;
}

// The child that failed may not: it has given its rights away. Slots mean that it died, and that `down` still has work.
static void sweep(const char *name)
{
    char root[RUNTIME_ROOT_SIZE];
    struct fault fault;
    if (runtime_root(root, &fault) && !runtime_pid(root, name) && !runtime_slots(root, name))
        runtime_remove(root, name);
}

// One that was killed this very moment may still have its place: the kernel takes a process apart piece by piece.
static pid_t wait_for_the_dying(const char *root, const char *name)
{
    const struct timespec moment = {.tv_nsec = 20 * 1000 * 1000};
    pid_t pid = runtime_pid(root, name);
    for (int left = 10; pid > 0 && left > 0; left--) {
        nanosleep(&moment, NULL);
        pid = runtime_pid(root, name);
    }
    return pid;
}

// Told before anybody is asked for a passphrase; whoever starts at the same moment hears it when the place is claimed.
static bool is_free(const char *name_or_file, struct fault *fault)
{
    char root[RUNTIME_ROOT_SIZE], name[INSTANCE_NAME_MAX + 1];
    struct fault ignored;
    pid_t pid = 0;
    if (instance_name(name, name_or_file, &ignored) && runtime_root(root, &ignored))
        pid = wait_for_the_dying(root, name);
    return pid <= 0 || fault_set(fault, "%s: already running (pid %d)", name, (int)pid);
}

int command_up(const struct command_line *line)
{
    struct tls_identity *identity;
    struct fault fault = {""};
    struct background background = BACKGROUND_NONE;
    struct attendants attendants;
    struct in_force force = {0};
    int code = EXIT_FAILED;
    sandbox_protect_secrets();
    if ((!rights_are_the_machines() && !portal_conf_suits_user(line->argument, &fault)) ||
        !is_free(line->argument, &fault) || !attendants_start(&attendants, true, &fault)) {
        fprintf(stderr, "usher-tun: %s\n", fault.text);
        return EXIT_FAILED;
    }
    struct portal_conf *conf = portal_load(line, PORTAL_OF_HOST, false, &identity, &force);
    if (!conf)
        return EXIT_WRONG;
    struct portal portal = {
        .conf = conf, .identity = identity, .name_or_file = line->argument, .force = &force, .attendants = &attendants};

    bool stays = line->foreground || background_start(&background, &code, &fault);
    if (stays)
        code = run(&portal, &background, &fault);
    // A child has told the command that waits, which tells the person.
    if (*fault.text && (line->foreground || !stays))
        fprintf(stderr, "usher-tun: %s: %s\n", conf->name, fault.text);
    if (!stays && code != EXIT_DONE)
        sweep(conf->name);
    tls_identity_free(portal.identity); // another one by now, perhaps
    in_force_wipe(&force);
    portal_conf_free(conf);
    return code;
}
