// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/system_dns.h"

#include "base/memory.h"
#include "os/log.h"
#include "os/sandbox/rights.h"
#include "os/system_dns/resolv_keeper.h"
#include "os/system_dns/resolved.h"
#include "portal/link_servers.h"
#include "portal/naming.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert((int)INSTANCE_NAME_MAX < (int)RESOLV_CONF_NAME_SIZE, "an instance's name stands in its resolv.conf");

static const char WAY_RESOLVED[] = "systemd-resolved", WAY_RESOLV_CONF[] = "resolv.conf", WAY_NONE[] = "none";

struct system_dns {
    struct portal *portal;
    const char *way;
    struct resolv_keeper keeper;                 // with WAY_RESOLV_CONF
    uv_poll_t news;                              // of it
    bool kept;                                   // `news` is open
    struct link_servers *links;                  // with WAY_RESOLVED; NULL: there is no need of them
    char servers[RESOLV_CONF_SERVERS_TEXT_SIZE]; // from before it was taken over; "": it was not
};

// Our names, in the forms that the two ways take.
struct names {
    struct address servers[NAMES_ADDRESSES_MAX];
    size_t server_count;
    struct resolved_domain *domains;
    char *search; // those that complete short names, with spaces between them
};

static void collect(struct names *names, const struct names_keys *keys)
{
    *names = (struct names){.domains = memory_new(keys->domains.count * sizeof *names->domains),
                            .search = memory_new(keys->domains.count * NAMES_DOMAIN_SIZE)};
    for (size_t i = 0; i < keys->addresses.count; i++)
        names->servers[names->server_count++] = keys->addresses.items[i].addr;
    size_t used = 0;
    for (size_t i = 0; i < keys->domains.count; i++) {
        const struct names_domain *domain = &keys->domains.items[i];
        names->domains[i] = (struct resolved_domain){domain->name, domain->search};
        if (domain->search)
            used += (size_t)sprintf(names->search + used, "%s%s", used ? " " : "", domain->name);
    }
}

static void forget(struct names *names)
{
    free(names->domains);
    free(names->search);
}

// Without a server in the file the C library asks this machine.
static void note_servers(struct system_dns *dns, const struct resolv_conf_servers *servers)
{
    resolv_conf_servers_text(servers, dns->servers);
    if (!*dns->servers)
        snprintf(dns->servers, sizeof dns->servers, "127.0.0.1");
}

static bool is_stub(const struct address *server)
{
    static const uint8_t own[] = {127, 0, 0, 53}, proxy[] = {127, 0, 0, 54};
    return server->version == 4 && (!memcmp(server->bytes, own, 4) || !memcmp(server->bytes, proxy, 4));
}

// Whether programs that read resolv.conf ask systemd-resolved.
static bool resolved_serves(void)
{
    struct resolv_conf conf;
    struct fault ignored;
    bool serves = false;
    if (!resolv_file_read(RESOLV_FILE_PATH, &conf, &ignored))
        return false;
    for (size_t i = 0; i < conf.servers.count; i++)
        serves |= is_stub(&conf.servers.items[i]);
    resolv_conf_fini(&conf);
    return serves;
}

// It asks nobody over a link that has no address.
static bool tell_resolved(const struct portal *portal, const struct names *names, struct fault *fault)
{
    const struct resolved_link link = {
        .ifindex = portal->ifindex,
        .servers = names->servers,
        .server_count = names->server_count,
        .domains = names->domains,
        .domain_count = portal->conf->names.domains.count,
    };
    if (!portal->conf->addresses.count)
        return fault_set(fault, "systemd-resolved asks nobody over an interface that has no Address");
    return resolved_set_link(&link, fault);
}

// Most likely with the network, whatever else that has brought.
static void note_change(struct system_dns *dns, const struct resolv_conf_servers *servers)
{
    dns->way = WAY_RESOLV_CONF;
    note_servers(dns, servers);
    naming_set_rest(dns->portal, dns->servers);
    portal_network_changed(dns->portal);
}

static void hear(uv_poll_t *poll, int status, int events)
{
    struct system_dns *dns = poll->data;
    struct resolv_conf_servers servers;
    struct fault fault;
    (void)status;
    (void)events;
    switch (resolv_keeper_read(&dns->keeper, &servers, &fault)) {
    case RESOLV_TAKEN:
        note_change(dns, &servers);
        log_warning("%s was written by another program; it leads here again, and other names are asked at %s",
                    RESOLV_FILE_PATH, dns->servers);
        break;
    case RESOLV_RENEWED:
        note_change(dns, &servers);
        log_info("other names are asked at %s from now on", dns->servers);
        break;
    case RESOLV_TROUBLE:
        dns->way = WAY_NONE;
        *dns->servers = '\0';
        naming_set_rest(dns->portal, dns->servers);
        log_warning("%s was written by another program and leads here no more: %s", RESOLV_FILE_PATH, fault.text);
        break;
    case RESOLV_GONE:
        uv_poll_stop(poll);
        log_error("the process that gives %s back was ended; `usher-tun down` gives it back", RESOLV_FILE_PATH);
        break;
    case RESOLV_NOTHING:
        break;
    }
}

