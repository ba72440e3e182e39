// SPDX-License-Identifier: GPL-2.0-or-later
// The table of keys, what a table cannot say, and the files that keys name.

#include "console/conf.h"

#include "base/memory.h"
#include "config/value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 4 * 1024 * 1024, TOKEN_MIN = 16 };

#define FIELD(name) offsetof(struct console_conf, name)

static bool parse_person(void *field, const struct config_entry *entry, const struct config_key *key,
                         struct fault *fault)
{
    struct people *people = field;
    (void)key;
    for (const char *at = entry->value; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("-_.@ ", *at))
            return fault_set(fault, "is not the name of a certificate");
    if (people->count == CONSOLE_PEOPLE_MAX)
        return fault_set(fault, "is one too many: the list holds %d", CONSOLE_PEOPLE_MAX);
    people->names[people->count++] = memory_text(entry->value);
    return true;
}

static bool parse_name(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    for (const char *at = entry->value; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("-.", *at))
            return fault_set(fault, "is not the name of a host");
    if (strlen(entry->value) > 253)
        return fault_set(fault, "is too long for the name of a host");
    (void)key;
    *(char **)field = memory_text(entry->value);
    return true;
}

static const struct config_section SECTIONS[] = {{.name = "Console"}};

static const struct config_key KEYS[] = {
    {"Console", "Listen", value_endpoints, FIELD(listen), .fallback = "127.0.0.1:8067", .list = true},
    {"Console", "Name", parse_name, FIELD(name), .fallback = NULL},
    {"Console", "Certificate", value_path, FIELD(certificate), .fallback = NULL},
    {"Console", "Key", value_path, FIELD(key), .fallback = NULL},
    {"Console", "CA", value_path, FIELD(ca), .fallback = NULL},
    {"Console", "CRL", value_path, FIELD(crl), .fallback = NULL},
    {"Console", "Users", parse_person, FIELD(users), .list = true},
    {"Console", "Operators", parse_person, FIELD(operators), .list = true},
    {"Console", "Actions", value_switch, FIELD(actions), .fallback = "yes"},
    {"Console", "Metrics", value_switch, FIELD(metrics), .fallback = "yes"},
    {"Console", "MetricsTokenFile", value_path, FIELD(token_file), .fallback = NULL},
    {"Console", "AuditFile", value_path, FIELD(audit_file), .fallback = NULL},
    CONFIG_BOUNDED("Console", "Interval", value_duration, FIELD(interval), "2s", 500, 60000),
    {"Console", "LogLevel", value_log_level, FIELD(log_level), .fallback = "info"},
};

static bool is_loopback(const struct address *addr)
{
    static const struct prefix v4 = {.addr = {.version = 4, .bytes = {127}}, .len = 8};
    static const struct prefix v6 = {.addr = {.version = 6, .bytes = {[15] = 1}}, .len = 128};
    return prefix_contains(addr->version == 4 ? &v4 : &v6, addr);
}

static void check(struct console_conf *conf, struct config *config)
{
    bool people = conf->users.count || conf->operators.count;
    if (conf->listen.count != 1) {
        config_mistake(config, "Console", "Listen", "Listen: one address is enough; more are not served");
        return;
    }
    conf->elsewhere = !is_loopback(&conf->listen.items[0].addr);
    if (conf->elsewhere && (!conf->certificate || !conf->key || !conf->ca || !people))
        config_mistake(config, "Console", "Listen",
                       "Listen: others than this host reach it there, so it needs Certificate, Key, CA, and Users or "
                       "Operators who show a certificate");
    else if (!conf->certificate != !conf->key)
        config_mistake(config, "Console", conf->key ? "Key" : "Certificate", "Certificate and Key belong together");
    else if (conf->ca && !conf->key)
        config_mistake(config, "Console", "CA", "CA: certificates are shown over TLS, which takes Certificate and Key");
    else if (conf->crl && !conf->ca)
        config_mistake(config, "Console", "CRL", "CRL: a revocation list needs its CA");
    else if (!conf->ca != !people)
        config_mistake(config, "Console",
                       conf->ca            ? "CA"
                       : conf->users.count ? "Users"
                                           : "Operators",
                       "CA, and Users or Operators, belong together");
}

static void read_file(struct config *config, const char *key, const char *path, bool is_secret, struct blob *out)
{
    struct fault fault;
    if (path && !(is_secret ? blob_read_private : blob_read)(out, path, FILE_MAX, &fault))
        config_mistake(config, "Console", key, "%s: %s", key, fault.text);
}

static void read_files(struct console_conf *conf, struct config *config)
{
    read_file(config, "Certificate", conf->certificate, false, &conf->certificate_text);
    read_file(config, "Key", conf->key, true, &conf->key_text);
    read_file(config, "CA", conf->ca, false, &conf->ca_text);
    read_file(config, "CRL", conf->crl, false, &conf->crl_text);
    read_file(config, "MetricsTokenFile", conf->token_file, true, &conf->token);
    while (conf->token.len && isspace(conf->token.bytes[conf->token.len - 1]))
        conf->token.bytes[--conf->token.len] = '\0';
    if (conf->token_file && !config->mistakes && conf->token.len < TOKEN_MIN)
        config_mistake(config, "Console", "MetricsTokenFile", "MetricsTokenFile: a token has %d characters at least",
                       TOKEN_MIN);
}

bool people_have(const struct people *people, const char *name)
{
    for (size_t i = 0; i < people->count; i++)
        if (!strcmp(people->names[i], name))
            return true;
    return false;
}

struct console_conf *console_conf_load(const char *path)
{
    struct console_conf *conf = memory_new(sizeof *conf);
    struct config config = {
        .path = path ? path : "usher-console",
        .sections = SECTIONS,
        .section_count = sizeof SECTIONS / sizeof SECTIONS[0],
        .keys = KEYS,
        .key_count = sizeof KEYS / sizeof KEYS[0],
        .into = conf,
        .report = stderr,
    };
    struct blob text = path ? (struct blob){0} : blob_text("[Console]\n");
    if ((!path || config_load(&config, &text)) && config_read(&config, &text)) {
        check(conf, &config);
        if (!config.mistakes)
            read_files(conf, &config);
    }
    bool ok = !config.mistakes;
    blob_wipe(&text);
    config_fini(&config);
    if (ok)
        return conf;
    console_conf_free(conf);
    return NULL;
}

static void free_people(struct people *people)
{
    for (size_t i = 0; i < people->count; i++)
        free(people->names[i]);
}

void console_conf_free(struct console_conf *conf)
{
    if (!conf)
        return;
    struct blob *const blobs[] = {&conf->certificate_text, &conf->key_text, &conf->ca_text, &conf->crl_text,
                                  &conf->token};
    char *const texts[] = {conf->name, conf->certificate, conf->key,       conf->ca,
                           conf->crl,  conf->token_file,  conf->audit_file};
    for (size_t i = 0; i < sizeof blobs / sizeof blobs[0]; i++)
        blob_wipe(blobs[i]);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    free_people(&conf->users);
    free_people(&conf->operators);
    value_endpoints_fini(&conf->listen);
    free(conf);
}
