// SPDX-License-Identifier: GPL-2.0-or-later
// The machine's addresses are watched by a netlink socket of its own: the news of one can be read once.
#include "portal/accept.h"

#include "base/memory.h"
#include "base/swap.h"
#include "edge/dial/dial.h"
#include "os/netlink/netlink.h"
#include "os/netlink/routes.h"
#include "os/socket/socket.h"
#include "portal/portal.h"
#include "portal/system_dns.h"
#include "portal/watch.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    // The gate's own defaults: they are about what one peer can cause, here as there.
    CONNECT_TIMEOUT_MS = 10000,
    CONNECTING_MAX = 4096,
    LOCALS_MAX = 2048, // addresses and prefixes of this machine
};

struct accept {
    const struct portal_conf *conf;
    uv_loop_t *loop;
    uint32_t mark;
    struct policy *policy;
    struct dial *dial;         // the node's
    struct resolver *resolver; // NULL: there are no name servers
    int icmp4_fd, icmp6_fd;
    struct netlink *nl;
    struct watch *watch;
};

static void refresh_locals(void *owner)
{
    struct accept *accept = owner;
    struct prefix *locals = memory_new(LOCALS_MAX * sizeof *locals);
    size_t count = netlink_local_prefixes(accept->nl, locals, LOCALS_MAX);
    if (count == LOCALS_MAX)
        log_warning("this machine has more addresses than the %d that are guarded", LOCALS_MAX);
    policy_set_local(accept->policy, locals, count);
    free(locals);
}

static bool watch_network(struct accept *accept, struct fault *fault)
{
    accept->nl = netlink_new(fault);
    if (!accept->nl || !(accept->watch = watch_new(accept->loop, accept->nl, refresh_locals, accept, fault)))
        return false;
    refresh_locals(accept); // after the watch began, so that no change is missed
    return true;
}

static int raw_icmp(const struct accept *accept, uint8_t version)
{
    int fd = socket_raw_icmp(version);
    if (fd < 0 || !accept->mark || socket_set_mark(fd, accept->mark))
        return fd;
    close(fd);
    return -1;
}

static void make_resolver(struct accept *accept, const char *servers)
{
    const struct resolver_config config = {.servers = servers, .mark = accept->mark, .timeout_ms = CONNECT_TIMEOUT_MS};
    struct fault why;
    accept->resolver = resolver_new(accept->loop, &config, &why);
    if (!accept->resolver)
        log_warning("host names that the gate asks for will not be resolved: %s", why.text);
}

static void free_accept(struct accept *accept)
{
    if (accept->resolver)
        resolver_free(accept->resolver);
    policy_free(accept->policy);
    if (accept->icmp4_fd >= 0)
        close(accept->icmp4_fd);
    if (accept->icmp6_fd >= 0)
        close(accept->icmp6_fd);
    watch_free(accept->watch);
    netlink_free(accept->nl);
    free(accept);
}

static struct accept *make(const struct portal *portal, uint32_t mark, struct fault *fault)
{
    uv_loop_t *loop = portal->loop;
    const struct portal_conf *conf = portal->conf;
    struct accept *accept = memory_new(sizeof *accept);
    *accept = (struct accept){.conf = conf, .loop = loop, .mark = mark, .icmp4_fd = -1, .icmp6_fd = -1};
    accept->policy = access_policy(&conf->accept, "");
    if (!watch_network(accept, fault)) {
        free_accept(accept);
        return NULL;
    }
    accept->icmp4_fd = raw_icmp(accept, 4); // without: pings are not served, and the rest is
    accept->icmp6_fd = raw_icmp(accept, 6);
    make_resolver(accept, system_dns_servers(portal));
    return accept;
}

static void serve(struct accept *accept, struct node *node)
{
    const struct portal_conf *conf = accept->conf;
    exchange_set_policy(node->exchange, accept->policy);
    const struct dial_config config = {
        .judge = exchange_judge(node->exchange),
        .poller = node->poller,
        .resolver = accept->resolver,
        .icmp4_fd = accept->icmp4_fd,
        .icmp6_fd = accept->icmp6_fd,
        .max_flows = (uint32_t)conf->link.max_sessions,
        .max_connecting = CONNECTING_MAX,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .udp_idle_ms = (uint32_t)conf->udp_idle,
        .udp_dns_idle_ms = (uint32_t)conf->dns_idle,
        .udp_offload = conf->link.udp_offload,
        .remainder_budget = conf->link.window_budget,
        .mark = accept->mark,
        .source = access_source_of(&conf->accept, ""),
    };
    accept->dial = dial_new(accept->loop, &config);
    exchange_add(node->exchange, dial_edge(accept->dial));
}

static bool take_rights(struct portal *portal, struct fault *fault)
{
    // So that what is opened never goes into the portal's own routes.
    uint32_t mark = portal_conf_captures(portal->conf) ? ROUTES_MARK : 0;
    if (!portal->conf->accept.count)
        return true;
    portal->accept = make(portal, mark, fault);
    return portal->accept;
}

static void undo_rights(struct portal *portal)
{
    if (portal->accept)
        free_accept(portal->accept);
    portal->accept = NULL;
}

static bool take_exit(struct portal *portal, struct fault *fault)
{
    (void)fault;
    if (portal->accept)
        serve(portal->accept, &portal->node);
    return true;
}

void accept_take(struct portal *portal, struct portal_conf *now, FILE *report)
{
    struct accept *accept = portal->accept;
    if (!accept) {
        fprintf(report, "[Accept] takes effect when the portal is started again\n");
        return;
    }
    SWAP(portal->conf->accept, now->accept);
    struct policy *before = accept->policy;
    accept->policy = access_policy(&portal->conf->accept, "");
    refresh_locals(accept);
    exchange_set_policy(portal->node.exchange, accept->policy);
    policy_free(before);
    uint32_t count = dial_judge_again(accept->dial);
    node_wake(&portal->node);
    if (count)
        fprintf(report, "flows reset because [Accept] does not allow them any more: %u\n", (unsigned)count);
}

struct resolver *accept_resolver(const struct portal *portal)
{
    return portal->accept ? portal->accept->resolver : NULL;
}

const struct step ACCEPT_RIGHTS = {"rights of what is accepted", take_rights, undo_rights};
const struct step ACCEPT_EXIT = {"exit", take_exit, NULL};
