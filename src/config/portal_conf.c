// SPDX-License-Identifier: GPL-2.0-or-later
// The table of keys, and what a table cannot say.

#include "config/portal_conf.h"

#include "base/memory.h"
#include "config/run_as.h"
#include "config/secret_file.h"
#include "os/netlink/routes.h"

#include <errno.h>
#include <net/if.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIELD(name) offsetof(struct portal_conf, name)

static const struct config_section SECTIONS[] = {{.name = "Portal"}, {.name = "Gate"}, {.name = "Accept"}};

static const struct config_key KEYS[] = {
    {"Portal", "Device", value_word, FIELD(device), .fallback = "usher0", .max = IFNAMSIZ - 1},
    {"Portal", "Address", value_addresses, FIELD(addresses), .list = true},
    {"Portal", "Route", value_prefixes, FIELD(routes), .list = true},
    {"Portal", "Map", value_maps, FIELD(maps), .list = true},
    CONFIG_BOUNDED("Portal", "MTU", value_number, FIELD(mtu), "1500", 1280, 65535),
    CONFIG_BOUNDED("Portal", "QueueLength", value_number, FIELD(queue_length), "2000", 1, 100000),
    {"Portal", "RouteCongestion", value_word, FIELD(route_congestion), .max = 15},
    {"Portal", "Forward", value_forwards, FIELD(forwards), .list = true},
    {"Portal", "Renew", value_targets, FIELD(renew), .fallback = NULL},
    {"Portal", "User", value_word, FIELD(user), .fallback = RUN_AS},
    {"Portal", "LogLevel", value_log_level, FIELD(log_level), .fallback = "info"},
    CONFIG_BOUNDED("Portal", "UpTimeout", value_duration, FIELD(up_timeout), "15s", 0, 3600000),
    CONFIG_BOUNDED("Portal", "HoldTimeout", value_duration, FIELD(hold), "5s", 100, 60000),
    CONFIG_BOUNDED("Portal", "UdpTimeout", value_duration, FIELD(udp_idle), "120s", 1000, 86400000),
    CONFIG_BOUNDED("Portal", "DnsTimeout", value_duration, FIELD(dns_idle), "10s", 1000, 3600000),
    CONFIG_BOUNDED("Portal", "MaxFlows", value_number, FIELD(max_flows), "32000", 1, 1000000),
    CONFIG_BOUNDED("Portal", "ReceiveBudget", value_budget, FIELD(receive_budget), "auto", 1 << 20, 1ull << 40),
    {"Portal", "TellOrigin", value_switch, FIELD(tell_origin), .fallback = "no"},
    {"Portal", "Ask", value_loopback, FIELD(ask), .list = true},
    SOCKS_KEYS("Portal", struct portal_conf, socks),
    NAMES_KEYS("Portal", struct portal_conf, names),
    CREDENTIAL_KEYS("Portal", struct portal_conf, credentials),
    LINK_TUNING_KEYS("Portal", struct portal_conf, link),
    CONTROL_GROUP_KEYS("Portal", struct portal_conf, control_group),
    {"Gate", "Address", value_targets, FIELD(gates), .list = true, .required = true},
    {"Gate", "Name", value_word, FIELD(peer_name), .max = 253},
    PROXY_KEYS("Gate", struct portal_conf, proxy),
    {"Accept", "Allow", access_allow, FIELD(accept), .repeats = true},
    {"Accept", "Deny", access_deny, FIELD(accept), .repeats = true},
    {"Accept", "Source", access_source, FIELD(accept), .list = true},
};

// Of these a portal has one at least: else there is nothing for it to carry.
static const struct {
    const char *section, *key, *shown;
} PURPOSES[] = {
    {"Portal", "Route", "Route"},     {"Portal", "Map", "Map"}, {"Portal", "Socks", "Socks"},
    {"Portal", "Forward", "Forward"}, {"Portal", "Ask", "Ask"}, {"Portal", "Names", "Names = mapped"},
    {"Accept", "Allow", "[Accept]"},
};

// What describes the TUN device and what comes out of it, and without one would be ignored.
static const char *const NEED_ROUTE[] = {"Device",          "Address",       "MTU",    "QueueLength",
                                         "RouteCongestion", "ReceiveBudget", "Domains"};

