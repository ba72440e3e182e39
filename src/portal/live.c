// SPDX-License-Identifier: GPL-2.0-or-later
// A table of what is live: a part is taken when one of its keys says something else than before, or a secret that it names
// does. The parts of the configuration that the running portal has borrowed stay where they are.
#include "portal/live.h"

#include "base/swap.h"
#include "portal/accept.h"
#include "portal/asking.h"
#include "portal/capturing.h"
#include "portal/forwarding.h"
#include "portal/socks.h"

#include <string.h>

enum { KEYS_MAX = 5 };

struct part {
    struct {
        const char *section, *key;
    } keys[KEYS_MAX];
    bool (*has_secret_changed)(const struct portal_conf *before, const struct portal_conf *now); // NULL: it has none
    void (*take)(struct portal *portal, struct portal_conf *now, FILE *report);
};

static bool is_another(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) : a != b;
}

static bool is_proxy_password_new(const struct portal_conf *before, const struct portal_conf *now)
{
    return is_another(before->proxy.proxy.password, now->proxy.proxy.password);
}

static bool is_socks_password_new(const struct portal_conf *before, const struct portal_conf *now)
{
    return is_another(before->socks.password, now->socks.password);
}

bool live_passwords_changed(const struct portal *portal, const struct portal_conf *now)
{
    return is_proxy_password_new(portal->conf, now) || is_socks_password_new(portal->conf, now);
}

static void take_log_level(struct portal *portal, struct portal_conf *now, FILE *report)
{
    (void)report;
    portal->conf->log_level = now->log_level;
    log_set_level(now->log_level);
}

// The path takes them with the next look at who we are (renewal.c).
static void take_gates(struct portal *portal, struct portal_conf *now, FILE *report)
{
    struct portal_conf *conf = portal->conf;
    if (now->proxy.command && !portal->may_start_programs) {
        fprintf(report,
                "ProxyCommand takes effect when the portal is started again, and so do other changes of [Gate]\n");
        return;
    }
    SWAP(conf->gates, now->gates);
    SWAP(conf->peer_name, now->peer_name);
    SWAP(conf->proxy, now->proxy);
    portal->gates_are_new = true;
}

// Of every portal.
static const struct part PARTS[] = {
    {{{"Portal", "LogLevel"}}, NULL, take_log_level},
    {{{"Gate", "Address"},
      {"Gate", "Name"},
      {"Gate", "Proxy"},
      {"Gate", "ProxyCommand"},
      {"Gate", "ProxyPasswordFile"}},
     is_proxy_password_new,
     take_gates},
};

// Of one that carries what comes to this host.
static const struct part PARTS_OF_HOST[] = {
    {{{"Accept", "Allow"}, {"Accept", "Deny"}}, NULL, accept_take},
    {{{"Portal", "Socks"}, {"Portal", "SocksAllow"}, {"Portal", "SocksUser"}, {"Portal", "SocksPasswordFile"}},
     is_socks_password_new,
     socks_take},
    {{{"Portal", "Ask"}}, NULL, asking_take},
    {{{"Portal", "Forward"}}, NULL, forwarding_take},
    {{{"Portal", "Route"}, {"Portal", "Map"}}, NULL, capturing_take},
};

#define RESTART "when the portal is started again"

static const struct change_delay SLOW[] = {
    {"Portal", "Device", RESTART},
    {"Portal", "Address", RESTART},
    {"Portal", "MTU", RESTART},
    {"Portal", "QueueLength", RESTART},
    {"Portal", "Dns", RESTART},
    {"Portal", "DnsAddress", RESTART},
    {"Portal", "Domains", RESTART},
    {"Portal", "Names", RESTART},
    {"Portal", "MapPool", RESTART},
    {"Portal", "SystemDns", RESTART},
    {"Portal", "User", RESTART},
    {"Portal", "HoldTimeout", RESTART},
    {"Portal", "UdpTimeout", RESTART},
    {"Portal", "DnsTimeout", RESTART},
    {"Portal", "MaxFlows", RESTART},
    {"Portal", "ReceiveBudget", RESTART},
    {"Portal", "MaxSessions", RESTART},
    {"Portal", "WindowMax", RESTART},
    {"Portal", "WindowBudget", RESTART},
    {"Portal", "Batch", RESTART},
    {"Portal", "BatchInteractive", RESTART},
    {"Portal", "NotSentLowat", RESTART},
    {"Portal", "UDPOffload", RESTART},
    {"Portal", "HandshakeTimeout", RESTART},
    {"Portal", "Congestion", RESTART},
    {"Portal", "Renew", RESTART},
    {"Portal", "TellOrigin", RESTART},
    {"Portal", "ControlGroup", RESTART},
    {"Portal", "ControlGroupMay", RESTART},
    {"Portal", "ReplayBuffer", RESTART},
    {"Portal", "ResumeTimeout", RESTART},
    {"Portal", "UpTimeout", RESTART},
};

static const struct change_delay SLOW_OF_HOST[] = {
    {"Portal", "RouteCongestion", RESTART},
    {"Accept", "Source", RESTART},
};

static bool is_new(const struct part *part, const struct portal *portal, const struct portal_conf *now,
                   const struct change_texts *texts)
{
    for (size_t i = 0; i < KEYS_MAX && part->keys[i].key; i++)
        if (config_key_changed(texts->before, texts->now, part->keys[i].section, part->keys[i].key))
            return true;
    return part->has_secret_changed && part->has_secret_changed(portal->conf, now);
}

static void take_parts(struct portal *portal, struct portal_conf *now, const struct change_texts *texts,
                       const struct part *parts, size_t count, FILE *report)
{
    for (size_t i = 0; i < count; i++)
        if (is_new(&parts[i], portal, now, texts))
            parts[i].take(portal, now, report);
}

static bool is_of_host(const struct portal *portal)
{
    return portal->conf->use == PORTAL_OF_HOST;
}

bool live_prepare(struct portal *portal, const struct portal_conf *now, struct config *config)
{
    if (!is_of_host(portal) || (socks_prepare(portal, now, config) && asking_prepare(portal, now, config) &&
                                forwarding_prepare(portal, now, config)))
        return true;
    live_forget(portal);
    return false;
}

void live_forget(struct portal *portal)
{
    listening_close(&portal->socks);
    listening_close(&portal->ask);
    forwarding_forget(portal);
}

void live_take(struct portal *portal, struct portal_conf *now, const struct change_texts *texts, FILE *report)
{
    changes_tell(texts, SLOW, sizeof SLOW / sizeof SLOW[0], report);
    if (is_of_host(portal))
        changes_tell(texts, SLOW_OF_HOST, sizeof SLOW_OF_HOST / sizeof SLOW_OF_HOST[0], report);
    SWAP(portal->conf->credentials, now->credentials);
    take_parts(portal, now, texts, PARTS, sizeof PARTS / sizeof PARTS[0], report);
    if (is_of_host(portal))
        take_parts(portal, now, texts, PARTS_OF_HOST, sizeof PARTS_OF_HOST / sizeof PARTS_OF_HOST[0], report);
}
