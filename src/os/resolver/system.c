// SPDX-License-Identifier: GPL-2.0-or-later
// What resolv.conf says, read the way c-ares reads it.
#include "os/resolver/resolver.h"

#include "os/system_dns/resolv_file.h"

#include <ares.h>
#include <stdio.h>
#include <string.h>

#if ARES_VERSION >= 0x011800

static int list_servers(ares_channel channel, char *room, size_t size)
{
    char *text = ares_get_servers_csv(channel);
    if (!text)
        return ARES_ENOMEM;
    int len = snprintf(room, size, "%s", text);
    ares_free_string(text);
    return len >= 0 && (size_t)len < size ? ARES_SUCCESS : ARES_ENOMEM;
}

#else

static int list_servers(ares_channel channel, char *room, size_t size)
{
    struct ares_addr_port_node *servers;
    int status = ares_get_servers_ports(channel, &servers);
    if (status != ARES_SUCCESS)
        return status;
    size_t used = 0;
    for (struct ares_addr_port_node *server = servers; server && used < size; server = server->next) {
        char text[INET6_ADDRSTRLEN];
        ares_inet_ntop(server->family, &server->addr, text, sizeof text);
        const char *form = server->family == AF_INET6 ? "%s[%s]:%d" : "%s%s:%d";
        used += (size_t)snprintf(room + used, size - used, form, used ? "," : "", text,
                                 server->udp_port ? server->udp_port : 53);
    }
    ares_free_data(servers);
    return used < size ? ARES_SUCCESS : ARES_ENOMEM;
}

#endif

bool resolver_system_servers(char *room, size_t size, struct fault *fault)
{
    *room = '\0';
    ares_channel channel;
    int status = ares_init_options(&channel, NULL, 0);
    if (status == ARES_SUCCESS) {
        status = list_servers(channel, room, size);
        ares_destroy(channel);
    }
    if (status != ARES_SUCCESS)
        return fault_set(fault, "resolver: read the name servers of /etc/resolv.conf: %s", ares_strerror(status));
    return *room || fault_set(fault, "resolver: /etc/resolv.conf names no server");
}

bool resolver_outside_servers(char *room, size_t size, struct fault *fault)
{
    struct resolv_conf before;
    char text[RESOLV_CONF_SERVERS_TEXT_SIZE];
    if (!resolv_file_read_before(RESOLV_FILE_PATH, &before))
        return resolver_system_servers(room, size, fault);
    resolv_conf_servers_text(&before.servers, text);
    resolv_conf_fini(&before);
    snprintf(room, size, "%s", text);
    return *room || fault_set(fault, "resolver: %s named no server before it led to a portal", RESOLV_FILE_PATH);
}
