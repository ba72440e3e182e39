// SPDX-License-Identifier: GPL-2.0-or-later
// usher-gate: a gate. See usher-gate(8).

#include "cli/command.h"
#include "cli/denials.h"
#include "cli/expiry.h"
#include "cli/query.h"
#include "cli/runtime.h"
#include "cli/top/top.h"
#include "gate/audit/writer.h"
#include "gate/bundle.h"
#include "gate/channel/worker_start.h"
#include "gate/explain.h"
#include "gate/flows.h"
#include "gate/herald/herald.h"
#include "gate/load/load.h"
#include "gate/supervisor/handout.h"
#include "gate/supervisor/supervisor.h"
#include "gate/upgrade/state_file.h"
#include "gate/upgrade/upgrade.h"
#include "gate/worker/template.h"
#include "os/log.h"
#include "os/sandbox/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] = "usage: usher-gate run NAME|FILE        serve, in the foreground\n"
                            "       usher-gate check NAME|FILE      judge a configuration\n"
                            "       usher-gate status [NAME] [--json]\n"
                            "       usher-gate top [NAME] [--once]  portals, as they move data\n"
                            "       usher-gate flows [PORTAL] [--json]\n"
                            "                                       who goes where, by which rule\n"
                            "       usher-gate denials [NAME] [--json]\n"
                            "                                       what rules refused, and which\n"
                            "       usher-gate explain PORTAL HOST[:PORT] [tcp|udp|icmp] [--json]\n"
                            "                                       what it would say, and why\n"
                            "       usher-gate bundle NAME|FILE [FILE.tar.gz] [--anonymous]\n"
                            "                                       what who helps wants to see, without secrets\n"
                            "       usher-gate reload [NAME]        read its files again\n"
                            "       usher-gate upgrade [NAME]       run the program on disk, and lose no flow\n"
                            "       usher-gate drain [NAME]         let nobody in, and end with the last flow\n"
                            "       usher-gate end PORTAL           end every tunnel of this portal now\n"
                            "       usher-gate --version\n"
                            "run and check: --passphrase-fd N, a descriptor with the passphrase of the key\n"
                            "explain: --config NAME|FILE, whose rules, if not those of the gate that runs\n"
                            "NAME stands for /etc/usher/NAME.conf. See usher-gate(8).\n";

// Ports of a gate that runs are taken by itself, and who may only read the file may not listen everywhere.
static bool check_forwards(const struct gate_conf *conf, const char *name_or_file)
{
    char root[RUNTIME_ROOT_SIZE], path[4096];
    struct fault fault, no_root;
    unsigned at;
    if (handout_try(&conf->access, &fault, &at) || errno == EACCES)
        return true;
    if (errno == EADDRINUSE && runtime_root(root, &no_root) && runtime_pid(root, conf->name))
        return true;
    instance_config_path(path, sizeof path, name_or_file);
    fprintf(stderr, "%s:%u: Forward: %s\n", path, at, fault.text);
    return false;
}

static int check(const struct command_line *line)
{
    const struct asking asking = {.fd = line->passphrase_fd, .at_terminal_only = true};
    struct handover handover;
    sandbox_protect_secrets();
    struct gate_conf *conf = gate_load(line->argument, &asking, &handover);
    if (!conf)
        return EXIT_WRONG;
    bool ok = check_forwards(conf, line->argument);
    handover_fini(&handover);
    gate_conf_free(conf);
    return ok ? EXIT_DONE : EXIT_WRONG;
}

static void begin_log(const struct gate_conf *conf)
{
    char name[INSTANCE_NAME_MAX + 16];
    snprintf(name, sizeof name, "usher-gate %s", conf->name);
    log_set_name(name);
    log_set_field(LOG_GATE, conf->name);
    log_set_level(conf->log_level);
}

// In the process of an earlier program, whose state lies in `fd`. It comes back if this one cannot stand.
static int take_over(int fd, const char *back)
{
    struct gate_state state;
    struct handover handover = {0};
    struct supervisor_legacy legacy = {.state = &state, .fd = fd, .back = back};
    struct fault fault;
    if (!state_read(&state, fd, &fault)) {
        fprintf(stderr, "usher-gate: %s\n", fault.text);
        return EXIT_FAILED;
    }
    bool ok = state_keep_open(&state, false) || fault_set(&fault, "not all that was left to it is there");
    ok = ok && handover_read(&handover, state.handover, handover_size(state.handover, &fault), &fault);
    struct gate_conf *conf = ok ? gate_load_inherited(&handover, &legacy.now) : NULL;
    if (ok && !conf)
        ok = fault_set(&fault, "what the gate runs by is mistaken");
    if (ok) {
        begin_log(legacy.now ? legacy.now : conf);
        ok = supervisor_run(conf, state.name_or_file, &handover, &legacy, &fault);
    }
    if (!ok && !back)
        upgrade_go_back(&state, fd, fault.text);
    if (!ok)
        fprintf(stderr, "usher-gate: %s\n", fault.text);
    handover_fini(&handover);
    if (conf)
        gate_conf_free(conf);
    state_fini(&state);
    return ok ? EXIT_DONE : EXIT_FAILED;
}

