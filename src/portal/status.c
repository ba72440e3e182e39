// SPDX-License-Identifier: GPL-2.0-or-later
// What the portal tells of itself on the control socket, and what it is asked there.
#include "portal/status.h"

#include "base/protocol.h"
#include "cli/forwards.h"
#include "exchange/denials.h"
#include "os/clock.h"
#include "portal/capturing.h"
#include "portal/handing.h"
#include "portal/naming.h"
#include "portal/probing.h"
#include "portal/renewal.h"
#include "portal/system_dns.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void tell_tunnel(const struct tunnel *tunnel, struct facts *facts)
{
    if (!tunnel) {
        facts_gauge(facts, "rtt_us", "round trip to the gate", FACT_MICROSECONDS, 0);
        facts_text(facts, "identity", "of the gate", NULL);
        return;
    }
    tunnel_describe(tunnel, facts);
    const struct tls *tls = tunnel_tls(tunnel);
    if (!tls) { // no lane carries it at the moment
        facts_text(facts, "identity", "of the gate", NULL);
        return;
    }
    facts_group(facts, "identity");
    tls_describe(tls, facts);
    facts_end(facts);
}

static void tell_gate(const struct portal *portal, const struct tunnel *tunnel, struct facts *facts)
{
    char gate[PORTAL_GATE_SIZE], address[ENDPOINT_TEXT_SIZE];
    struct endpoint peer;
    const struct portal_conf *conf = portal->conf;
    bool direct = !portal_conf_has_proxy(conf) && tunnel && tunnel_peer(tunnel, &peer);
    facts_text(facts, "gate", "where the tunnel leads to",
               direct ? endpoint_text(&peer, address) : portal_gate_text(portal, gate));
    if (conf->proxy.command)
        facts_text(facts, "proxy", "over what it is reached", "ProxyCommand");
    else if (conf->proxy.proxy.kind != PROXY_NONE)
        facts_text(facts, "proxy", "over what it is reached",
                   host_port_text(gate, sizeof gate, conf->proxy.proxy.host, conf->proxy.proxy.port));
}

static void tell_name(const void *part, struct facts *facts)
{
    const struct portal *portal = part;
    facts_text(facts, "name", "of the instance", portal->conf->name);
    facts_text(facts, "role", "what kind of program it is", "portal");
}

static void tell_status(const void *part, struct facts *facts)
{
    const struct portal *portal = part;
    struct usher_counters counters; // of all tunnels so far
    node_counters(&portal->node, &counters);
    const struct tunnel *tunnel = portal->state != PORTAL_DOWN && portal->path ? path_tunnel(portal->path) : NULL;
    tell_name(portal, facts);
    facts_text(facts, "state", "connecting, up, paused or down", portal_state_text(portal->state));
    facts_text(facts, "file", "of the configuration", portal->conf->file);
    tell_gate(portal, tunnel, facts);
    facts_gauge(facts, "since", "when it came into this state", FACT_UNIX_SECONDS, (uint64_t)portal->since);
    facts_gauge(facts, "pid", "of the process", FACT_COUNT, (uint64_t)getpid());
    if (capturing_device(portal))
        facts_text(facts, "device", "the interface that is captured", capturing_device(portal));
    if (system_dns_way(portal))
        facts_text(facts, "system_dns", "what makes this machine's programs ask for names here",
                   system_dns_way(portal));
    forwards_describe(&portal->conf->forwards, facts);
    map_describe(portal->conf->maps.items, portal->conf->maps.count, facts);
    naming_describe(portal, facts);
    facts_counter(facts, "bytes_in", "payload from far ends", FACT_BYTES, counters.payload_received);
    facts_counter(facts, "bytes_out", "payload to far ends", FACT_BYTES, counters.payload_sent);
    facts_gauge(facts, "flows", "flows that are open", FACT_COUNT, exchange_flows(portal->node.exchange));
    tell_tunnel(tunnel, facts);
    if (portal->path)
        path_describe_left(portal->path, facts);
    const struct validity validity =
        credentials_validity(tls_identity_expires(portal->identity), &portal->conf->credentials, TLS_PORTAL);
    validity_describe(&validity, (usec_t)time(NULL) * USEC_PER_SEC, facts);
    renewal_describe(portal, facts);
    facts_text(facts, "last_error", "why the tunnel is not, or was not, up", portal->last_error.text);
    facts_group(facts, "counters");
    usher_counters_describe(&portal->node.counters, facts);
    facts_end(facts);
    exchange_describe(portal->node.exchange, facts);
    denials_describe(exchange_denials(portal->node.exchange), portal->conf->file, facts);
}

