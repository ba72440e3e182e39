// SPDX-License-Identifier: GPL-2.0-or-later
// By the file of the configuration and by the code that a worker judges with; whether the portal is connected, and which
// file counts, a gate that runs says.
#include "gate/explain.h"

#include "base/memory.h"
#include "base/protocol.h"
#include "cli/answer.h"
#include "cli/destination.h"
#include "cli/lookup.h"
#include "cli/query.h"
#include "cli/report.h"
#include "cli/runtime.h"
#include "config/gate_conf.h"
#include "exchange/map.h"
#include "os/netlink/netlink.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

enum { LOCALS_MAX = 2048, ASK_S = 5, SECTIONS_SIZE = 512 };

struct explaining {
    struct report report;
    const char *portal;
    struct destination to;
    char text[DESTINATION_TEXT_SIZE]; // of `to`
    char *file;
    struct gate_conf *conf;
    struct policy *policy;
    struct json_t *status; // of the gate that runs by that file; NULL: none does
    unsigned running;      // gates, whatever their file
};

// Which gate

static void look_at(void *arg, const char *name)
{
    struct explaining *e = arg;
    char root[RUNTIME_ROOT_SIZE], path[RUNTIME_PATH_SIZE];
    struct fault fault;
    if (!runtime_root(root, &fault) || !runtime_pid(root, name))
        return;
    runtime_path(path, root, name, "control");
    struct json_t *status = answer_ask(path, "status", ASK_S, &fault);
    bool is_gate = status && !strcmp(answer_text(status, "role"), "gate");
    e->running += is_gate;
    if (is_gate && !e->status && (!e->file || !strcmp(answer_text(status, "file"), e->file)))
        e->status = status;
    else
        answer_free(status);
}

static bool find_file(struct explaining *e, const char *config, struct fault *fault)
{
    char root[RUNTIME_ROOT_SIZE];
    if (config)
        e->file = instance_config_place(config);
    if (runtime_root(root, fault))
        runtime_each(root, look_at, e);
    if (!config && e->running > 1)
        return fault_set(fault, "%u gates run here: say which by --config NAME", e->running);
    if (!config)
        e->file = e->status ? memory_text(answer_text(e->status, "file")) : instance_config_place("gate");
    return true;
}

static bool read_conf(struct explaining *e)
{
    struct config config = {.path = e->file, .report = stderr};
    struct blob text;
    e->conf = memory_new(sizeof *e->conf);
    bool ok = config_load(&config, &text) && gate_conf_parse(e->conf, &config, &text);
    blob_wipe(&text);
    config_fini(&config);
    return ok;
}

static struct policy *make_policy(const struct explaining *e)
{
    struct prefix *locals = memory_new(LOCALS_MAX * sizeof *locals);
    struct policy *policy = access_policy(&e->conf->access, e->portal);
    struct fault fault;
    struct netlink *nl = netlink_new(&fault);
    if (nl)
        policy_set_local(policy, locals, netlink_local_prefixes(nl, locals, LOCALS_MAX));
    netlink_free(nl);
    free(locals);
    return policy;
}

// The portal

static void explain_sections(struct explaining *e)
{
    char sections[SECTIONS_SIZE];
    access_sections(&e->conf->access, e->portal, sections, sizeof sections);
    if (*sections) {
        report_step(&e->report, "rules", REPORT_WELL, "of %s in %s; the first that matches", sections, e->file);
        return;
    }
    report_step(&e->report, "rules", REPORT_FAILED, "%s has none for %s: neither [Access %s] nor [Access *]", e->file,
                e->portal, e->portal);
    report_remedy(&e->report, "add [Access %s] with what it may reach, then usher-gate reload", e->portal);
}

static const struct json_t *find_portal(const struct explaining *e)
{
    const struct json_t *portals = e->status ? query_part(e->status, "portals") : NULL;
    for (size_t i = 0; i < query_count(portals); i++)
        if (!strcasecmp(answer_text(answer_item(portals, i), "identity"), e->portal))
            return answer_item(portals, i);
    return NULL;
}