enum {
    PURPOSE_COUNT = sizeof PURPOSES / sizeof PURPOSES[0],
    NEED_ROUTE_COUNT = sizeof NEED_ROUTE / sizeof NEED_ROUTE[0],
};

static bool has_purpose(const struct config *config)
{
    for (size_t i = 0; i < PURPOSE_COUNT; i++)
        if (config_has(config, PURPOSES[i].section, PURPOSES[i].key))
            return true;
    return false;
}

static void miss_purpose(struct config *config)
{
    char names[128] = "";
    FILE *out = fmemopen(names, sizeof names, "w");
    for (size_t i = 0; out && i < PURPOSE_COUNT; i++) {
        const char *before = i + 1 < PURPOSE_COUNT ? ", " : " or ";
        fprintf(out, "%s%s", i ? before : "", PURPOSES[i].shown);
    }
    if (out)
        fclose(out);
    config_mistake(config, "Portal", NULL,
                   "%s is missing in [Portal]: there would be nothing to carry (usher-tun run needs none of them)",
                   names);
}

static void check_mode(const struct portal_conf *conf, struct config *config)
{
    if (!has_purpose(config))
        miss_purpose(config);
    else if (!config_has(config, "Portal", "Route") && !config_has(config, "Portal", "Map") &&
             conf->names.mode != NAMES_MAPPED)
        for (size_t i = 0; i < NEED_ROUTE_COUNT; i++)
            if (config_has(config, "Portal", NEED_ROUTE[i]))
                config_mistake(config, "Portal", NEED_ROUTE[i],
                               "%s is of use only with Route: without it there is no device", NEED_ROUTE[i]);
}

// Each runs a child, whose end is told by SIGCHLD, and that signal is the program's.
static void check_program(const struct portal_conf *conf, struct config *config)
{
    static const char text[] = "%s cannot be used from within a program";
    if (conf->proxy.command)
        config_mistake(config, "Gate", "ProxyCommand", text, "ProxyCommand");
    if (conf->credentials.key_command)
        config_mistake(config, "Portal", "KeyCommand", text, "KeyCommand");
}

// Two files cannot be replaced at one moment, and a certificate with another's key is none.
static void check_renewal(const struct portal_conf *conf, struct config *config)
{
    const struct credential_keys *keys = &conf->credentials;
    if (conf->renew.count && (!keys->key || !keys->certificate || strcmp(keys->key, keys->certificate)))
        config_mistake(config, "Portal", "Renew",
                       "Renew: Certificate and Key must be one file, which is replaced as a whole");
}

static unsigned count_lengths(const struct value_prefixes *prefixes, uint8_t version)
{
    bool seen[129] = {false};
    unsigned count = 0;
    for (size_t i = 0; i < prefixes->count; i++) {
        const struct prefix *prefix = &prefixes->items[i];
        if (prefix->addr.version != version || seen[prefix->len])
            continue;
        seen[prefix->len] = true;
        count++;
    }
    return count;
}

bool portal_conf_parse(struct portal_conf *conf, struct config *config, const struct blob *text)
{
    config->sections = SECTIONS;
    config->section_count = sizeof SECTIONS / sizeof SECTIONS[0];
    config->keys = KEYS;
    config->key_count = sizeof KEYS / sizeof KEYS[0];
    config->into = conf;
    config_read(config, text);
    value_maps_route(&conf->maps, &conf->routes);
    if (conf->use == PORTAL_OF_COMMAND)
        names_keys_take_all(&conf->names);
    names_keys_check(&conf->names, config, "Portal", &conf->addresses);
    names_keys_check_maps(&conf->names, config, "Portal", &conf->maps);
    names_keys_route(&conf->names, &conf->routes);
    if (count_lengths(&conf->routes, 4) > ROUTES_LEVELS || count_lengths(&conf->routes, 6) > ROUTES_LEVELS)
        config_mistake(config, "Portal", "Route", "Route: more than %d different prefix lengths", ROUTES_LEVELS);
    if (conf->use == PORTAL_OF_HOST)
        check_mode(conf, config);
    else if (conf->use == PORTAL_OF_PROGRAM)
        check_program(conf, config);
    if (config_has(config, "Accept", "Source") && !config_has(config, "Accept", "Allow"))
        config_mistake(config, "Accept", "Source", "Source is of use only with Allow: without it nothing is accepted");
    credential_keys_check(&conf->credentials, config, "Portal");
    check_renewal(conf, config);
    link_tuning_check(&conf->link, config, "Portal");
    socks_keys_check(&conf->socks, config, "Portal");
    proxy_keys_check(&conf->proxy, config, "Gate", &conf->gates);
    return !config->mistakes;
}