enum { FAR_TEXT_SIZE = USHER_HOST_MAX + sizeof ":65535" };

static const char *far_text(const char *host, const struct address *addr, uint16_t port, char room[FAR_TEXT_SIZE])
{
    const struct endpoint far = {.addr = *addr, .port = port};
    if (!host)
        return endpoint_text(&far, room);
    snprintf(room, FAR_TEXT_SIZE, "%s:%u", host, port);
    return room;
}

static void tell_led(const struct usher_open *led, struct facts *facts)
{
    char far[FAR_TEXT_SIZE];
    if (led)
        facts_text(facts, "leads_to", "what the far end's address stands for",
                   far_text(led->addr.version ? NULL : led->host, &led->addr, led->port, far));
}

static void tell_flow(void *arg, const struct flow_info *info)
{
    struct facts *facts = arg;
    char inside[ENDPOINT_TEXT_SIZE];
    char far[FAR_TEXT_SIZE], by[ENDPOINT_TEXT_SIZE];
    struct fact_label label = {.name = "inside", .value = endpoint_text(&info->inside, inside)};
    facts_item(facts, &label);
    facts_text(facts, "via", "the way into or out of the tunnel that it takes", info->via);
    facts_text(facts, "protocol", "tcp, udp, icmp or icmpv6", protocol_text(info->protocol));
    facts_text(facts, "inside", "the end before the portal", inside);
    facts_text(facts, "far", "the end behind the gate",
               far_text(info->host, &info->outside.addr, info->outside.port, far));
    tell_led(info->led, facts);
    if (info->asked_by.addr.version)
        facts_text(facts, "asked_by", "who asked for it behind the other end, as that says",
                   endpoint_text(&info->asked_by, by));
    facts_text(facts, "state", "what the flow is at", info->state);
    facts_counter(facts, "bytes_out", "payload to the far end", FACT_BYTES, info->bytes_out);
    facts_counter(facts, "bytes_in", "payload from the far end", FACT_BYTES, info->bytes_in);
    facts_gauge(facts, "age_s", "since it was opened", FACT_SECONDS, info->age / USEC_PER_SEC);
    facts_item_end(facts);
}

static void tell_denials(const void *part, struct facts *facts)
{
    const struct portal *portal = part;
    tell_name(portal, facts);
    denials_describe(exchange_denials(portal->node.exchange), portal->conf->file, facts);
}

static void tell_flows(const void *part, struct facts *facts)
{
    const struct portal *portal = part;
    tell_name(portal, facts);
    facts_list(facts, "flows");
    exchange_each_flow(portal->node.exchange, tell_flow, facts, clock_now());
    facts_end(facts);
}

void status_answer(void *owner, const char *line, struct control_request *request)
{
    struct portal *portal = owner;
    if (!strcmp(line, "status")) {
        control_reply(request, tell_status, portal);
    } else if (!strcmp(line, "flows")) {
        control_reply(request, tell_flows, portal);
    } else if (!strcmp(line, "denials")) {
        control_reply(request, tell_denials, portal);
    } else if (!strcmp(line, "reload")) {
        renewal_request(portal, request);
    } else if (!strcmp(line, "down")) {
        control_reply(request, tell_name, portal);
        portal_stop(portal, "asked to");
    } else if (!strncmp(line, "open ", 5)) {
        handing_answer(portal, line + 5, request);
    } else if (!strncmp(line, "probe ", 6)) {
        probing_answer(portal, line + 6, request);
    } else {
        control_refuse(request, "unknown request");
    }
}
