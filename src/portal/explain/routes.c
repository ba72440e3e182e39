// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/explain/internal.h"

#include "cli/answer.h"
#include "exchange/map.h"
#include "os/netlink/netlink.h"
#include "os/netlink/routes.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

static const struct prefix *find_route(const struct explaining *e, const struct address *addr)
{
    const struct value_prefixes *routes = &e->conf->routes;
    const struct prefix *longest = NULL;
    for (size_t i = 0; i < routes->count; i++)
        if (prefix_contains(&routes->items[i], addr) && (!longest || routes->items[i].len > longest->len))
            longest = &routes->items[i];
    return longest;
}

static void way_text(const struct netlink_way *way, char *room, size_t size)
{
    char route[PREFIX_TEXT_SIZE], via[ADDRESS_TEXT_SIZE], device[IF_NAMESIZE] = "?";
    if_indextoname(way->ifindex, device);
    snprintf(room, size, "%s%s%s through %s (table %u)", prefix_text(&way->route, route),
             way->via.version ? " via " : "", way->via.version ? address_text(&way->via, via) : "", device, way->table);
}

static bool is_ours(const struct netlink_way *way)
{
    return way->table >= ROUTES_TABLE && way->table < ROUTES_TABLE + ROUTES_SLOTS * ROUTES_LEVELS;
}

static bool leads_into(const struct explaining *e, const struct netlink_way *way)
{
    const char *device = e->status ? answer_text(e->status, "device") : "";
    return *device && if_nametoindex(device) == way->ifindex;
}

// Where the packets go instead.
static void tell_elsewhere(struct explaining *e, const char *addr, const struct prefix *route,
                           const struct netlink_way *way)
{
    char how[192], text[PREFIX_TEXT_SIZE];
    way_text(way, how, sizeof how);
    if (way->local) {
        report_step(&e->report, "route", REPORT_FAILED, "%s is this machine's own address", addr);
        report_remedy(&e->report, "the far end needs another address here: Map (usher.conf(5))");
    } else if (is_ours(way)) {
        report_step(&e->report, "route", REPORT_FAILED, "%s goes into another portal's device: %s", addr, how);
        report_remedy(&e->report, "two portals capture the same: take it out of the Route of one");
    } else if (route && way->route.len > route->len) {
        report_step(&e->report, "route", REPORT_FAILED, "%s leaves by a more specific route of this machine: %s", addr,
                    how);
        report_remedy(
            &e->report,
            "if it belongs into the tunnel, add to Route what is at least as specific (%s is the longest there)",
            prefix_text(route, text));
    } else if (route) {
        report_step(&e->report, "route", REPORT_FAILED, "%s is in Route (%s) but leaves by %s", addr,
                    prefix_text(route, text), how);
        report_remedy(&e->report, "rules with a priority before %d decide first: see ip rule", ROUTES_PRIORITY);
    } else {
        report_step(&e->report, "route", REPORT_FAILED, "%s is in no Route of %s and leaves by %s", addr, e->file, how);
        report_remedy(&e->report, "add a prefix with %s to Route, then usher-tun down and up", addr);
    }
}

static void explain_address(struct explaining *e, struct netlink *nl, const struct address *addr)
{
    char text[ADDRESS_TEXT_SIZE], how[192];
    struct netlink_way way;
    const struct prefix *route = find_route(e, addr);
    int error = netlink_way_to(nl, addr, &way);
    address_text(addr, text);
    if (error && route) {
        report_step(&e->report, "route", e->up ? REPORT_FAILED : REPORT_NOTE,
                    "%s is captured, and fails closed while the portal is down: %s", text, strerror(error));
        report_remedy(&e->report, "usher-tun up %s", e->name);
    } else if (error) {
        report_step(&e->report, "route", REPORT_FAILED, "%s is routed nowhere: %s", text, strerror(error));
        report_remedy(&e->report, "add a prefix with %s to Route, then usher-tun down and up", text);
    } else if (leads_into(e, &way)) {
        e->captured = true;
        way_text(&way, how, sizeof how);
        report_step(&e->report, "route", REPORT_WELL, "%s goes into the tunnel: %s", text, how);
    } else if (!e->status && route) {
        way_text(&way, how, sizeof how);
        report_step(&e->report, "route", REPORT_NOTE, "%s is in Route, but without the portal leaves by %s", text, how);
    } else {
        tell_elsewhere(e, text, route, &way);
    }
}

static void explain_map(struct explaining *e, const struct address *addr)
{
    char here[ADDRESS_TEXT_SIZE], there[ADDRESS_TEXT_SIZE];
    struct usher_open open = {.protocol = e->to.protocol, .addr = *addr, .port = e->to.port};
    struct map map;
    map_init(&map, e->conf->maps.items, e->conf->maps.count);
    if (map.guide.lead(&map.guide, &open) == GUIDE_LEADS)
        report_step(&e->report, "map", REPORT_WELL, "%s is %s over there", address_text(addr, here),
                    address_text(&open.addr, there));
}

void explain_routes(struct explaining *e)
{
    struct fault fault;
    if (!portal_conf_captures(e->conf)) {
        report_step(&e->report, "route", REPORT_NOTE,
                    "%s has no Route: it captures nothing, programs reach it by its Socks, Forward or Ask", e->file);
        return;
    }
    struct netlink *nl = netlink_new(&fault);
    if (!nl) {
        report_step(&e->report, "route", REPORT_NOTE, "%s", fault.text);
        return;
    }
    uint8_t seen = 0; // one of each family: the others go the same way, or are told by their own question
    for (size_t i = 0; i < e->count; i++) {
        if (seen & e->addrs[i].version)
            continue;
        seen |= e->addrs[i].version == 4 ? 4 : 2;
        explain_address(e, nl, &e->addrs[i]);
        explain_map(e, &e->addrs[i]);
    }
    netlink_free(nl);
}
