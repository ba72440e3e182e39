// SPDX-License-Identifier: GPL-2.0-or-later
// The table of keys, and what a table cannot say.

#include "portal/portal_conf.h"

#include "base/memory.h"
#include "cli/log_level.h"
#include "portal/routes.h"

#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct portal_conf, name)

static const struct config_section SECTIONS[] = {{.name = "Portal"}, {.name = "Gate"}};

static const struct config_key KEYS[] = {
    {"Portal", "Device", value_word, FIELD(device), .fallback = "usher0", .max = IFNAMSIZ - 1},
    {"Portal", "Address", value_addresses, FIELD(addresses), .list = true},
    {"Portal", "Route", value_prefixes, FIELD(routes), .list = true, .required = true},
    CONFIG_BOUNDED("Portal", "MTU", value_number, FIELD(mtu), "1500", 1280, 65535),
    CONFIG_BOUNDED("Portal", "QueueLength", value_number, FIELD(queue_length), "2000", 1, 100000),
    {"Portal", "RouteCongestion", value_word, FIELD(route_congestion), .max = 15},
    {"Portal", "User", value_word, FIELD(user), .fallback = "nobody"},
    {"Portal", "LogLevel", value_log_level, FIELD(log_level), .fallback = "info"},
    CONFIG_BOUNDED("Portal", "UpTimeout", value_duration, FIELD(up_timeout), "15s", 0, 3600000),
    CONFIG_BOUNDED("Portal", "HoldTimeout", value_duration, FIELD(hold), "5s", 100, 60000),
    CONFIG_BOUNDED("Portal", "UdpTimeout", value_duration, FIELD(udp_idle), "120s", 1000, 86400000),
    CONFIG_BOUNDED("Portal", "DnsTimeout", value_duration, FIELD(dns_idle), "10s", 1000, 3600000),
    CONFIG_BOUNDED("Portal", "MaxFlows", value_number, FIELD(max_flows), "32000", 1, 1000000),
    CONFIG_BOUNDED("Portal", "ReceiveBudget", value_budget, FIELD(receive_budget), "auto", 1 << 20, 1ull << 40),
    OPTIONS_TLS_KEYS("Portal", struct portal_conf, tls),
    OPTIONS_LINK_KEYS("Portal", struct portal_conf, link),
    {"Gate", "Address", value_host_port, FIELD(gate), .required = true},
    {"Gate", "Name", value_word, FIELD(peer_name), .max = 253},
};

bool portal_conf_parse(struct portal_conf *conf, struct config *config, FILE *in)
{
    config->sections = SECTIONS;
    config->section_count = sizeof(SECTIONS) / sizeof(SECTIONS[0]);
    config->keys = KEYS;
    config->key_count = sizeof(KEYS) / sizeof(KEYS[0]);
    config->into = conf;
    config_read(config, in);
    if (!routes_fit(&conf->routes))
        config_mistake(config, "Portal", "Route", "Route: more than %d different prefix lengths", ROUTES_LEVELS);
    options_check_link(config, "Portal", &conf->link);
    if (!conf->peer_name && conf->gate.host)
        conf->peer_name = memory_text(conf->gate.host);
    return !config->mistakes;
}

static struct tls_identity *load(struct portal_conf *conf, const char *name_or_file, FILE *report)
{
    char path[4096];
    struct fault fault;
    struct tls_identity *identity = NULL;
    runtime_config_path(path, sizeof(path), name_or_file);
    struct config config = {.path = path, .report = report};
    if (!runtime_name(conf->name, name_or_file, &fault)) {
        config_mistake_at(&config, 0, "%s", fault.text);
        return NULL;
    }
    FILE *in = config_open(&config);
    if (in) {
        struct options_material material = {0};
        portal_conf_parse(conf, &config, in);
        fclose(in);
        identity = options_judge(&config, "Portal", &conf->tls, TLS_PORTAL, &material);
        options_material_wipe(&material);
    }
    if (config.mistakes) {
        tls_identity_free(identity);
        identity = NULL;
    }
    config_fini(&config);
    return identity;
}

struct portal_conf *portal_conf_load(const char *name_or_file, struct tls_identity **identity, FILE *report)
{
    struct portal_conf *conf = memory_new(sizeof(*conf));
    *identity = load(conf, name_or_file, report);
    if (*identity)
        return conf;
    portal_conf_free(conf);
    return NULL;
}

void portal_conf_free(struct portal_conf *conf)
{
    options_tls_fini(&conf->tls);
    options_link_fini(&conf->link);
    value_target_fini(&conf->gate);
    value_prefixes_fini(&conf->addresses);
    value_prefixes_fini(&conf->routes);
    free(conf->peer_name);
    free(conf->device);
    free(conf->route_congestion);
    free(conf->user);
    free(conf);
}