enum { WIDE = 8 }; // bits: a prefix as wide is meant to hold everything, gates as well

// It works, since the portal's own connection is marked; but everybody else's go into the tunnel, whoever tests the gate too.
static void notice_overlap(const struct portal_conf *conf, struct config *config)
{
    char text[PREFIX_TEXT_SIZE];
    struct address addr;
    for (size_t i = 0; i < conf->gates.count; i++) {
        for (size_t n = 0; address_parse(&addr, conf->gates.items[i].host) && n < conf->routes.count; n++) {
            const struct prefix *route = &conf->routes.items[n];
            if (route->len >= WIDE && prefix_contains(route, &addr))
                config_notice(
                    config, "Portal", "Route",
                    "Route: %s holds the gate itself, %s: only the portal's own connection stays outside of the "
                    "tunnel, and other programs reach that host through it",
                    prefix_text(route, text), conf->gates.items[i].host);
        }
    }
}

// With what other files say of it, but for credentials.
static void take(struct portal_conf *conf, struct config *config, const struct blob *text)
{
    portal_conf_parse(conf, config, text);
    if (conf->use == PORTAL_OF_HOST) {
        access_notice_sources(&conf->accept, config);
        notice_overlap(conf, config);
        socks_keys_read(&conf->socks, config, "Portal");
    }
    proxy_keys_read(&conf->proxy, config, "Gate");
}

static struct tls_identity *load(struct portal_conf *conf, const char *name_or_file, const struct asking *asking,
                                 struct in_force *force, FILE *report)
{
    char path[4096];
    struct fault fault;
    struct tls_identity *identity = NULL;
    instance_config_path(path, sizeof path, name_or_file);
    struct config config = {.path = path, .report = report};
    if (!instance_name(conf->name, name_or_file, &fault)) {
        config_mistake_at(&config, 0, "%s", fault.text);
        return NULL;
    }
    if (config_load(&config, &force->text)) {
        const struct credential_opening opening = {.asking = asking, .instance = conf->name, .unlock = tls_key_unlock};
        take(conf, &config, &force->text);
        if (credentials_read(&force->credentials, &config, "Portal", &conf->credentials, &opening))
            identity = credentials_judge(&force->credentials, &config, "Portal", &conf->credentials, TLS_PORTAL);
    }
    if (config.mistakes) {
        tls_identity_free(identity);
        identity = NULL;
    }
    config_fini(&config);
    return identity;
}

// What others are there for.
static void leave_out(struct portal_conf *conf)
{
    value_prefixes_fini(&conf->routes);
    value_endpoints_fini(&conf->socks.listen);
    value_endpoints_fini(&conf->ask);
    value_forwards_fini(&conf->forwards);
    access_fini(&conf->accept);
}

struct portal_conf *portal_conf_load(const char *name_or_file, enum portal_use use, const struct asking *asking,
                                     struct tls_identity **identity, struct in_force *force, FILE *report)
{
    struct portal_conf *conf = memory_new(sizeof *conf);
    struct in_force read = {0};
    conf->use = use;
    conf->file = instance_config_place(name_or_file);
    *identity = load(conf, name_or_file, asking, &read, report);
    if (*identity && use != PORTAL_OF_HOST)
        leave_out(conf);
    if (*identity && force)
        *force = read;
    else
        in_force_wipe(&read);
    if (*identity)
        return conf;
    portal_conf_free(conf);
    return NULL;
}

struct portal_conf *portal_conf_of(enum portal_use use, struct config *config, const struct blob *text)
{
    struct portal_conf *conf = memory_new(sizeof *conf);
    conf->use = use;
    take(conf, config, text);
    if (!config->mistakes) {
        if (use != PORTAL_OF_HOST)
            leave_out(conf);
        return conf;
    }
    portal_conf_free(conf);
    return NULL;
}

