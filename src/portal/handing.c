// SPDX-License-Identifier: GPL-2.0-or-later
// Who hangs up before the answer gives the opening up.
#include "portal/handing.h"

#include "base/memory.h"
#include "edge/listen/handed/handed.h"
#include "edge/listen/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    ANSWER_MS = 135000, // longer than any gate waits for a far end (ConnectTimeout is 120 s at most)
};

static bool take_entrance(struct portal *portal, struct fault *fault)
{
    const struct handed_config config = {
        .poller = portal->node.poller,
        .max_flows = (uint32_t)portal->conf->max_flows,
        .udp_idle_ms = (uint32_t)portal->conf->udp_idle,
    };
    (void)fault;
    portal->handed = handed_new(portal->loop, &config);
    exchange_add(portal->node.exchange, handed_edge(portal->handed));
    return true;
}

const struct step HANDING_ENTRANCE = {"opening for programs", take_entrance, NULL};

struct refusal {
    int error;
    const char *why;
};

static void tell_refusal(const void *part, struct facts *facts)
{
    const struct refusal *refusal = part;
    facts_text(facts, "error", "why it was not opened", refusal->why);
    facts_gauge(facts, "errno", "what connect(2) would say", FACT_COUNT, (uint64_t)refusal->error);
}

static void tell_opened(const void *part, struct facts *facts)
{
    facts_text(facts, "opened", "what the descriptor beside this leads to", part);
}

// One that is on its way.
struct errand {
    struct control_request *request;
    struct handed_flow *flow;
};

static void refuse(struct control_request *request, int error, const char *why)
{
    const struct refusal refusal = {error, why};
    control_reply(request, tell_refusal, &refusal);
}

static void told(void *owner, int fd, int error, const char *why)
{
    struct errand *errand = owner;
    if (fd >= 0)
        control_hand_over(errand->request, fd, tell_opened, "the far end");
    else
        refuse(errand->request, error, why);
    free(errand);
}

static void deserted(void *owner)
{
    struct errand *errand = owner;
    handed_give_up(errand->flow);
    refuse(errand->request, ECANCELED, "");
    free(errand);
}

static void open_for(struct portal *portal, const struct usher_open *to, struct control_request *request)
{
    struct errand *errand = memory_new(sizeof *errand);
    errand->request = request;
    errand->flow = handed_open(portal->handed, to, told, errand);
    if (errand->flow) {
        control_expect(request, portal->conf->hold + ANSWER_MS, deserted, errand);
        return;
    }
    free(errand);
    refuse(request, ENOBUFS, "too many flows");
}

static uint16_t take_protocol(const char **line)
{
    static const struct {
        const char *word;
        uint16_t protocol;
    } words[] = {{"tcp ", USHER_TCP}, {"udp ", USHER_UDP}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strncmp(*line, words[i].word, 4))
            continue;
        *line += 4;
        return words[i].protocol;
    }
    return 0;
}

void handing_answer(struct portal *portal, const char *line, struct control_request *request)
{
    struct usher_open open = {.protocol = take_protocol(&line)};
    if (!open.protocol || !place_parse(&open, line))
        refuse(request, EINVAL, "that is no tcp or udp, host and port");
    else if (portal->stopping || !portal->handed)
        refuse(request, ECONNABORTED, "the portal is going down");
    else
        open_for(portal, &open, request);
}
