// SPDX-License-Identifier: GPL-2.0-or-later
// The table of keys, and what a table cannot say.

#include "gate/gate_conf.h"

#include "base/memory.h"
#include "cli/log_level.h"

#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct gate_conf, name)

static const struct config_section SECTIONS[] = {{.name = "Gate"}, {.name = "Access", .named = true}};

static const struct config_key KEYS[] = {
    {"Gate", "Listen", value_endpoints, FIELD(listen), .fallback = "0.0.0.0:4433, [::]:4433", .list = true},
    {"Gate", "User", value_word, FIELD(user), .fallback = "nobody"},
    {"Gate", "LogLevel", value_log_level, FIELD(log_level), .fallback = "info"},
    {"Gate", "DNS", value_servers, FIELD(dns), .list = true},
    {"Gate", "Duplicate", value_word, FIELD(duplicate_word), .fallback = "replace"},
    CONFIG_BOUNDED("Gate", "MaxPortals", value_number, FIELD(max_portals), "1024", 1, 65536),
    CONFIG_BOUNDED("Gate", "MaxUnauthenticated", value_number, FIELD(max_unauthenticated), "64", 1, 65536),
    CONFIG_BOUNDED("Gate", "MaxUnauthenticatedPerSource", value_number, FIELD(max_unauthenticated_per_source), "8", 1,
                   65536),
    CONFIG_BOUNDED("Gate", "MaxConnecting", value_number, FIELD(max_connecting), "1024", 1, 32766),
    CONFIG_BOUNDED("Gate", "OpensPerSecond", value_number, FIELD(opens_per_second), "0", 0, 1000000),
    CONFIG_BOUNDED("Gate", "OpensBurst", value_number, FIELD(opens_burst), "1000", 1, 1000000),
    CONFIG_BOUNDED("Gate", "ConnectTimeout", value_duration, FIELD(connect_timeout), "10s", 100, 120000),
    CONFIG_BOUNDED("Gate", "UdpTimeout", value_duration, FIELD(udp_idle), "120s", 1000, 86400000),
    CONFIG_BOUNDED("Gate", "DnsTimeout", value_duration, FIELD(dns_idle), "10s", 1000, 3600000),
    OPTIONS_TLS_KEYS("Gate", struct gate_conf, tls),
    OPTIONS_LINK_KEYS("Gate", struct gate_conf, link),
    {"Access", "Allow", access_allow, FIELD(access), .repeats = true},
    {"Access", "Deny", access_deny, FIELD(access), .repeats = true},
};

bool gate_conf_parse(struct gate_conf *conf, struct config *config, FILE *in)
{
    config->sections = SECTIONS;
    config->section_count = sizeof(SECTIONS) / sizeof(SECTIONS[0]);
    config->keys = KEYS;
    config->key_count = sizeof(KEYS) / sizeof(KEYS[0]);
    config->into = conf;
    config_read(config, in);
    conf->replace = conf->duplicate_word && !strcasecmp(conf->duplicate_word, "replace");
    if (conf->duplicate_word && !conf->replace && strcasecmp(conf->duplicate_word, "allow"))
        config_mistake(config, "Gate", "Duplicate", "Duplicate: \"%s\" is neither replace nor allow",
                       conf->duplicate_word);
    options_check_link(config, "Gate", &conf->link);
    return !config->mistakes;
}

static bool load(struct gate_conf *conf, const char *name_or_file, struct options_material *material, FILE *report)
{
    char path[4096];
    struct fault fault;
    runtime_config_path(path, sizeof(path), name_or_file);
    struct config config = {.path = path, .report = report};
    if (!runtime_name(conf->name, name_or_file, &fault)) {
        config_mistake_at(&config, 0, "%s", fault.text);
        return false;
    }
    FILE *in = config_open(&config);
    if (in) {
        gate_conf_parse(conf, &config, in);
        fclose(in);
        tls_identity_free(options_judge(&config, "Gate", &conf->tls, TLS_GATE, material));
    }
    config_fini(&config);
    return !config.mistakes;
}

struct gate_conf *gate_conf_load(const char *name_or_file, struct options_material *material, FILE *report)
{
    struct gate_conf *conf = memory_new(sizeof(*conf));
    *material = (struct options_material){0};
    if (load(conf, name_or_file, material, report))
        return conf;
    options_material_wipe(material);
    gate_conf_free(conf);
    return NULL;
}

void gate_conf_free(struct gate_conf *conf)
{
    value_endpoints_fini(&conf->listen);
    options_tls_fini(&conf->tls);
    options_link_fini(&conf->link);
    access_fini(&conf->access);
    free(conf->user);
    free(conf->dns);
    free(conf->duplicate_word);
    free(conf);
}
