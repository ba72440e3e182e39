// SPDX-License-Identifier: GPL-2.0-or-later
// Whom a name is asked of is asked, too, so what stands here is what an application would hear.
#include "portal/explain/internal.h"

#include "base/host_name.h"
#include "cli/answer.h"
#include "cli/lookup.h"
#include "cli/query.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { LOOKUP_MS = 6000, SERVERS_SIZE = 512 };

// As packet/dns.h writes names.
static bool is_behind(const struct explaining *e)
{
    char lower[DESTINATION_HOST_SIZE];
    size_t len = host_name_length(e->to.host);
    for (size_t i = 0; i < len; i++)
        lower[i] = (char)tolower((unsigned char)e->to.host[i]);
    lower[len] = '\0';
    const struct names_domains *domains = &e->conf->names.domains;
    for (size_t i = 0; i < domains->count; i++)
        if (names_domain_holds(&domains->items[i], lower))
            return true;
    return false;
}

static void take(struct explaining *e, const struct lookup *found)
{
    e->count = found->count;
    memcpy(e->addrs, found->addrs, found->count * sizeof *found->addrs);
}

static const char *list(const struct lookup *found, char *room, size_t size)
{
    char text[ADDRESS_TEXT_SIZE];
    *room = '\0';
    for (size_t i = 0, used = 0; i < found->count && used + ADDRESS_TEXT_SIZE + 2 < size; i++)
        used += (size_t)snprintf(room + used, size - used, "%s%s", i ? ", " : "", address_text(&found->addrs[i], text));
    return room;
}

static void ask(struct explaining *e, const char *servers, const char *whom, const char *remedy)
{
    char text[SERVERS_SIZE];
    struct fault fault;
    struct lookup found;
    const struct resolver_config config = {.servers = servers, .timeout_ms = LOOKUP_MS, .hosts_file = true};
    if (lookup_name(&found, e->to.host, &config, &fault)) {
        take(e, &found);
        report_step(&e->report, "name", REPORT_WELL, "%s is %s, %s", e->to.host, list(&found, text, sizeof text), whom);
    } else {
        report_step(&e->report, "name", REPORT_FAILED, "%s: %s, %s", e->to.host, fault.text, whom);
        report_remedy(&e->report, "%s", remedy);
    }
    report_took(&e->report, found.took);
}

static void ask_behind(struct explaining *e)
{
    bool mapped = e->conf->names.mode == NAMES_MAPPED;
    const char *own = e->status ? answer_item_text(query_part(e->status, "dns"), 0) : "";
    if (!*own) {
        report_step(&e->report, "name", REPORT_FAILED, "%s lies in Domains, and the portal that would answer is down",
                    e->to.host);
        report_remedy(&e->report, "bring it up first: usher-tun up %s", e->name);
        return;
    }
    char whom[SERVERS_SIZE];
    snprintf(whom, sizeof whom, "by the portal's resolver at %s, %s%s", own,
             mapped ? "which gives an address that stands for it" : "which asks behind the tunnel",
             strcmp(answer_text(e->status, "system_dns"), "none")
                 ? ""
                 : "; this machine's own programs ask elsewhere (SystemDns)");
    ask(e, own, whom,
        mapped ? "see whether the gate's host resolves it and its rules allow it: usher-gate explain there"
               : "see whether the servers of Dns know it and whether the gate's rules allow asking them");
}

static void ask_system(struct explaining *e)
{
    char servers[SERVERS_SIZE] = "", whom[SERVERS_SIZE + 64];
    struct fault fault;
    resolver_system_servers(servers, sizeof servers, &fault);
    snprintf(whom, sizeof whom, "by /etc/hosts or this machine's name servers%s%s", *servers ? ", " : "", servers);
    ask(e, NULL, whom,
        e->conf->names.domains.count
            ? "the name lies in none of the Domains: add its domain there if it is behind the tunnel"
            : "if it is a name behind the tunnel, say so by Dns and Domains (usher.conf(5))");
}

void explain_names(struct explaining *e)
{
    if (!*e->to.host) {
        e->addrs[0] = e->to.addr;
        e->count = 1;
    } else if (is_behind(e)) {
        ask_behind(e);
    } else {
        ask_system(e);
    }
}
