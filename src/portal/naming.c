// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/naming.h"

#include "base/memory.h"
#include "edge/control/session.h"
#include "edge/names/names.h"
#include "os/log.h"
#include "os/resolver/resolver.h"
#include "portal/mapping.h"
#include "portal/portal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SERVERS_TEXT_SIZE = 512 };

struct naming {
    struct endpoint rest[NAMES_REST_MAX]; // servers of this machine
    size_t rest_count;
    struct names *names;     // the exchange's
    struct guide guide;      // to it, as long as the exchange lives
    struct mapping *mapping; // as long, too; NULL: names are bridged
};

static bool parse_server(struct endpoint *out, const char *text)
{
    *out = (struct endpoint){.port = NAMES_PORT};
    return address_parse(&out->addr, text) || endpoint_parse(out, text);
}

void naming_set_rest(struct portal *portal, const char *servers)
{
    struct naming *naming = portal->naming;
    char text[SERVERS_TEXT_SIZE];
    struct fault fault;
    if (*servers)
        snprintf(text, sizeof text, "%s", servers);
    else if (!resolver_system_servers(text, sizeof text, &fault))
        log_warning("names outside of Domains will not be resolved: %s", fault.text); // and `text` is empty
    char *left = text;
    naming->rest_count = 0;
    for (char *item; naming->rest_count < NAMES_REST_MAX && (item = strsep(&left, ","));)
        naming->rest_count += parse_server(&naming->rest[naming->rest_count], item);
    if (naming->names)
        names_set_rest(naming->names, naming->rest, naming->rest_count);
}

static bool take_rest(struct portal *portal, struct fault *fault)
{
    (void)fault;
    if (!portal->conf->names.domains.count)
        return true;
    portal->naming = memory_new(sizeof *portal->naming);
    return true;
}

static void undo_rest(struct portal *portal)
{
    if (portal->naming)
        mapping_free(portal->naming->mapping);
    free(portal->naming);
    portal->naming = NULL;
}

// An IPv4 address may come as text in place of a name; it is an address all the same.
static enum guide_answer lead(const struct guide *guide, struct usher_open *open)
{
    const struct naming *naming = container_of(guide, const struct naming, guide);
    return names_has(naming->names, &open->addr) ? GUIDE_SERVES : GUIDE_NOT_MINE;
}

static bool take_resolver(struct portal *portal, struct fault *fault)
{
    const struct names_keys *keys = &portal->conf->names;
    struct naming *naming = portal->naming;
    (void)fault;
    if (!naming)
        return true;
    if (keys->mode == NAMES_MAPPED)
        naming->mapping = mapping_new(keys, portal->node.exchange, control_session_prober(portal->control_session));
    const struct names_config config = {
        .loop = portal->loop,
        .poller = portal->node.poller,
        .addresses = keys->addresses.items,
        .address_count = keys->addresses.count,
        .domains = keys->domains.items,
        .domain_count = keys->domains.count,
        .servers = keys->servers.items,
        .server_count = keys->servers.count,
        .source = naming->mapping ? mapping_source(naming->mapping) : NULL,
    };
    naming->names = names_new(&config);
    names_set_rest(naming->names, naming->rest, naming->rest_count);
    exchange_add(portal->node.exchange, names_edge(naming->names));
    naming->guide = (struct guide){.lead = lead, .edge = names_edge(naming->names)};
    exchange_add_guide(portal->node.exchange, &naming->guide);
    if (naming->mapping)
        exchange_add_guide(portal->node.exchange, mapping_guide(naming->mapping));
    return true;
}

const struct step NAMING_REST = {"name servers", take_rest, undo_rest};
const struct step NAMING_RESOLVER = {"resolver", take_resolver, NULL};

unsigned naming_descriptors(const struct portal_conf *conf)
{
    return conf->names.domains.count ? NAMES_NEAR_MAX : 0;
}

void naming_describe(const struct portal *portal, struct facts *facts)
{
    char text[ADDRESS_TEXT_SIZE];
    const struct value_endpoints *addresses = &portal->conf->names.addresses;
    if (!addresses->count)
        return;
    facts_list(facts, "dns");
    for (size_t i = 0; i < addresses->count; i++)
        facts_text(facts, "", "an address that answers questions for names",
                   address_text(&addresses->items[i].addr, text));
    facts_end(facts);
    if (portal->naming && portal->naming->mapping)
        mapping_describe(portal->naming->mapping, facts);
}
