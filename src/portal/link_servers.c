// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/link_servers.h"

#include "base/host_name.h"
#include "base/memory.h"
#include "edge/names/domain.h"
#include "os/system_dns/resolv_file.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// Those of all links, ours among them, for whoever does without resolved.
#define DIRECTORY "/run/systemd/resolve"
#define FILE_NAME "resolv.conf"

struct link_servers {
    const struct names_keys *ours;
    void (*changed)(void *owner);
    void *owner;
    uv_fs_event_t news; // of DIRECTORY: the file is a new one each time
    char text[RESOLV_CONF_SERVERS_TEXT_SIZE];
};

static bool is_behind(const struct names_keys *keys, const char *host)
{
    char name[NAMES_DOMAIN_SIZE] = "";
    struct address addr;
    size_t len = host_name_length(host);
    if (address_parse(&addr, host) || len >= sizeof name)
        return false;
    for (size_t i = 0; i < len; i++)
        name[i] = (char)tolower((unsigned char)host[i]);
    for (size_t i = 0; i < keys->domains.count; i++)
        if (names_domain_holds(&keys->domains.items[i], name))
            return true;
    return false;
}

bool link_servers_are_needed(const struct portal_conf *conf)
{
    if (conf->proxy.proxy.kind != PROXY_NONE)
        return is_behind(&conf->names, conf->proxy.proxy.host);
    for (size_t i = 0; i < conf->gates.count; i++)
        if (is_behind(&conf->names, conf->gates.items[i].host))
            return true;
    return false;
}

static bool is_ours(const struct names_keys *ours, const struct address *server)
{
    for (size_t i = 0; i < ours->addresses.count; i++)
        if (address_equal(server, &ours->addresses.items[i].addr))
            return true;
    return false;
}

static void read_file(struct link_servers *servers)
{
    struct resolv_conf conf;
    struct resolv_conf_servers others = {.count = 0};
    struct fault ignored;
    if (!resolv_file_read(DIRECTORY "/" FILE_NAME, &conf, &ignored))
        return;
    for (size_t i = 0; i < conf.servers.count; i++)
        if (!is_ours(servers->ours, &conf.servers.items[i]))
            others.items[others.count++] = conf.servers.items[i];
    resolv_conf_fini(&conf);
    resolv_conf_servers_text(&others, servers->text);
}

static void heard(uv_fs_event_t *news, const char *name, int events, int status)
{
    struct link_servers *servers = news->data;
    char before[sizeof servers->text];
    (void)events;
    (void)status;
    if (name && strcmp(name, FILE_NAME) != 0)
        return;
    memcpy(before, servers->text, sizeof before);
    read_file(servers);
    if (strcmp(before, servers->text) != 0)
        servers->changed(servers->owner);
}

struct link_servers *link_servers_new(uv_loop_t *loop, const struct names_keys *ours, void (*changed)(void *owner),
                                      void *owner)
{
    struct link_servers *servers = memory_new(sizeof *servers);
    servers->ours = ours;
    servers->changed = changed;
    servers->owner = owner;
    uv_fs_event_init(loop, &servers->news);
    servers->news.data = servers;
    uv_fs_event_start(&servers->news, heard, DIRECTORY, 0); // without: they stay as they are now
    read_file(servers);
    return servers;
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void link_servers_free(struct link_servers *servers)
{
    if (servers)
        uv_close((uv_handle_t *)&servers->news, closed);
}

const char *link_servers_text(const struct link_servers *servers)
{
    return servers->text;
}
