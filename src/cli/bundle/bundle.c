// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/bundle/bundle.h"

#include "base/memory.h"
#include "cli/bundle/archive.h"
#include "cli/bundle/facts.h"
#include "cli/bundle/scrub.h"
#include "cli/control.h"
#include "cli/moment.h"
#include "cli/runtime.h"
#include "cli/version.h"
#include "config/instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TAIL_MAX = 256 * 1024, NAME_SIZE = 100, PASSWORD_MAX = 4096 };

// About the machine, what matters to tunnels.
static const struct {
    const char *name, *command;
} COMMANDS[] = {
    {"machine.txt", "uname -a; cat /etc/os-release; uptime; free -m; nproc; date -u"},
    {"links.txt", "ip -d -s address"},
    {"rules.txt", "ip rule; ip -6 rule"},
    {"routes.txt", "ip route show table all; ip -6 route show table all"},
    {"names.txt", "cat /etc/resolv.conf; command -v resolvectl >/dev/null && resolvectl --no-pager status"},
    {"sysctl.txt", "sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv4.conf.all.rp_filter "
                   "net.ipv4.tcp_congestion_control net.core.rmem_max net.core.wmem_max"},
    {"sockets.txt", "ss -s"},
};

struct bundle {
    const struct bundle_program *program;
    char instance[INSTANCE_NAME_MAX + 1];
    char *file; // the configuration
    struct scrub scrub;
    struct archive archive;
};

// Takes `text` over.
static void add(struct bundle *bundle, const char *name, char *text)
{
    char path[NAME_SIZE];
    char *clean = scrub_text(&bundle->scrub, text);
    snprintf(path, sizeof path, "usher-%s/%s", bundle->instance, name);
    archive_add(&bundle->archive, path, clean, strlen(clean));
    explicit_bzero(text, strlen(text));
    free(text);
    free(clean);
}

static void add_about(struct bundle *bundle)
{
    char *room = NULL, moment[MOMENT_TEXT_SIZE];
    size_t size;
    FILE *out = open_memstream(&room, &size);
    fprintf(out, "%s of %s, made %s\n", bundle->program->name, bundle->instance, moment_text(moment, time(NULL)));
    fprintf(out, "Keys, passwords and comments of the configuration are left out%s.\n\n",
            bundle->scrub.anonymous ? ", and each address is a number" : "");
    version_print(out, bundle->program->name);
    fclose(out);
    add(bundle, "about.txt", room);
}

// Passwords that are in files, so that they are found if they stand anywhere else.
static void note_password(struct bundle *bundle, const char *path)
{
    struct blob text;
    struct fault fault;
    if (!path || !blob_read(&text, path, PASSWORD_MAX, &fault))
        return;
    for (char *rest = (char *)text.bytes, *line; (line = strsep(&rest, "\r\n"));)
        scrub_secret(&bundle->scrub, line);
    blob_wipe(&text);
}

// A mistake quotes what the file says, which may be anything.
static char *without_quotes(char *text)
{
    char *to = text;
    bool quoted = false;
    for (const char *from = text; *from; from++) {
        quoted = *from == '"' ? !quoted : quoted && *from != '\n';
        if (!quoted)
            *to++ = *from;
    }
    *to = '\0';
    return text;
}

// First of all, since it says what is secret.
static bool add_configuration(struct bundle *bundle)
{
    char *mistakes = NULL;
    size_t size;
    struct blob text;
    const struct credential_keys *credentials;
    const char *passwords[2] = {NULL, NULL};
    FILE *report = open_memstream(&mistakes, &size);
    struct config config = {.path = bundle->file, .report = report};
    bool ok = config_load(&config, &text);
    if (ok) {
        void *conf = bundle->program->parse(&config, &text, &credentials, passwords);
        for (size_t i = 0; i < sizeof passwords / sizeof passwords[0]; i++)
            note_password(bundle, passwords[i]);
        add(bundle, "configuration.conf", scrub_configuration(&bundle->scrub, &config, (const char *)text.bytes));
        add(bundle, "credentials.txt", bundle_credentials(credentials));
        bundle->program->free(conf);
    }
    fclose(report);
    if (ok)
        add(bundle, "mistakes.txt", without_quotes(mistakes));
    else
        fprintf(stderr, "%s", mistakes);
    if (!ok)
        free(mistakes);
    blob_wipe(&text);
    config_fini(&config);
    return ok;
}

static void ask(struct bundle *bundle, const char *root, const char *question)
{
    char path[RUNTIME_PATH_SIZE], name[NAME_SIZE];
    struct fault fault;
    runtime_path(path, root, bundle->instance, "control");
    char *answer = control_ask(path, question, &fault);
    snprintf(name, sizeof name, "%s.json", question);
    add(bundle, name, answer ? answer : memory_text(fault.text));
}

static void add_instance(struct bundle *bundle)
{
    char root[RUNTIME_ROOT_SIZE], path[RUNTIME_PATH_SIZE], command[256];
    struct fault fault;
    if (runtime_root(root, &fault)) {
        for (const char *const *question = bundle->program->questions; *question; question++)
            ask(bundle, root, *question);
        runtime_path(path, root, bundle->instance, "log");
        add(bundle, "log.txt", bundle_tail(path, TAIL_MAX));
    }
    snprintf(command, sizeof command, "journalctl --no-pager -n 1000 -u '%s@%s'", bundle->program->unit,
             bundle->instance);
    add(bundle, "journal.txt", bundle_command(command));
}

static void add_machine(struct bundle *bundle)
{
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++)
        add(bundle, COMMANDS[i].name, bundle_command(COMMANDS[i].command));
}

static bool make(struct bundle *bundle, const char *file, struct fault *fault)
{
    if (!add_configuration(bundle))
        return fault_set(fault, "without a configuration there is nothing to tell");
    add_about(bundle);
    add_instance(bundle);
    add_machine(bundle);
    return archive_write(&bundle->archive, file, fault);
}

int bundle_run(const struct command_line *line, const char *name_or_file, const char *file,
               const struct bundle_program *program)
{
    struct bundle bundle = {.program = program, .scrub.anonymous = line->anonymous};
    struct fault fault;
    char own[INSTANCE_NAME_MAX + 64];
    time_t now = time(NULL);
    struct tm utc;
    if (!instance_name(bundle.instance, name_or_file, &fault)) {
        fprintf(stderr, "%s: %s\n", program->name, fault.text);
        return EXIT_WRONG;
    }
    bundle.archive.time = (uint64_t)now;
    size_t len = (size_t)snprintf(own, sizeof own, "usher-%s-", bundle.instance);
    strftime(own + len, sizeof own - len, "%Y%m%dT%H%M%SZ.tar.gz", gmtime_r(&now, &utc));
    bundle.file = instance_config_place(name_or_file);
    bool ok = make(&bundle, file ? file : own, &fault);
    if (ok)
        printf("%s\n", file ? file : own);
    else
        fprintf(stderr, "%s: %s\n", program->name, fault.text);
    free(bundle.archive.bytes);
    free(bundle.file);
    scrub_fini(&bundle.scrub);
    return ok ? EXIT_DONE : EXIT_FAILED;
}
