// SPDX-License-Identifier: GPL-2.0-or-later
#include "exchange/ruling.h"

#include "base/host_name.h"
#include "base/list.h"

#include <time.h>

static bool judge_address(const struct judge *judge, uint8_t protocol, const char *host, const struct address *addr,
                          uint16_t port)
{
    const struct policy *policy = container_of(judge, const struct ruling, judge)->policy;
    return policy && policy_judge(policy, protocol, host, addr, port) == POLICY_ALLOWED;
}

static enum judge_name judge_name(const struct judge *judge, uint8_t protocol, const char *host, uint16_t port)
{
    const struct policy *policy = container_of(judge, const struct ruling, judge)->policy;
    if (!host_name_is_valid(host))
        return JUDGE_NO_NAME;
    enum policy_verdict verdict = policy ? policy_judge_name(policy, protocol, host, port) : POLICY_DENIED;
    if (verdict == POLICY_DENIED)
        return JUDGE_DENIED;
    return verdict == POLICY_ALLOWED ? JUDGE_ALLOWED : JUDGE_RESOLVE;
}

static void find_reason(const struct policy *policy, const struct judge_denial *denial, struct policy_reason *reason)
{
    if (!policy)
        *reason = (struct policy_reason){.text = "there are no rules"};
    else if (denial->to.addr.version)
        policy_explain(policy, denial->protocol, denial->host, &denial->to.addr, denial->to.port, reason);
    else
        policy_explain_name(policy, denial->protocol, denial->host, denial->to.port, reason);
}

static void note_denial(const struct judge *judge, const struct judge_denial *denial)
{
    const struct ruling *ruling = container_of(judge, const struct ruling, judge);
    struct policy_reason reason;
    struct denial noted = {
        .who = "",
        .protocol = denial->protocol,
        .host = denial->host ? denial->host : "",
        .to = denial->to,
        .count = 1,
        .first = (uint64_t)time(NULL),
    };
    noted.last = noted.first;
    if (denial->from)
        noted.from = *denial->from;
    if (denials_repeat(ruling->denials, &noted))
        return;
    find_reason(ruling->policy, denial, &reason);
    noted.line = reason.line;
    noted.rule = reason.text;
    denials_add(ruling->denials, &noted);
}

void ruling_init(struct ruling *ruling)
{
    ruling->judge = (struct judge){.address = judge_address, .name = judge_name, .denied = note_denial};
    ruling->policy = NULL;
    ruling->denials = denials_new();
}

void ruling_fini(struct ruling *ruling)
{
    denials_free(ruling->denials);
}

void ruling_set_policy(struct ruling *ruling, const struct policy *policy)
{
    ruling->policy = policy;
    denials_rules_changed(ruling->denials);
}
