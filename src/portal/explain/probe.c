// SPDX-License-Identifier: GPL-2.0-or-later
// TCP and UDP are opened by the portal itself, so that the answer comes with the far side's own words; a ping goes the way of
// any application's, because whoever answers it is what one wants to know.
#include "portal/explain/internal.h"

#include "base/protocol.h"
#include "cli/answer.h"
#include "os/socket/ping.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PATIENCE_S = 15, PING_MS = 3000 };

static void remedy_for(struct explaining *e, int error, const char *why)
{
    if (strstr(why, "not permitted") || error == EACCES)
        report_remedy(&e->report,
                      "the gate's rules forbid it; which one, says on the gate: usher-gate explain %s %s %s", "PORTAL",
                      e->text, protocol_text(e->to.protocol));
    else if (error == ECONNREFUSED)
        report_remedy(&e->report, "the way is well and the host is there: start the service, or see its port");
    else if (error == ETIMEDOUT)
        report_remedy(&e->report, "nobody answered the gate: see the far host, and firewalls between it and the gate");
    else if (error == EHOSTUNREACH || error == ENETUNREACH)
        report_remedy(&e->report, "the gate's host finds no way there: ip route get, on the gate");
    else
        report_remedy(&e->report, "see the log of the gate, and usher-gate explain there");
}

static void tell_opened(struct explaining *e, const struct json_t *answer)
{
    const char *leads_to = answer_text(answer, "leads_to");
    report_step(&e->report, "probe", REPORT_WELL, "%s opened through the tunnel%s%s, and closed again%s",
                protocol_text(e->to.protocol), *leads_to ? " as " : "", leads_to,
                e->to.protocol == IPPROTO_UDP ? "; whether somebody answers there UDP does not say" : "");
}

static void probe_flow(struct explaining *e)
{
    char request[DESTINATION_TEXT_SIZE + 16];
    struct fault fault;
    snprintf(request, sizeof request, "probe %s %s", protocol_text(e->to.protocol), e->text);
    if (*e->to.host && e->captured) { // an application has resolved it by then
        const struct endpoint end = {.addr = e->addrs[0], .port = e->to.port};
        char text[ENDPOINT_TEXT_SIZE];
        snprintf(request, sizeof request, "probe %s %s", protocol_text(e->to.protocol), endpoint_text(&end, text));
    }
    struct json_t *answer = answer_ask(e->control, request, PATIENCE_S, &fault);
    if (!answer) {
        report_step(&e->report, "probe", REPORT_FAILED, "the far end had not answered after %d s", PATIENCE_S);
        remedy_for(e, ETIMEDOUT, "");
        return;
    }
    int error = (int)answer_number(answer, "errno");
    if (answer_has(answer, "error"))
        report_step(&e->report, "probe", REPORT_FAILED, "%s", answer_text(answer, "error"));
    else if (!error)
        tell_opened(e, answer);
    else
        report_step(&e->report, "probe", REPORT_FAILED, "%s: an application hears \"%s\"", answer_text(answer, "why"),
                    strerror(error));
    if (answer_has(answer, "took_us"))
        report_took(&e->report, answer_number(answer, "took_us"));
    if (error)
        remedy_for(e, error, answer_text(answer, "why"));
    answer_free(answer);
}

static void probe_ping(struct explaining *e)
{
    char text[ADDRESS_TEXT_SIZE];
    usec_t took;
    if (!e->captured || !e->count) {
        report_step(&e->report, "probe", REPORT_NOTE, "not pinged: it would not go into the tunnel");
        return;
    }
    int error = ping_once(&e->addrs[0], PING_MS, &took);
    address_text(&e->addrs[0], text);
    if (error == EPERM || error == EACCES) {
        report_step(&e->report, "probe", REPORT_NOTE, "not pinged: that takes root, or the gate's rules forbid it (%s)",
                    strerror(error));
    } else if (error) {
        report_step(&e->report, "probe", REPORT_FAILED, "no answer to a ping of %s: %s", text, strerror(error));
        report_took(&e->report, took);
        if (error == EHOSTUNREACH)
            report_remedy(
                &e->report,
                "the gate's rules forbid it, or its host finds no way there: usher-gate explain, on the gate");
        else
            remedy_for(e, error, "");
    } else {
        report_step(&e->report, "probe", REPORT_WELL, "%s answered a ping through the tunnel", text);
        report_took(&e->report, took);
    }
}

void explain_probe(struct explaining *e)
{
    if (e->to.protocol == IPPROTO_TCP || e->to.protocol == IPPROTO_UDP)
        probe_flow(e);
    else
        probe_ping(e);
}
