// SPDX-License-Identifier: GPL-2.0-or-later
// Rules and host names from anybody: the first line of the input is a list of rules, the second a host, the rest an
// address of 4 or 16 bytes. A host name is never something that libc would take for an address, and a denial of
// everything in front denies everything.
#include "base/address.h"
#include "base/host_name.h"
#include "exchange/policy/policy.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6};

static void judge(const char *rules, const char *host, const struct address *addr, bool deny_all)
{
    struct policy *policy = policy_new();
    struct fault fault = {0};
    if (deny_all && !policy_add(policy, false, "0.0.0.0/0, ::/0", &fault))
        abort();
    if (!policy_add(policy, true, rules, &fault) && fault.text[0] == '\0')
        abort();
    for (size_t i = 0; i < sizeof protocols; i++) {
        policy_judge_name(policy, protocols[i], host, 443);
        if (policy_judge(policy, protocols[i], host, addr, 443) == POLICY_ALLOWED && deny_all)
            abort();
    }
    policy_free(policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    char *rest = text;
    const char *rules = strsep(&rest, "\n");
    const char *host = rest ? strsep(&rest, "\n") : "";
    size_t left = rest ? size - (size_t)(rest - text) : 0;
    uint8_t bytes[16] = {0};
    if (left > 0)
        memcpy(bytes, rest, left < sizeof bytes ? left : sizeof bytes);
    struct address addr = left < sizeof bytes ? address_v4(bytes) : address_v6(bytes);

    struct in_addr as_address;
    if (host_name_is_valid(host) && inet_aton(host, &as_address))
        abort();
    judge(rules, host, &addr, false);
    judge(rules, host, &addr, true);
    free(text);
    return 0;
}