static int run(const struct command_line *line)
{
    const struct asking asking = {.fd = line->passphrase_fd};
    struct handover handover;
    struct fault fault;
    const char *back;
    int left;
    sandbox_protect_secrets();
    if (upgrade_is_due(&left, &back))
        return take_over(left, back);
    struct gate_conf *conf = gate_load(line->argument, &asking, &handover);
    if (!conf)
        return EXIT_WRONG;
    begin_log(conf);
    bool ok = supervisor_run(conf, line->argument, &handover, NULL, &fault);
    if (!ok)
        fprintf(stderr, "usher-gate: %s: %s\n", conf->name, fault.text);
    handover_fini(&handover);
    gate_conf_free(conf);
    return ok ? EXIT_DONE : EXIT_FAILED;
}

// Only what is wrong with it.
static void print_audit(FILE *out, const struct json_t *audit)
{
    char file[512], lost[32], error[128];
    query_text(file, sizeof file, audit, "file", QUERY_TEXT);
    query_text(lost, sizeof lost, audit, "lines_lost", QUERY_NUMBER);
    if (strcmp(query_text(error, sizeof error, audit, "error", QUERY_TEXT), "-"))
        fprintf(out, "  cannot write %s: %s\n", file, error);
    if (atoi(lost))
        fprintf(out, "  lines that are not in %s: %s\n", file, lost);
}

static void print_balancers(FILE *out, const struct json_t *balancers)
{
    char passed[32], refused[32];
    if (balancers)
        fprintf(out, "  passed on by balancers: %s, and refused: %s\n",
                query_text(passed, sizeof passed, balancers, "passed", QUERY_NUMBER),
                query_text(refused, sizeof refused, balancers, "refused", QUERY_NUMBER));
}

static void print_status(FILE *out, const struct json_t *status)
{
    static const struct query_column columns[] = {
        {.title = "PORTAL", .key = "identity"},
        {.title = "ADDRESS", .key = "address"},
        {.title = "SINCE", .key = "since"},
        {.title = "SESSIONS", .key = "sessions", .kind = QUERY_NUMBER},
        {.title = "IN", .key = "bytes_in", .kind = QUERY_BYTES},
        {.title = "OUT", .key = "bytes_out", .kind = QUERY_BYTES},
        {.title = "PID", .key = "pid", .kind = QUERY_NUMBER},
        {.title = "DRAINS", .key = "draining", .kind = QUERY_NUMBER, .optional = true},
    };
    char name[64], state[64], since[64], pid[64];
    fprintf(out, "%s: %s since %s, pid %s\n", query_text(name, sizeof name, status, "name", QUERY_TEXT),
            query_text(state, sizeof state, status, "state", QUERY_TEXT),
            query_text(since, sizeof since, status, "since", QUERY_TEXT),
            query_text(pid, sizeof pid, status, "pid", QUERY_TEXT));
    query_lines(out, "  listens on ", query_part(status, "listen"));
    query_lines(out, "  tells balancers how it is on ", query_part(status, "health"));
    print_balancers(out, query_part(status, "balancers"));
    const struct json_t *portals = query_part(status, "portals");
    if (query_count(portals))
        query_table(out, portals, columns, sizeof columns / sizeof columns[0]);
    else
        fprintf(out, "  no portal is connected\n");
    query_lines(out, "  refused: ", query_part(status, "refused"));
    denials_print_count(out, status, "usher-gate");
    print_audit(out, query_part(status, "audit"));
    expiry_print(out, status);
}

static int ask(const struct command_line *line, const char *request,
               void (*print)(FILE *out, const struct json_t *answer))
{
    const struct query query = {
        .program = "usher-gate",
        .role = "gate",
        .line = request,
        .print = print,
    };
    return query_run_typed(&query, line);
}

static int status(const struct command_line *line)
{
    return ask(line, "status", print_status);
}

static int denials(const struct command_line *line)
{
    return ask(line, "denials", denials_print);
}

static int top(const struct command_line *line)
{
    return top_run(line, "usher-gate", "gate");
}

static void print_reload(FILE *out, const struct json_t *answer)
{
    (void)out;
    query_lines(stderr, "usher-gate: ", query_part(answer, "messages"));
}

static int reload(const struct command_line *line)
{
    const struct query query = {
        .program = "usher-gate",
        .role = "gate",
        .line = "reload",
        .print = print_reload,
        .done = "done",
        .nothing = "not all of it is in force",
        .failure = EXIT_WRONG,
    };
    return query_run_typed(&query, line);
}