static bool take_resolv_conf(struct portal *portal, const struct names *names, struct fault *fault)
{
    struct system_dns *dns = portal->system_dns;
    struct resolv_conf before;
    struct resolv_file file = {
        .path = RESOLV_FILE_PATH,
        .name = portal->conf->name,
        .servers = names->servers,
        .server_count = names->server_count,
        .search = names->search,
        .lock = -1,
    };
    if (!resolv_file_take(&file, &before, fault))
        return false;
    note_servers(dns, &before.servers);
    resolv_conf_fini(&before);
    if (!resolv_keeper_start(&dns->keeper, &portal->attendants->keeper, &file, portal->background->log, fault)) {
        *dns->servers = '\0';
        return false;
    }
    dns->kept = true;
    uv_poll_init(portal->loop, &dns->news, dns->keeper.attendant.channel);
    dns->news.data = dns;
    uv_poll_start(&dns->news, UV_READABLE, hear);
    return true;
}

static void choose(struct portal *portal)
{
    struct system_dns *dns = portal->system_dns;
    struct names names;
    struct fault why;
    collect(&names, &portal->conf->names);
    bool serves = resolved_serves(), told = serves && tell_resolved(portal, &names, &why);
    if (serves && !told)
        log_warning("%s; %s is taken over instead", why.text, RESOLV_FILE_PATH);
    if (told) {
        dns->way = WAY_RESOLVED;
        log_info("systemd-resolved asks here for the names of Domains");
        if (link_servers_are_needed(portal->conf))
            dns->links = link_servers_new(portal->loop, &portal->conf->names, portal_network_changed, portal);
    } else if (take_resolv_conf(portal, &names, &why)) {
        dns->way = WAY_RESOLV_CONF;
        log_info("%s leads here until we end; other names are asked at %s", RESOLV_FILE_PATH, dns->servers);
    } else {
        log_warning("this machine's programs are not made to ask here for names: %s", why.text);
    }
    forget(&names);
}

static void begin(struct portal *portal)
{
    const struct names_keys *keys = &portal->conf->names;
    struct fault why;
    if (rights_are_the_machines() && !resolv_file_give_back(RESOLV_FILE_PATH, portal->conf->name, &why))
        log_warning("%s", why.text);
    if (!keys->domains.count)
        return;
    portal->system_dns = memory_new(sizeof *portal->system_dns);
    *portal->system_dns = (struct system_dns){.portal = portal, .way = WAY_NONE};
    if (keys->system)
        choose(portal);
    naming_set_rest(portal, portal->system_dns->servers);
}

// What a dead one of our name has left goes in any case.
static bool take(struct portal *portal, struct fault *fault)
{
    (void)fault;
    begin(portal);
    attendant_stop(&portal->attendants->keeper); // one that is not needed
    return true;
}

void system_dns_device_back(struct portal *portal)
{
    struct names names;
    struct fault why;
    if (!portal->system_dns || portal->system_dns->way != WAY_RESOLVED)
        return;
    collect(&names, &portal->conf->names);
    if (!tell_resolved(portal, &names, &why))
        log_warning("systemd-resolved no longer asks here: %s", why.text);
    forget(&names);
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

// systemd-resolved forgets what it was told with the device.
static void undo(struct portal *portal)
{
    struct system_dns *dns = portal->system_dns;
    portal->system_dns = NULL;
    if (!dns)
        return;
    link_servers_free(dns->links);
    if (!dns->kept) {
        free(dns);
        return;
    }
    uv_close((uv_handle_t *)&dns->news, closed);
    resolv_keeper_stop(&dns->keeper);
}

const struct step SYSTEM_DNS = {"system DNS", take, undo};

const char *system_dns_way(const struct portal *portal)
{
    return portal->system_dns ? portal->system_dns->way : NULL;
}

const char *system_dns_servers(const struct portal *portal)
{
    const struct system_dns *dns = portal->system_dns;
    if (!dns)
        return NULL;
    return dns->links ? link_servers_text(dns->links) : dns->servers;
}
