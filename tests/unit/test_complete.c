// SPDX-License-Identifier: GPL-2.0-or-later
// What a shell is offered, of a program with one command of each kind.
#include "cli/complete.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char USAGE[] = "usage: prog up [-f] NAME|FILE      bring it up (-f: stay)\n"
                            "       prog run NAME|FILE -- COMMAND [ARGUMENT...]\n"
                            "                                   a long one\n"
                            "       prog status [NAME] [--json] what it is doing\n"
                            "       prog plain [NAME]\n"
                            "       prog end PEER               end it\n";

static const struct command COMMANDS[] = {
    {"up", NULL, .takes_foreground = true, .takes_passphrase_fd = true, .takes_argument = true},
    {"run", NULL, .takes_argument = true, .needs_command = true},
    {"status", NULL, .takes_json = true, .takes_argument = true},
    {"plain", NULL, .takes_argument = true},
    {"end", NULL, .takes_argument = true},
    {"worker", NULL, .takes_argument = false},
};
static const struct command_program program = {"prog", USAGE, COMMANDS, COUNT(COMMANDS)};

#define NAMES "branch\nv1.2\n"

// Names come in no order, and this machine may have further ones.
static bool is_offered(const char *text, const char *expected)
{
    bool names = strstr(expected, NAMES);
    for (const char *at = expected; *at; at += strcspn(at, "\n") + 1) {
        char line[128];
        snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n") + 1, at);
        if (!strstr(text, line))
            return false;
    }
    return names ? !strstr(text, "key") && !strstr(text, ".x") && !strstr(text, "old")
                 : strlen(text) == strlen(expected);
}

static void test_offers(void **state)
{
    (void)state;
    static const struct {
        const char *what, *words[5], *offered; // words up to NULL
    } rows[] = {
        {"every command that the usage knows",
         {""},
         "up\tbring it up (-f: stay)\nrun\ta long one\nstatus\twhat it is doing\nplain\nend\tend it\n"},
        {"one by its beginning", {"st"}, "status\twhat it is doing\n"},
        {"none of that beginning", {"x"}, ""},
        {"options of the program", {"--v"}, "--version\n"},
        {"nothing at all", {NULL}, ""},
        {"behind an unknown command", {"nonsense", ""}, ""},
        {"behind a hidden command", {"worker", ""}, ""},
        {"names and files", {"up", ""}, NAMES ":files\n"},
        {"names only", {"status", ""}, NAMES},
        {"a name by its beginning", {"status", "v"}, "v1.2\n"},
        {"neither name nor file", {"end", ""}, ""},
        {"options", {"up", "-"}, "-f\n--passphrase-fd\n"},
        {"options, and the argument is there", {"status", "branch", ""}, "--json\n"},
        {"an argument behind an option", {"status", "--json", "br"}, "branch\n"},
        {"a number", {"up", "--passphrase-fd", ""}, ""},
        {"behind the number", {"up", "--passphrase-fd", "3", "v"}, "v1.2\n:files\n"},
        {"the command's beginning", {"run", "branch", ""}, "--\n"},
        {"not before the name", {"run", "--"}, ""},
        {"the command", {"run", "branch", "--", "l"}, ":command\n"},
        {"words of the command", {"run", "branch", "--", "ls", "-"}, ":command\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[512] = "", *words[5];
        int count = 0;
        while (count < 5 && rows[i].words[count]) {
            words[count] = (char *)rows[i].words[count];
            count++;
        }
        FILE *out = fmemopen(text, sizeof text, "w");
        complete(out, &program, count, words);
        fclose(out);
        if (!is_offered(text, rows[i].offered))
            fail_msg("%s: %s", rows[i].what, text);
    }
}

// Two files, and others that stand for no name. As another user than root, who has no place of his own.
static int set_up(void **state)
{
    static char home[] = "/tmp/usher-complete-XXXXXX";
    static const char *const files[] = {"branch.conf", "v1.2.conf", "branch.conf.old", ".conf", ".x.conf",
                                        "a b.conf",    "key"};
    char path[128];
    *state = home;
    if (!mkdtemp(home) || chmod(home, 0755) < 0)
        return -1;
    setenv("XDG_CONFIG_HOME", home, 1);
    setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
    snprintf(path, sizeof path, "%s/usher", home);
    if (mkdir(path, 0755) < 0)
        return -1;
    for (size_t i = 0; i < COUNT(files); i++) {
        snprintf(path, sizeof path, "%s/usher/%s", home, files[i]);
        if (mknod(path, S_IFREG | 0644, 0) < 0)
            return -1;
    }
    return geteuid() == 0 && seteuid(65534) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    char line[128];
    snprintf(line, sizeof line, "rm -rf %s", (char *)*state);
    return seteuid(getuid()) < 0 || system(line) != 0 ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_offers)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
