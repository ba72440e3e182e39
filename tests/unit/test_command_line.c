// SPDX-License-Identifier: GPL-2.0-or-later
// What a command is given, and what is refused with the usage.
#include "cli/command.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static struct command_line seen;
static bool called;

static int note(const struct command_line *line)
{
    seen = *line;
    called = true;
    return EXIT_DONE;
}

static const struct command COMMANDS[] = {
    {"up", note, .takes_foreground = true, .takes_argument = true, .needs_argument = true},
    {"status", note, .takes_json = true, .takes_argument = true},
    {"run", note, .takes_argument = true, .needs_argument = true, .needs_command = true},
};

static const struct command_program PROGRAM = {"program", "usage\n", COMMANDS, COUNT(COMMANDS)};

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *argv[8];
        int code;
        bool calls;
        const char *argument, *command; // its first word
    } rows[] = {
        {"up", {"program", "up", "-f", "a"}, EXIT_DONE, true, "a", NULL},
        {"no argument", {"program", "up"}, EXIT_WRONG, false, NULL, NULL},
        {"two", {"program", "up", "a", "b"}, EXIT_WRONG, false, NULL, NULL},
        {"dashes are for run", {"program", "up", "a", "--"}, EXIT_WRONG, false, NULL, NULL},
        {"run", {"program", "run", "a", "--", "ls", "-l", "--"}, EXIT_DONE, true, "a", "ls"},
        {"run and help", {"program", "run", "a", "--", "--help"}, EXIT_DONE, true, "a", "--help"},
        {"help of run", {"program", "run", "--help", "--", "ls"}, EXIT_DONE, false, NULL, NULL},
        {"run without dashes", {"program", "run", "a", "ls"}, EXIT_WRONG, false, NULL, NULL},
        {"run nothing", {"program", "run", "a", "--"}, EXIT_WRONG, false, NULL, NULL},
        {"run no name", {"program", "run", "--", "ls"}, EXIT_WRONG, false, NULL, NULL},
        {"run, and an option", {"program", "run", "-f", "a", "--", "ls"}, EXIT_WRONG, false, NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int argc = 0;
        while (rows[i].argv[argc])
            argc++;
        called = false;
        seen = (struct command_line){0};
        CASE(rows[i].name, command_main(&PROGRAM, argc, (char **)rows[i].argv) == rows[i].code);
        CASE(rows[i].name, called == rows[i].calls);
        CASE(rows[i].name, !rows[i].argument || !strcmp(seen.argument, rows[i].argument));
        CASE(rows[i].name, rows[i].command ? !strcmp(seen.command[0], rows[i].command) : !seen.command);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
