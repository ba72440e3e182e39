// SPDX-License-Identifier: GPL-2.0-or-later
// join: the token becomes a configuration, which is then brought up as any other.

#include "portal/enrol/join.h"
#include "enrol/token.h"
#include "os/process/helper.h"
#include "os/sandbox/sandbox.h"
#include "portal/commands.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SERVICE_S = 60 };

// From standard input a token is seen by nobody who lists processes.
static const char *token_of(const char *argument, char room[TOKEN_TEXT_MAX + 2])
{
    if (strcmp(argument, "-"))
        return argument;
    if (!fgets(room, TOKEN_TEXT_MAX + 2, stdin))
        *room = '\0';
    room[strcspn(room, " \t\r\n")] = '\0';
    return room;
}

static int fail(const struct fault *fault)
{
    fprintf(stderr, "usher-tun: %s\n", fault->text);
    return EXIT_FAILED;
}

// Where a service manager is, it is to be up after the next boot as well.
static int start(const char *name)
{
    char unit[INSTANCE_NAME_MAX + 16];
    struct blob said;
    struct fault fault;
    if (access("/run/systemd/system", F_OK) < 0)
        return command_up(&(struct command_line){.argument = name, .passphrase_fd = -1});
    snprintf(unit, sizeof unit, "usher-tun@%s", name);
    const char *const argv[] = {"systemctl", "enable", "--now", unit, NULL};
    const struct helper helper = {.name = "systemctl", .argv = argv, .max = 4096, .seconds = SERVICE_S};
    if (helper_run(&helper, &said, &fault) != HELPER_DONE)
        return fail(&fault);
    blob_wipe(&said);
    return EXIT_DONE;
}

int command_join(const struct command_line *line)
{
    static char room[TOKEN_TEXT_MAX + 2];
    char name[INSTANCE_NAME_MAX + 1];
    struct fault fault;
    sandbox_protect_secrets();
    if (geteuid() != 0) {
        fault_set(&fault, "joining writes /etc/usher, which needs root: try sudo usher-tun join TOKEN");
        return fail(&fault);
    }
    if (!join(name, token_of(line->argument, room), line->as, &fault))
        return fail(&fault);
    fprintf(stderr, "usher-tun: wrote /etc/usher/%s.conf%s%s\n", name,
            line->no_up ? "; bring it up: usher-tun up " : "", line->no_up ? name : "");
    return line->no_up ? EXIT_DONE : start(name);
}
