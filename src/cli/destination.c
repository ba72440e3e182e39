// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/destination.h"

#include "base/host_name.h"
#include "base/protocol.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

// Splits the port off, in place; NULL when there is none.
static char *cut_port(char *text)
{
    char *colon = strrchr(text, ':');
    if (*text == '[' || !colon || strchr(text, ':') != colon)
        return NULL;
    *colon = '\0';
    return colon + 1;
}

static bool parse_place(struct destination *out, const char *text)
{
    struct endpoint end;
    char copy[DESTINATION_TEXT_SIZE];
    if (strlen(text) >= sizeof copy)
        return false;
    if (endpoint_parse(&end, text)) {
        out->addr = end.addr;
        out->port = end.port;
        return end.port;
    }
    if (address_parse(&out->addr, text))
        return true;
    strcpy(copy, text);
    const char *port = cut_port(copy);
    if ((port && !address_port_parse(&out->port, port)) || !host_name_is_valid(copy))
        return false;
    snprintf(out->host, sizeof out->host, "%s", copy);
    return true;
}

bool destination_parse(struct destination *out, const char *text, const char *protocol, struct fault *fault)
{
    *out = (struct destination){0};
    if (!parse_place(out, text))
        return fault_set(fault,
                         "\"%.200s\" is no destination: HOST, HOST:PORT, or [ADDRESS]:PORT of IPv6, where HOST is a "
                         "name or an address",
                         text);
    out->protocol = out->port ? IPPROTO_TCP : IPPROTO_ICMP;
    if (protocol && !protocol_parse(&out->protocol, protocol))
        return fault_set(fault, "\"%.40s\" is no protocol: tcp, udp or icmp", protocol);
    if (out->protocol != IPPROTO_ICMP && !out->port)
        return fault_set(fault, "%s needs a port: %.200s:PORT", protocol, text);
    if (out->protocol == IPPROTO_ICMP)
        out->port = 0;
    if (out->protocol == IPPROTO_ICMP && out->addr.version == 6)
        out->protocol = IPPROTO_ICMPV6;
    return true;
}

const char *destination_text(const struct destination *destination, char room[DESTINATION_TEXT_SIZE])
{
    const struct endpoint end = {.addr = destination->addr, .port = destination->port};
    if (*destination->host && destination->port)
        host_port_text(room, DESTINATION_TEXT_SIZE, destination->host, destination->port);
    else if (*destination->host)
        snprintf(room, DESTINATION_TEXT_SIZE, "%s", destination->host);
    else if (destination->port)
        endpoint_text(&end, room);
    else
        address_text(&destination->addr, room);
    return room;
}
