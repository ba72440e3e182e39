// SPDX-License-Identifier: GPL-2.0-or-later
// The table of keys, and what a table cannot say.

#include "config/gate_conf.h"

#include "config/run_as.h"

#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct gate_conf, name)

static const struct config_section SECTIONS[] = {{.name = "Gate"}, {.name = "Access", .named = true}};

static bool parse_duplicate(void *field, const struct config_entry *entry, const struct config_key *key,
                            struct fault *fault)
{
    (void)key;
    bool replace = !strcasecmp(entry->value, "replace");
    if (!replace && strcasecmp(entry->value, "allow"))
        return fault_set(fault, "is neither replace nor allow");
    *(bool *)field = replace;
    return true;
}

// Who is in one may say of himself that he is anybody.
static bool parse_balancer(void *field, const struct config_entry *entry, const struct config_key *key,
                           struct fault *fault)
{
    struct prefix prefix;
    if (prefix_parse(&prefix, entry->value) && prefix.len == 0)
        return fault_set(fault, "is everybody: whoever is listed may say whose a connection is");
    return value_prefixes(field, entry, key, fault);
}

static const struct config_key KEYS[] = {
    {"Gate", "Listen", value_endpoints, FIELD(listen), .fallback = "0.0.0.0:4433, [::]:4433", .list = true},
    {"Gate", "Health", value_endpoints, FIELD(health), .list = true},
    {"Gate", "Balancers", parse_balancer, FIELD(balancers), .list = true},
    {"Gate", "User", value_word, FIELD(user), .fallback = RUN_AS},
    {"Gate", "LogLevel", value_log_level, FIELD(log_level), .fallback = "info"},
    {"Gate", "DNS", value_servers, FIELD(dns), .list = true},
    {"Gate", "Duplicate", parse_duplicate, FIELD(replace), .fallback = "replace"},
    CONFIG_BOUNDED("Gate", "MaxPortals", value_number, FIELD(max_portals), "1024", 1, 65536),
    CONFIG_BOUNDED("Gate", "MaxUnauthenticated", value_number, FIELD(max_unauthenticated), "64", 1, 65536),
    CONFIG_BOUNDED("Gate", "MaxUnauthenticatedPerSource", value_number, FIELD(max_unauthenticated_per_source), "8", 1,
                   65536),
    CONFIG_BOUNDED("Gate", "MaxConnecting", value_number, FIELD(max_connecting), "4096", 1, 32766),
    CONFIG_BOUNDED("Gate", "OpensPerSecond", value_number, FIELD(opens_per_second), "0", 0, 1000000),
    CONFIG_BOUNDED("Gate", "OpensBurst", value_number, FIELD(opens_burst), "1000", 1, 1000000),
    CONFIG_BOUNDED("Gate", "ConnectTimeout", value_duration, FIELD(connect_timeout), "10s", 100, 120000),
    CONFIG_BOUNDED("Gate", "UdpTimeout", value_duration, FIELD(udp_idle), "120s", 1000, 86400000),
    CONFIG_BOUNDED("Gate", "DnsTimeout", value_duration, FIELD(dns_idle), "10s", 1000, 3600000),
    {"Gate", "Audit", value_path, FIELD(audit), .fallback = NULL},
    {"Gate", "TellOrigin", value_switch, FIELD(tell_origin), .fallback = "no"},
    {"Gate", "Enrol", access_enrol, FIELD(access), .fallback = NULL},
    CONFIG_BOUNDED("Gate", "DrainTimeout", value_duration, FIELD(drain_timeout), "1h", 1000, 7 * 86400000),
    CREDENTIAL_KEYS("Gate", struct gate_conf, credentials),
    LINK_TUNING_KEYS("Gate", struct gate_conf, link),
    CONTROL_GROUP_KEYS("Gate", struct gate_conf, control_group),
    {"Access", "Allow", access_allow, FIELD(access), .repeats = true},
    {"Access", "Deny", access_deny, FIELD(access), .repeats = true},
    {"Access", "Export", access_export, FIELD(access), .list = true},
    {"Access", "Forward", access_forward, FIELD(access), .list = true},
    {"Access", "Map", access_map, FIELD(access), .list = true},
    {"Access", "Source", access_source, FIELD(access), .list = true},
    {"Access", "Local", access_local, FIELD(access), .repeats = true},
};

bool gate_conf_parse(struct gate_conf *conf, struct config *config, const struct blob *text)
{
    config->sections = SECTIONS;
    config->section_count = sizeof SECTIONS / sizeof SECTIONS[0];
    config->keys = KEYS;
    config->key_count = sizeof KEYS / sizeof KEYS[0];
    config->into = conf;
    config_read(config, text);
    credential_keys_check(&conf->credentials, config, "Gate");
    credential_keys_refuse_blocks(&conf->credentials, config, "Gate");
    link_tuning_check(&conf->link, config, "Gate");
    return !config->mistakes;
}

void gate_conf_free(struct gate_conf *conf)
{
    value_endpoints_fini(&conf->listen);
    value_endpoints_fini(&conf->health);
    value_prefixes_fini(&conf->balancers);
    credential_keys_fini(&conf->credentials);
    link_tuning_fini(&conf->link);
    control_group_fini(&conf->control_group);
    access_fini(&conf->access);
    free(conf->user);
    free(conf->dns);
    free(conf->audit);
    free(conf);
}
