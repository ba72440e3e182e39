// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/supervisor/requests.h"

#include "base/text.h"
#include "gate/supervisor/farewell.h"
#include "gate/supervisor/internal.h"
#include "gate/supervisor/recording.h"
#include "os/log.h"

#include <string.h>

static void describe_name(const void *part, struct facts *facts)
{
    const struct supervisor *supervisor = part;
    facts_text(facts, "name", "of the instance", supervisor->conf->name);
    facts_text(facts, "role", "what kind of program it is", "gate");
}

static void describe_reload(const void *part, struct facts *facts)
{
    const struct supervisor *supervisor = part;
    describe_name(supervisor, facts);
    renewal_describe_last(supervisor->renewal, facts);
}

// What `usher-gate end` has done.
struct ending {
    const struct supervisor *supervisor;
    uint64_t count;
};

static void describe_ending(const void *part, struct facts *facts)
{
    const struct ending *ending = part;
    describe_name(ending->supervisor, facts);
    facts_gauge(facts, "ended", "tunnels that were told to end", FACT_COUNT, ending->count);
}

// All tunnels of the portal of that name, now. It may come again: keeping it out is for the rules, or the revocation list.
static void end_portal(struct supervisor *supervisor, const char *name, struct control_request *request)
{
    struct ending ending = {.supervisor = supervisor};
    char shown[TLS_NAME_SIZE];
    list_for_each(node, &supervisor->children) {
        struct child *child = container_of(node, struct child, node);
        if (!child->up || child->ending || strcasecmp(child->name, name))
            continue;
        log_info("%s: ended, worker %d: an operator asked for it", text_escape(shown, sizeof(shown), child->name),
                 (int)child->pid);
        child_end(child, "an operator of the gate has ended it");
        ending.count++;
    }
    control_reply(request, describe_ending, &ending);
}

static void describe_retiring(const void *part, struct facts *facts)
{
    const struct ending *ending = part;
    describe_name(ending->supervisor, facts);
    facts_gauge(facts, "draining", "tunnels that were told to end with their last sessions", FACT_COUNT, ending->count);
}

// Out of service: portals find their next gate, what is open goes on, and with the last of it the program ends.
static void retire(struct supervisor *supervisor, struct control_request *request)
{
    struct ending ending = {.supervisor = supervisor};
    log_info("draining: nobody is let in any more, and with the last tunnel the gate ends");
    supervisor->retiring = true;
    farewell_stop_listening(supervisor);
    survey_set_state(supervisor->survey, "draining");
    ending.count = drainage_begin(supervisor->drainage, renewal_conf(supervisor->renewal)->drain_timeout);
    control_reply(request, describe_retiring, &ending);
    if (!supervisor->child_count)
        farewell_begin(supervisor);
}

// What changes nothing is nobody's business.
static void record_act(struct supervisor *supervisor, const char *line, const struct control_request *request)
{
    static const char *const acts[] = {"reload", "end", "upgrade", "drain", "down"};
    size_t len = strcspn(line, " ");
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        if (len == strlen(acts[i]) && !strncmp(line, acts[i], len))
            recording_act(supervisor->trail, request, acts[i], line[len] ? line + len + 1 : NULL);
}

void requests_answer(void *owner, const char *line, struct control_request *request)
{
    static const char end[] = "end ";
    struct supervisor *supervisor = owner;
    record_act(supervisor, line, request);
    if (!strcmp(line, "status")) {
        survey_request(supervisor->survey, request);
    } else if (!strcmp(line, "denials")) {
        survey_request_denials(supervisor->survey, request);
    } else if (!strcmp(line, "flows") || !strncmp(line, "flows ", 6)) {
        census_request(supervisor->census, line, request);
    } else if (!strcmp(line, "reload")) {
        renewal_run(supervisor->renewal);
        control_reply(request, describe_reload, supervisor);
    } else if (!strncmp(line, end, strlen(end))) {
        end_portal(supervisor, line + strlen(end), request);
    } else if (!strcmp(line, "upgrade")) {
        upgrade_run(supervisor->upgrade, request);
    } else if (!strcmp(line, "drain")) {
        retire(supervisor, request);
    } else if (!strcmp(line, "down")) {
        control_reply(request, describe_name, supervisor);
        log_info("ending: asked to");
        farewell_begin(supervisor);
    } else {
        control_refuse(request, "unknown request");
    }
}
