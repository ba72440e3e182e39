// SPDX-License-Identifier: GPL-2.0-or-later
// Options are those of the table of commands; what a command does, and whether it takes a name or a file, is what the usage
// says of it, so that people and shells are told the same.

#include "cli/complete.h"

#include "cli/runtime.h"
#include "config/instance.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

struct completion {
    FILE *out;
    const char *word; // as far as it is typed
};

static void offer(const struct completion *to, const char *word, const char *what, int what_len)
{
    if (strncmp(word, to->word, strlen(to->word)))
        return;
    if (what_len > 0)
        fprintf(to->out, "%s\t%.*s\n", word, what_len, what);
    else
        fprintf(to->out, "%s\n", word);
}

// The rest of the line of a command in the usage; NULL for one that is not for people.
static const char *usage_of(const struct command_program *program, const struct command *command)
{
    char words[128];
    int len = snprintf(words, sizeof words, "%s %s ", program->name, command->name);
    const char *at = strstr(program->usage, words);
    return at ? at + len : NULL;
}

// What it does stands behind two spaces or behind the last option; if neither has room for it, alone on the next line.
static const char *purpose(const struct command_program *program, const char *usage, int *len)
{
    const char *from = NULL, *end = usage + strcspn(usage, "\n"), *next = end + strspn(end, "\n ");
    for (const char *at = usage; at + 2 < end; at++)
        if (strchr(" ]", at[0]) && at[1] == ' ' && islower((unsigned char)at[2]))
            from = at + 2;
    if (!from && next > end + 1 && strncmp(next, program->name, strlen(program->name))) {
        from = next;
        end = next + strcspn(next, "\n");
    }
    *len = from ? (int)(end - from) : 0;
    return from;
}

static void offer_commands(const struct completion *to, const struct command_program *program)
{
    for (unsigned i = 0; i < program->count; i++) {
        int len;
        const char *usage = usage_of(program, &program->commands[i]);
        if (!usage)
            continue;
        const char *what = purpose(program, usage, &len);
        offer(to, program->commands[i].name, what, len);
    }
    if (*to->word == '-') {
        offer(to, "--help", NULL, 0);
        offer(to, "--version", NULL, 0);
    }
}

static void offer_options(const struct completion *to, const struct command *command, bool may_end)
{
    if (command->takes_foreground)
        offer(to, "-f", NULL, 0);
    if (command->takes_json)
        offer(to, "--json", NULL, 0);
    if (command->takes_once)
        offer(to, "--once", NULL, 0);
    if (command->takes_anonymous)
        offer(to, "--anonymous", NULL, 0);
    if (command->takes_config)
        offer(to, "--config", NULL, 0);
    if (command->takes_passphrase_fd)
        offer(to, "--passphrase-fd", NULL, 0);
    if (command->takes_joining) {
        offer(to, "--no-up", NULL, 0);
        offer(to, "--as", NULL, 0);
    }
    if (command->needs_command && may_end)
        offer(to, "--", NULL, 0);
}

static void offer_name(void *arg, const char *name)
{
    offer(arg, name, NULL, 0);
}

// One that was started from a file elsewhere.
static void offer_running(void *arg, const char *name)
{
    char path[4096];
    instance_config_path(path, sizeof path, name);
    if (access(path, F_OK) < 0)
        offer(arg, name, NULL, 0);
}

static void offer_arguments(struct completion *to, const char *usage)
{
    char root[RUNTIME_ROOT_SIZE];
    struct fault fault;
    size_t line = strcspn(usage, "\n");
    if (memmem(usage, line, "NAME", 4)) {
        instance_each(offer_name, to);
        if (runtime_root(root, &fault))
            runtime_each(root, offer_running, to);
    }
    if (memmem(usage, line, "FILE", 4))
        fputs(":files\n", to->out);
}

static void within(struct completion *to, const struct command *command, const char *usage, int count, char **words)
{
    bool has_argument = false;
    for (int i = 0; i < count; i++) {
        if (command->needs_command && !strcmp(words[i], "--")) {
            fputs(":command\n", to->out);
            return;
        }
        if (!command->takes_passphrase_fd || strcmp(words[i], "--passphrase-fd"))
            has_argument |= *words[i] != '-';
        else if (++i == count)
            return; // a number is being typed
    }
    if (*to->word == '-' || has_argument)
        offer_options(to, command, has_argument);
    else if (command->takes_argument)
        offer_arguments(to, usage);
}

void complete(FILE *out, const struct command_program *program, int count, char **words)
{
    if (count < 1)
        return;
    struct completion to = {.out = out, .word = words[count - 1]};
    if (count == 1) {
        offer_commands(&to, program);
        return;
    }
    for (unsigned i = 0; i < program->count; i++) {
        const char *usage = usage_of(program, &program->commands[i]);
        if (usage && !strcmp(program->commands[i].name, words[0]))
            within(&to, &program->commands[i], usage, count - 2, words + 1);
    }
}
