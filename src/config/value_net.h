// SPDX-License-Identifier: GPL-2.0-or-later
// Kinds of values that say where something is: addresses, prefixes, hosts. The field's type stands behind each.
#ifndef CONFIG_VALUE_NET_H
#define CONFIG_VALUE_NET_H

#include "base/address.h"
#include "config/config.h"
#include "os/socket/socket.h"

enum {
    VALUE_LIST_MAX = 1024,     // items of one list
    VALUE_SERVERS_SIZE = 1024, // bytes of a list of name servers
    VALUE_TARGETS_MAX = 16,    // of a list that is gone through one by one
};

// A host and a port to dial: "gate.example.net:4433", "192.0.2.1:4433", "[2001:db8::1]:4433".
struct value_target {
    char *host; // without brackets
    uint16_t port;
};

struct value_targets {
    struct value_target *items;
    size_t count;
};

struct value_prefixes {
    struct prefix *items;
    size_t count;
};

struct value_endpoints {
    struct endpoint *items;
    size_t count;
};

config_parse value_targets;   // struct value_targets, appended: each a host and a port
config_parse value_prefixes;  // struct value_prefixes, appended: host bits must be zero
config_parse value_addresses; // struct value_prefixes, appended: an interface's address, host bits stay
config_parse value_servers;   // char *, appended with commas: name servers, as os/resolver/resolver.h takes them
config_parse value_source;    // struct socket_source, of each IP version one: addresses that a host can have
config_parse value_endpoints; // struct value_endpoints, appended: where to listen
config_parse value_loopback;  // the same, where nobody comes but from this host

// Appends the prefix, unless it is there.
void value_prefixes_add(struct value_prefixes *out, const struct prefix *prefix);

void value_targets_fini(struct value_targets *targets);
void value_prefixes_fini(struct value_prefixes *prefixes);
void value_endpoints_fini(struct value_endpoints *endpoints);

#endif
