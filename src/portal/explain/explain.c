// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/explain/explain.h"

#include "base/memory.h"
#include "base/protocol.h"
#include "cli/answer.h"
#include "cli/query.h"
#include "cli/runtime.h"
#include "os/sandbox/sandbox.h"
#include "portal/explain/internal.h"

#include <stdlib.h>
#include <string.h>

enum { ASK_S = 5 };

static bool read_conf(struct explaining *e)
{
    struct config config = {.path = e->file, .report = stderr};
    struct blob text;
    e->conf = memory_new(sizeof *e->conf);
    bool ok = config_load(&config, &text) && portal_conf_parse(e->conf, &config, &text);
    blob_wipe(&text);
    config_fini(&config);
    return ok;
}

static void ask_portal(struct explaining *e)
{
    char root[RUNTIME_ROOT_SIZE];
    struct fault fault;
    if (!runtime_root(root, &fault) || !runtime_pid(root, e->name)) {
        report_step(&e->report, "portal", REPORT_FAILED, "%s is not running", e->name);
        report_remedy(&e->report, "usher-tun up %s", e->name);
        return;
    }
    runtime_path(e->control, root, e->name, "control");
    e->status = answer_ask(e->control, "status", ASK_S, &fault);
    e->up = e->status && !strcmp(answer_text(e->status, "state"), "up");
    if (!e->status) {
        report_step(&e->report, "portal", REPORT_FAILED, "%s runs, but does not answer: %s", e->name, fault.text);
        report_remedy(&e->report, "usher-tun down %s, and up again; its log says what it did last", e->name);
    } else if (e->up) {
        report_step(&e->report, "portal", REPORT_WELL, "%s is up since %s", e->name, answer_text(e->status, "since"));
    } else {
        report_step(&e->report, "portal", REPORT_FAILED, "%s runs, and is %s since %s", e->name,
                    answer_text(e->status, "state"), answer_text(e->status, "since"));
        report_remedy(&e->report, "see below where the way to the gate ends");
    }
}

static void explain_gate(struct explaining *e)
{
    char rtt[32];
    const struct json_t *identity = query_part(e->status, "identity");
    report_step(&e->report, "gate", REPORT_WELL, "%s, %s%s%s, round trip %s", answer_text(e->status, "gate"),
                identity ? answer_text(identity, "name") : "between two connections", identity ? ", " : "",
                identity ? answer_text(identity, "cipher") : "",
                query_text(rtt, sizeof rtt, e->status, "rtt_us", QUERY_MILLISECONDS));
}

static void explain(struct explaining *e)
{
    ask_portal(e);
    if (e->up)
        explain_gate(e);
    explain_names(e);
    explain_routes(e);
    if (e->up && (e->count || *e->to.host))
        explain_probe(e);
    else if (!e->up)
        explain_way(e);
}

static void fini(struct explaining *e)
{
    answer_free(e->status);
    if (e->conf)
        portal_conf_free(e->conf);
    free(e->file);
}

int explain_run(const struct command_line *line)
{
    char subject[DESTINATION_TEXT_SIZE + INSTANCE_NAME_MAX + 64];
    struct explaining e = {.line = line, .report.subject = subject};
    struct fault fault;
    sandbox_protect_secrets();
    if (!instance_name(e.name, line->argument, &fault) ||
        !destination_parse(&e.to, line->more[0], line->more[1], &fault)) {
        fprintf(stderr, "usher-tun: %s\n", fault.text);
        return EXIT_WRONG;
    }
    e.file = instance_config_place(line->argument);
    if (!read_conf(&e)) {
        fini(&e);
        return EXIT_WRONG;
    }
    destination_text(&e.to, e.text);
    snprintf(subject, sizeof subject, "portal %s to %s, %s", e.name, e.text, protocol_text(e.to.protocol));
    explain(&e);
    fini(&e);
    return report_end(&e.report, line->json);
}
