// SPDX-License-Identifier: GPL-2.0-or-later
// A table of commands with what each may be given, so that no command judges its own arguments.

#include "cli/command.h"

#include "cli/complete.h"
#include "cli/version.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int refuse(const struct command_program *program, const char *what, const char *arg)
{
    fprintf(stderr, "%s: %s%s%s\n%s", program->name, what, *arg ? ": " : "", arg, program->usage);
    return EXIT_WRONG;
}

static bool is_help(const char *arg)
{
    return !strcmp(arg, "--help") || !strcmp(arg, "-h");
}

static int help(const struct command_program *program)
{
    fputs(program->usage, stdout);
    return EXIT_DONE;
}

// A descriptor that is open; what we start gets no copy.
static bool parse_descriptor(int *out, const char *text)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno || number > INT_MAX)
        return false;
    *out = (int)number;
    return fcntl(*out, *out > STDERR_FILENO ? F_SETFD : F_GETFD, FD_CLOEXEC) >= 0;
}

static int run(const struct command_program *program, const struct command *command, int argc, char **argv)
{
    static const char passphrase_fd[] = "--passphrase-fd";
    struct command_line line = {.passphrase_fd = -1};
    unsigned more = 0;
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        if (command->needs_command && !strcmp(arg, "--")) {
            line.command = argv + i + 1;
            break;
        }
        if (is_help(arg))
            return help(program);
        if (command->takes_foreground && (!strcmp(arg, "-f") || !strcmp(arg, "--foreground")))
            line.foreground = true;
        else if (command->takes_json && !strcmp(arg, "--json"))
            line.json = true;
        else if (command->takes_passphrase_fd && !strcmp(arg, passphrase_fd)) {
            const char *number = ++i < argc ? argv[i] : "";
            if (!parse_descriptor(&line.passphrase_fd, number))
                return refuse(program, "--passphrase-fd needs the number of a descriptor that is open", number);
        } else if (command->takes_config && !strcmp(arg, "--config")) {
            line.config = ++i < argc ? argv[i] : NULL;
            if (!line.config)
                return refuse(program, "--config needs NAME or FILE", "");
        } else if (command->takes_anonymous && !strcmp(arg, "--anonymous"))
            line.anonymous = true;
        else if (command->takes_once && !strcmp(arg, "--once"))
            line.once = true;
        else if (command->takes_joining && !strcmp(arg, "--no-up"))
            line.no_up = true;
        else if (command->takes_joining && !strcmp(arg, "--as")) {
            line.as = ++i < argc ? argv[i] : NULL;
            if (!line.as)
                return refuse(program, "--as needs a NAME", "");
        } else if (*arg == '-' && (arg[1] || !command->takes_joining))
            return refuse(program, "unknown option", arg);
        else if (command->takes_argument && !line.argument)
            line.argument = arg;
        else if (line.argument && more < command->takes_more)
            line.more[more++] = arg;
        else
            return refuse(program, "one argument too many", arg);
    }
    if (command->needs_argument && !line.argument)
        return refuse(program, "which one? NAME or FILE is missing", "");
    if (more < command->needs_more)
        return refuse(program, "where to? DESTINATION is missing", "");
    if (command->needs_command && (!line.command || !*line.command))
        return refuse(program, "run what? -- COMMAND is missing", "");
    return command->run(&line);
}

int command_main(const struct command_program *program, int argc, char **argv)
{
    if (argc < 2)
        return refuse(program, "a command is missing", "");
    if (!strcmp(argv[1], "--version")) {
        version_print(stdout, program->name);
        return EXIT_DONE;
    }
    if (is_help(argv[1]))
        return help(program);
    if (!strcmp(argv[1], COMPLETE_OPTION)) {
        complete(stdout, program, argc - 2, argv + 2);
        return EXIT_DONE;
    }
    for (unsigned i = 0; i < program->count; i++)
        if (!strcmp(program->commands[i].name, argv[1]))
            return run(program, &program->commands[i], argc - 2, argv + 2);
    return refuse(program, "unknown command", argv[1]);
}