static void print_upgraded(FILE *out, const struct json_t *answer)
{
    char message[1024], upgraded[16];
    query_text(message, sizeof message, answer, "message", QUERY_TEXT);
    if (!strcmp(query_text(upgraded, sizeof upgraded, answer, "upgraded", QUERY_TEXT), "yes"))
        fprintf(out, "%s\n", message);
    else
        fprintf(stderr, "usher-gate: %s\n", message);
}

static int upgrade(const struct command_line *line)
{
    const struct query query = {
        .program = "usher-gate",
        .role = "gate",
        .line = "upgrade",
        .print = print_upgraded,
        .done = "upgraded",
        .nothing = "the program that ran goes on",
        .failure = EXIT_FAILED,
    };
    return query_run_typed(&query, line);
}

static void print_draining(FILE *out, const struct json_t *answer)
{
    char name[64], count[64];
    fprintf(out, "%s: lets nobody in any more and ends with its last flow; tunnels that drain: %s\n",
            query_text(name, sizeof name, answer, "name", QUERY_TEXT),
            query_text(count, sizeof count, answer, "draining", QUERY_NUMBER));
}

static int drain(const struct command_line *line)
{
    return ask(line, "drain", print_draining);
}

static void print_ended(FILE *out, const struct json_t *answer)
{
    char name[64], ended[64];
    fprintf(out, "%s: tunnels ended: %s\n", query_text(name, sizeof name, answer, "name", QUERY_TEXT),
            query_text(ended, sizeof ended, answer, "ended", QUERY_NUMBER));
}

// Asks all gates of this machine: a portal is known by its certificate, wherever it has logged in.
static int end(const struct command_line *line)
{
    char request[TLS_NAME_SIZE + 8], nothing[TLS_NAME_SIZE + 64];
    if (strlen(line->argument) >= TLS_NAME_SIZE || strpbrk(line->argument, "\r\n")) {
        fprintf(stderr, "usher-gate: no portal has such a name\n");
        return EXIT_WRONG;
    }
    snprintf(request, sizeof request, "end %s", line->argument);
    snprintf(nothing, sizeof nothing, "no portal %s is connected", line->argument);
    const struct query query = {
        .program = "usher-gate",
        .role = "gate",
        .line = request,
        .json = line->json,
        .print = print_ended,
        .done = "ended",
        .nothing = nothing,
        .failure = EXIT_FAILED,
    };
    return query_run(&query);
}

// Not for people: what the supervisor has workers made of.
static int worker(const struct command_line *line)
{
    (void)line;
    return template_main();
}

// Nor this: what hears from balancers whom they pass on.
static int herald(const struct command_line *line)
{
    return herald_main(line->argument);
}

// Nor this: what it starts for the audit file.
static int audit_writer(const struct command_line *line)
{
    return audit_writer_main(line->argument, line->more[0]);
}

// Nor this: what a running gate asks of the program that is to take its place.
static int stand_in(const struct command_line *line)
{
    (void)line;
    sandbox_protect_secrets();
    return upgrade_trial();
}

static const struct command COMMANDS[] = {
    {"run", run, .takes_passphrase_fd = true, .takes_argument = true, .needs_argument = true},
    {"check", check, .takes_passphrase_fd = true, .takes_argument = true, .needs_argument = true},
    {"status", status, .takes_json = true, .takes_argument = true},
    {"flows", flows_run, .takes_json = true, .takes_argument = true},
    {"denials", denials, .takes_json = true, .takes_argument = true},
    {"top", top, .takes_argument = true, .takes_once = true},
    {"bundle", gate_bundle, .takes_argument = true, .needs_argument = true, .takes_more = 1, .takes_anonymous = true},
    {"explain", explain_run, .takes_json = true, .takes_argument = true, .needs_argument = true, .takes_more = 2,
     .needs_more = 1, .takes_config = true},
    {"reload", reload, .takes_json = true, .takes_argument = true},
    {"upgrade", upgrade, .takes_json = true, .takes_argument = true},
    {"drain", drain, .takes_json = true, .takes_argument = true},
    {"end", end, .takes_json = true, .takes_argument = true, .needs_argument = true},
    {UPGRADE_TRIAL, stand_in, .takes_argument = false},
    {AUDIT_WRITER_COMMAND, audit_writer, .takes_argument = true, .needs_argument = true, .takes_more = 1,
     .needs_more = 1},
    {WORKER_COMMAND, worker, .takes_argument = false},
    {HERALD_COMMAND, herald, .takes_argument = true, .needs_argument = true},
};

int main(int argc, char **argv)
{
    static const struct command_program program = {
        "usher-gate",
        USAGE,
        COMMANDS,
        sizeof COMMANDS / sizeof COMMANDS[0],
    };
    return command_main(&program, argc, argv);
}