static void explain_portal(struct explaining *e)
{
    const struct json_t *portal = find_portal(e);
    if (portal)
        report_step(&e->report, "portal", REPORT_WELL, "%s is connected from %s since %s", e->portal,
                    answer_text(portal, "address"), answer_text(portal, "since"));
    else if (e->status)
        report_step(&e->report, "portal", REPORT_NOTE, "no portal %s is connected now", e->portal);
    else
        report_step(&e->report, "portal", REPORT_NOTE,
                    "no gate that one may ask runs by %s: this is what the file says", e->file);
}

// The far end

static const char *place_of(const struct explaining *e, unsigned line, char room[512])
{
    room[0] = '\0';
    if (line)
        snprintf(room, 512, "%s:%u: ", e->file, line);
    return room;
}

static void suggest_rule(struct explaining *e, const struct policy_reason *reason)
{
    const char *protocol = e->to.protocol == IPPROTO_ICMPV6 ? "icmp" : protocol_text(e->to.protocol);
    if (reason->line)
        report_remedy(&e->report, "if it is to be allowed, put Allow = %s:%s above line %u, then usher-gate reload",
                      protocol, e->text, reason->line);
    else
        report_remedy(&e->report, "if it is to be allowed, add Allow = %s:%s to [Access %s], then usher-gate reload",
                      protocol, e->text, e->portal);
}

static bool explain_address(struct explaining *e, const struct address *addr, const char *host)
{
    char text[ADDRESS_TEXT_SIZE], place[512];
    struct policy_reason reason;
    bool allowed = policy_explain(e->policy, e->to.protocol, host, addr, e->to.port, &reason) == POLICY_ALLOWED;
    report_step(&e->report, "address",
                allowed ? REPORT_WELL
                : host  ? REPORT_NOTE
                        : REPORT_FAILED,
                "%s is %s: %s%s", address_text(addr, text), allowed ? "allowed" : "denied",
                place_of(e, reason.line, place), reason.text);
    if (!allowed && !host)
        suggest_rule(e, &reason);
    return allowed;
}

static bool fits(const struct destination *to, const struct address *addr)
{
    return to->protocol != IPPROTO_ICMP || addr->version == 4 || !*to->host;
}

// Each address of the name is judged; one that may be reached is enough.
static bool explain_addresses(struct explaining *e)
{
    const struct resolver_config config = {
        .servers = e->conf->dns, .timeout_ms = (uint32_t)e->conf->connect_timeout, .hosts_file = true};
    struct lookup found;
    struct fault fault;
    bool any = false;
    if (!lookup_name(&found, e->to.host, &config, &fault)) {
        report_step(&e->report, "name", REPORT_FAILED, "%s: %s, asked of %s", e->to.host, fault.text,
                    e->conf->dns ? e->conf->dns : "the system's name servers");
        report_took(&e->report, found.took);
        report_remedy(&e->report, "see that this host resolves it, or name the right servers by DNS in %s", e->file);
        return false;
    }
    report_step(&e->report, "name", REPORT_WELL, "%s has %zu address%s, by %s", e->to.host, found.count,
                found.count == 1 ? "" : "es", e->conf->dns ? e->conf->dns : "/etc/hosts or the system's name servers");
    report_took(&e->report, found.took);
    for (size_t i = 0; i < found.count; i++)
        any |= fits(&e->to, &found.addrs[i]) && explain_address(e, &found.addrs[i], e->to.host);
    if (any)
        e->to.addr = found.addrs[0];
    return any;
}

static bool explain_name(struct explaining *e)
{
    char place[512];
    struct policy_reason reason;
    enum policy_verdict verdict = policy_explain_name(e->policy, e->to.protocol, e->to.host, e->to.port, &reason);
    bool local = access_is_local(&e->conf->access, e->portal);
    report_step(&e->report, "name", verdict == POLICY_DENIED ? REPORT_FAILED : REPORT_WELL, "%s %s: %s%s", e->to.host,
                verdict == POLICY_ALLOWED  ? "is allowed, and its addresses that no Deny names"
                : verdict == POLICY_DENIED ? "is denied without being resolved"
                                           : "is resolved",
                place_of(e, reason.line, place), reason.text);
    if (verdict == POLICY_DENIED)
        suggest_rule(e, &reason);
    if (verdict == POLICY_DENIED || (local && verdict == POLICY_ALLOWED))
        return verdict == POLICY_ALLOWED;
    return explain_addresses(e);
}