void portal_conf_files(const struct portal_conf *conf, const char *path, struct file_wish wishes[PORTAL_FILES])
{
    const struct credential_keys *keys = &conf->credentials;
    const struct file_wish all[PORTAL_FILES] = {
        {path, CONFIG_FILE_MAX, keys->inlined[TLS_KEY].bytes},
        {keys->inlined[TLS_CA].bytes ? NULL : keys->ca, CREDENTIAL_FILE_MAX, false},
        {keys->inlined[TLS_CERTIFICATE].bytes ? NULL : keys->certificate, CREDENTIAL_FILE_MAX, false},
        {keys->inlined[TLS_KEY].bytes ? NULL : keys->key, SECRET_FILE_MAX, true},
        {keys->inlined[TLS_CRL].bytes ? NULL : keys->crl, CREDENTIAL_FILE_MAX, false},
        {conf->socks.password_file, SECRET_FILE_MAX, true},
        {conf->proxy.password_file, SECRET_FILE_MAX, true},
    };
    memcpy(wishes, all, sizeof all);
}

struct path_config portal_conf_path(const struct portal_conf *conf, struct path_gate gates[VALUE_TARGETS_MAX],
                                    struct tls_identity *identity)
{
    for (size_t i = 0; i < conf->gates.count; i++) {
        const struct value_target *to = &conf->gates.items[i];
        gates[i] = (struct path_gate){to->host, to->port, conf->peer_name ? conf->peer_name : to->host};
    }
    return (struct path_config){
        .gates = gates,
        .gate_count = conf->gates.count,
        .proxy = &conf->proxy.proxy,
        .command = conf->proxy.command,
        .identity = identity,
        .tunnel = link_tuning_tunnel(&conf->link),
    };
}

bool portal_conf_captures(const struct portal_conf *conf)
{
    return conf->routes.count;
}

bool portal_conf_has_proxy(const struct portal_conf *conf)
{
    return conf->proxy.proxy.kind != PROXY_NONE || conf->proxy.command;
}

static bool is_own_name(const char *user)
{
    const struct passwd *entry = getpwuid(geteuid());
    return entry && !strcmp(entry->pw_name, user);
}

static bool suits_user(const struct portal_conf *conf, const struct config *config, const char *name_or_file,
                       struct fault *fault)
{
    if (portal_conf_captures(conf))
        return fault_set(fault, "making an interface needs root: try sudo usher-tun up %s", name_or_file);
    if (config_has(config, "Portal", "User") && !is_own_name(conf->user))
        return fault_set(fault, "only root may become another user: remove User = %s, or try sudo usher-tun up %s",
                         conf->user, name_or_file);
    return true;
}

bool portal_conf_suits_user(const char *name_or_file, struct fault *fault)
{
    char path[4096];
    struct blob text = {0};
    instance_config_path(path, sizeof path, name_or_file);
    if (access(path, R_OK) < 0 && errno == EACCES)
        return fault_set(fault, "%s: only root may read it: try sudo usher-tun up %s", path, name_or_file);
    struct config config = {.path = path};
    struct portal_conf *conf = memory_new(sizeof *conf);
    bool suits = !config_load(&config, &text) || !portal_conf_parse(conf, &config, &text) ||
                 suits_user(conf, &config, name_or_file, fault);
    config_fini(&config);
    blob_wipe(&text);
    portal_conf_free(conf);
    return suits;
}

void portal_conf_free(struct portal_conf *conf)
{
    credential_keys_fini(&conf->credentials);
    link_tuning_fini(&conf->link);
    control_group_fini(&conf->control_group);
    socks_keys_fini(&conf->socks);
    names_keys_fini(&conf->names);
    value_endpoints_fini(&conf->ask);
    value_targets_fini(&conf->gates);
    value_targets_fini(&conf->renew);
    proxy_keys_fini(&conf->proxy);
    value_prefixes_fini(&conf->addresses);
    value_prefixes_fini(&conf->routes);
    value_maps_fini(&conf->maps);
    value_forwards_fini(&conf->forwards);
    access_fini(&conf->accept);
    free(conf->peer_name);
    free(conf->file);
    free(conf->device);
    free(conf->route_congestion);
    free(conf->user);
    free(conf);
}
