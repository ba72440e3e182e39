// SPDX-License-Identifier: GPL-2.0-or-later
// What the configuration of a gate says.
#ifndef CONFIG_GATE_CONF_H
#define CONFIG_GATE_CONF_H

#include "config/access.h"
#include "config/control_group.h"
#include "config/credentials.h"
#include "config/instance.h"
#include "config/link_tuning.h"
#include "config/value_net.h"
#include "os/log.h"

struct gate_conf {
    char name[INSTANCE_NAME_MAX + 1];
    struct value_endpoints listen;
    struct value_endpoints health;   // where balancers ask how it is
    struct value_prefixes balancers; // who says by a PROXY header whose a connection is
    struct credential_keys credentials;
    struct validity validity; // of what they name; by who has judged them
    struct link_tuning link;
    struct control_group control_group;
    struct access access;

    char *user; // whom workers become
    enum log_level log_level;
    char *dns;    // servers, comma separated; NULL: the system's own
    bool replace; // Duplicate: a new login of a name ends the older one

    uint64_t max_portals;
    uint64_t max_unauthenticated, max_unauthenticated_per_source;
    uint64_t max_connecting;                      // sessions of one portal that wait for their far end
    uint64_t opens_per_second, opens_burst;       // of one portal; 0: no limit
    uint64_t connect_timeout, udp_idle, dns_idle; // ms
    char *audit;                                  // file with a line for each session; NULL: none
    bool tell_origin;                             // to portals, who asked for a flow into what they export
    uint64_t drain_timeout;                       // ms that sessions of a tunnel have that is to end with its last one
};

// Reads the text of the file, and looks at no other.
bool gate_conf_parse(struct gate_conf *conf, struct config *config, const struct blob *text);
void gate_conf_free(struct gate_conf *conf);

#endif
