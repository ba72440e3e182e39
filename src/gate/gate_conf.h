// SPDX-License-Identifier: GPL-2.0-or-later
// What the configuration of a gate says.
#ifndef GATE_GATE_CONF_H
#define GATE_GATE_CONF_H

#include "cli/options.h"
#include "cli/runtime.h"
#include "gate/access.h"
#include "os/log.h"

struct gate_conf {
    char name[RUNTIME_NAME_MAX + 1];
    struct value_endpoints listen;
    struct options_tls tls;
    struct options_link link;
    struct access access;

    char *user; // whom workers become
    enum log_level log_level;
    char *dns; // servers, comma separated; NULL: the system's own
    char *duplicate_word;
    bool replace; // a new login of a name ends the older one

    uint64_t max_portals;
    uint64_t max_unauthenticated, max_unauthenticated_per_source;
    uint64_t max_connecting;                      // sessions of one portal that wait for their far end
    uint64_t opens_per_second, opens_burst;       // of one portal; 0: no limit
    uint64_t connect_timeout, udp_idle, dns_idle; // ms
};

// Reads and judges the file, credentials included; every mistake goes to `report`. NULL when there was one. On success
// `material` holds the credentials.
struct gate_conf *gate_conf_load(const char *name_or_file, struct options_material *material, FILE *report);
void gate_conf_free(struct gate_conf *conf);

// The part of it that looks at no other file.
bool gate_conf_parse(struct gate_conf *conf, struct config *config, FILE *in);

#endif