static void explain_local(struct explaining *e)
{
    if (access_is_local(&e->conf->access, e->portal))
        report_step(&e->report, "local", REPORT_NOTE,
                    "Local = yes: whatever address is asked for, it goes to that port of this host itself");
}

// Whose networks are routed away from here.
static void explain_exports(struct explaining *e)
{
    char text[PREFIX_TEXT_SIZE];
    const struct access *access = &e->conf->access;
    for (size_t i = 0; i < access->portal_count; i++) {
        const struct access_portal *portal = &access->portals[i];
        for (size_t n = 0; n < portal->exports.count; n++) {
            const struct prefix *prefix = &portal->exports.items[n];
            if (!e->to.addr.version || !prefix_contains(prefix, &e->to.addr))
                continue;
            report_step(&e->report, "export", REPORT_NOTE,
                        "%s is routed into the tunnel of %s%s: what may be reached there, its [Accept] says",
                        prefix_text(prefix, text), portal->name,
                        strcasecmp(portal->name, e->portal) ? "" : ", the very portal that asks");
        }
    }
}

static void explain_map(struct explaining *e)
{
    char text[ADDRESS_TEXT_SIZE];
    const struct access *access = &e->conf->access;
    struct usher_open open = {.protocol = e->to.protocol, .addr = e->to.addr, .port = e->to.port};
    for (size_t i = 0; open.addr.version && i < access->portal_count; i++) {
        const struct value_maps *maps = &access->portals[i].maps;
        struct map map;
        map_init(&map, maps->items, maps->count);
        if (map.guide.lead(&map.guide, &open) != GUIDE_LEADS)
            continue;
        report_step(&e->report, "map", REPORT_NOTE, "behind %s that address is %s", access->portals[i].name,
                    address_text(&open.addr, text));
        return;
    }
}

static void explain_route(struct explaining *e)
{
    char device[IF_NAMESIZE], route[PREFIX_TEXT_SIZE], to[ADDRESS_TEXT_SIZE];
    struct fault fault;
    struct netlink_way way;
    if (!e->to.addr.version || access_is_local(&e->conf->access, e->portal))
        return;
    struct netlink *nl = netlink_new(&fault);
    if (!nl)
        return;
    int error = netlink_way_to(nl, &e->to.addr, &way);
    netlink_free(nl);
    address_text(&e->to.addr, to);
    if (error) {
        report_step(&e->report, "route", REPORT_FAILED, "this host has no way to %s: %s", to, strerror(error));
        report_remedy(&e->report, "add a route on this host, or take the address from where it is: ip route get %s",
                      to);
    } else {
        report_step(&e->report, "route", REPORT_WELL, "this host reaches %s by %s through %s", to,
                    way.local ? "itself" : prefix_text(&way.route, route),
                    if_indextoname(way.ifindex, device) ? device : "a device");
    }
}

static void explain(struct explaining *e)
{
    explain_portal(e);
    explain_sections(e);
    if (report_has_failed(&e->report))
        return;
    explain_local(e);
    bool allowed = e->to.addr.version ? explain_address(e, &e->to.addr, NULL) : explain_name(e);
    explain_exports(e);
    explain_map(e);
    if (allowed) {
        explain_route(e);
        return;
    }
    report_step(&e->report, "verdict", REPORT_FAILED, "denied: the portal hears \"not permitted\"");
}

static void fini(struct explaining *e)
{
    answer_free(e->status);
    policy_free(e->policy);
    if (e->conf)
        gate_conf_free(e->conf);
    free(e->file);
}

int explain_run(const struct command_line *line)
{
    char subject[TLS_NAME_SIZE + DESTINATION_TEXT_SIZE + 32];
    struct explaining e = {.portal = line->argument, .report.subject = subject};
    struct fault fault;
    if (!destination_parse(&e.to, line->more[0], line->more[1], &fault) || !find_file(&e, line->config, &fault)) {
        fprintf(stderr, "usher-gate: %s\n", fault.text);
        fini(&e);
        return EXIT_WRONG;
    }
    if (!read_conf(&e)) {
        fini(&e);
        return EXIT_WRONG;
    }
    destination_text(&e.to, e.text);
    snprintf(subject, sizeof subject, "%.250s to %s, %s", e.portal, e.text, protocol_text(e.to.protocol));
    e.policy = make_policy(&e);
    explain(&e);
    fini(&e);
    return report_end(&e.report, line->json);
}
