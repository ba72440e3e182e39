// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/protocol.h"

#include <netinet/in.h>
#include <stddef.h>
#include <strings.h>

static const struct {
    const char *text;
    uint8_t number;
} protocols[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"icmp", IPPROTO_ICMP}, {"icmpv6", IPPROTO_ICMPV6}};

enum { WRITTEN = 3 }; // the first of them

const char *protocol_text(uint8_t protocol)
{
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++)
        if (protocols[i].number == protocol)
            return protocols[i].text;
    return "?";
}

bool protocol_parse(uint8_t *out, const char *text)
{
    for (size_t i = 0; i < WRITTEN; i++) {
        if (strcasecmp(protocols[i].text, text))
            continue;
        *out = protocols[i].number;
        return true;
    }
    return false;
}
