// SPDX-License-Identifier: GPL-2.0-or-later
// What the portal tells of itself on the control socket.

#include "cli/moment.h"
#include "os/clock.h"
#include "portal/portal.h"

#include <unistd.h>

const char *portal_state_text(enum portal_state state)
{
    static const char *const texts[] = {
        [PORTAL_CONNECTING] = "connecting",
        [PORTAL_UP] = "up",
        [PORTAL_DOWN] = "down",
    };
    return texts[state];
}

static json_t *identity_of(const struct tls *tls)
{
    char expires[MOMENT_TEXT_SIZE];
    moment_text(expires, (time_t)(tls_peer_expires(tls) / USEC_PER_SEC));
    return json_pack("{s:s, s:s, s:s, s:s}", "name", tls_peer_name(tls), "serial", tls_peer_serial(tls), "cipher",
                     tls_cipher(tls), "expires", expires);
}

// What two parts count under one name (datagrams that were dropped) is shown as the sum.
static void add(json_t *all, const char *name, uint64_t value)
{
    json_int_t before = json_integer_value(json_object_get(all, name));
    json_object_set_new(all, name, json_integer(before + (json_int_t)value));
}

static json_t *counters_of(const struct portal *portal)
{
    const struct capture_counters *capture = capture_counters(portal->capture);
    const struct exchange_counters *exchange = exchange_counters(portal->node.exchange);
    json_t *all = json_object();
#define ADD(name, help) add(all, #name, portal->node.counters.name);
    USHER_COUNTERS(ADD)
#undef ADD
#define ADD(name, help) add(all, #name, exchange->name);
    EXCHANGE_COUNTERS(ADD)
#undef ADD
#define ADD(name, help) add(all, #name, capture->name);
    CAPTURE_COUNTERS(ADD)
#undef ADD
    return all;
}

json_t *portal_status(const struct portal *portal)
{
    struct tunnel *tunnel = portal->state == PORTAL_UP && portal->dialer ? dialer_tunnel(portal->dialer) : NULL;
    char since[MOMENT_TEXT_SIZE];
    char gate[300];
    struct endpoint peer;
    struct usher_counters counters; // of all tunnels so far
    node_counters(&portal->node, &counters);
    if (!tunnel || !tunnel_peer(tunnel, &peer))
        snprintf(gate, sizeof(gate), "%s:%u", portal->conf->gate.host, portal->conf->gate.port);
    else
        endpoint_text(&peer, gate);
    json_t *status =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:s}", "name", portal->conf->name, "role", "portal", "state",
                  portal_state_text(portal->state), "gate", gate, "since", moment_text(since, portal->since), "flows",
                  (int)exchange_flows(portal->node.exchange), "pid", (int)getpid(), "device", portal->tun.name);
    json_object_set_new(status, "bytes_in", json_integer((json_int_t)counters.data_received));
    json_object_set_new(status, "bytes_out", json_integer((json_int_t)counters.data_sent));
    json_object_set_new(status, "rtt_us", json_integer(tunnel ? tunnel_rtt_usec(tunnel) : 0));
    json_object_set_new(status, "identity", tunnel ? identity_of(tunnel_tls(tunnel)) : json_null());
    json_object_set_new(status, "last_error", json_string(portal->last_error.text));
    json_object_set_new(status, "counters", counters_of(portal));
    return status;
}

static const char *protocol_text(uint8_t protocol)
{
    switch (protocol) {
    case USHER_TCP:
        return "tcp";
    case USHER_UDP:
        return "udp";
    case USHER_ICMP:
        return "icmp";
    case USHER_ICMPV6:
        return "icmpv6";
    default:
        return "?";
    }
}

static void add_flow(void *arg, const struct flow_info *info)
{
    char inside[ENDPOINT_TEXT_SIZE];
    char far[ENDPOINT_TEXT_SIZE];
    json_t *flow = json_pack("{s:s, s:s, s:s, s:s}", "protocol", protocol_text(info->protocol), "inside",
                             endpoint_text(&info->inside, inside), "far", endpoint_text(&info->outside, far), "state",
                             info->state);
    json_object_set_new(flow, "bytes_out", json_integer((json_int_t)info->bytes_out));
    json_object_set_new(flow, "bytes_in", json_integer((json_int_t)info->bytes_in));
    json_object_set_new(flow, "age_s", json_integer((json_int_t)(info->age / USEC_PER_SEC)));
    json_array_append_new(arg, flow);
}

json_t *portal_flows(const struct portal *portal)
{
    json_t *flows = json_array();
    exchange_each_flow(portal->node.exchange, add_flow, flows, clock_now());
    return json_pack("{s:s, s:s, s:o}", "name", portal->conf->name, "role", "portal", "flows", flows);
}
