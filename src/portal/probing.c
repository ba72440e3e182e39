// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/probing.h"

#include "base/memory.h"
#include "edge/listen/handed/handed.h"
#include "edge/listen/place.h"
#include "os/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_MS = 135000 }; // longer than any gate waits for a far end (ConnectTimeout is 120 s at most)

struct probing {
    struct control_request *request;
    struct handed_flow *flow;
    struct usher_open led; // where a guide leads it
    bool is_led;
    usec_t begun;
    int error;
    const char *why;
};

static void describe(const void *part, struct facts *facts)
{
    const struct probing *probing = part;
    char text[ENDPOINT_TEXT_SIZE];
    const struct endpoint there = {.addr = probing->led.addr, .port = probing->led.port};
    facts_gauge(facts, "opened", "whether the far side has opened it", FACT_SWITCH, !probing->error);
    facts_gauge(facts, "errno", "what connect(2) would say", FACT_COUNT, (uint64_t)probing->error);
    facts_text(facts, "why", "what the far side says", probing->why);
    facts_gauge(facts, "took_us", "from the question to the answer", FACT_MICROSECONDS, clock_now() - probing->begun);
    if (probing->is_led)
        facts_text(facts, "leads_to", "what that address stands for",
                   there.addr.version ? endpoint_text(&there, text) : probing->led.host);
}

static void reply(struct probing *probing, int error, const char *why)
{
    probing->error = error;
    probing->why = why;
    control_reply(probing->request, describe, probing);
    free(probing);
}

static void told(void *owner, int fd, int error, const char *why)
{
    if (fd >= 0)
        close(fd);
    reply(owner, fd >= 0 ? 0 : error, why);
}

static void deserted(void *owner)
{
    struct probing *probing = owner;
    handed_give_up(probing->flow);
    reply(probing, ECANCELED, "");
}

static bool parse(struct usher_open *out, const char *line)
{
    bool tcp = !strncmp(line, "tcp ", 4);
    *out = (struct usher_open){.protocol = tcp ? USHER_TCP : USHER_UDP};
    return (tcp || !strncmp(line, "udp ", 4)) && place_parse(out, line + 4);
}

void probing_answer(struct portal *portal, const char *line, struct control_request *request)
{
    struct usher_open open;
    if (!parse(&open, line) || portal->stopping || !portal->handed) {
        control_refuse(request, portal->stopping ? "the portal is going down" : "that is no tcp or udp, host and port");
        return;
    }
    struct probing *probing = memory_new(sizeof *probing);
    *probing = (struct probing){.request = request, .led = open, .begun = clock_now()};
    probing->is_led = exchange_lead(portal->node.exchange, &probing->led);
    probing->flow = handed_open(portal->handed, &open, told, probing);
    if (probing->flow)
        control_expect(request, portal->conf->hold + ANSWER_MS, deserted, probing);
    else
        reply(probing, ENOBUFS, "too many flows");
}
