// SPDX-License-Identifier: GPL-2.0-or-later
// What /etc/usher/NAME.conf of a portal says.
#ifndef CONFIG_PORTAL_CONF_H
#define CONFIG_PORTAL_CONF_H

#include "config/access.h"
#include "config/again.h"
#include "config/control_group.h"
#include "config/credentials.h"
#include "config/instance.h"
#include "config/link_tuning.h"
#include "config/names_keys.h"
#include "config/proxy_keys.h"
#include "config/socks_keys.h"
#include "config/value_forward.h"
#include "config/value_map.h"
#include "config/value_net.h"
#include "link/path/path.h"
#include "os/log.h"

// Whose portal it is, and so what it is to carry.
enum portal_use {
    PORTAL_OF_HOST,    // of `usher-tun up`: what its ways in are configured for
    PORTAL_OF_COMMAND, // of `usher-tun run`: one command's whole network
    PORTAL_OF_PROGRAM, // of libusher: what the program opens itself
};

struct portal_conf {
    char name[INSTANCE_NAME_MAX + 1];
    char *file; // it was loaded from; NULL: from none
    enum portal_use use;
    struct credential_keys credentials;
    struct link_tuning link;
    struct control_group control_group;
    struct value_targets gates; // in order of preference
    char *peer_name;            // what the certificate of each must carry; NULL: its host
    struct proxy_keys proxy;

    char *device;
    struct value_prefixes addresses;
    struct value_prefixes routes; // those of `maps` and of names too
    struct value_maps maps;
    uint64_t mtu;           // bytes
    uint64_t queue_length;  // packets
    char *route_congestion; // NULL: cubic where the system's own is bbr
    struct value_forwards forwards;
    struct access accept; // what the gate's side may open towards us; its lines are nobody's in particular

    struct value_targets renew; // where the authority is asked for the next certificate; none or one

    char *user;
    enum log_level log_level;
    uint64_t up_timeout;     // ms; 0 is forever
    uint64_t hold;           // ms
    uint64_t udp_idle;       // ms
    uint64_t dns_idle;       // ms
    uint64_t max_flows;      // at once, of each entrance
    uint64_t receive_budget; // bytes
    bool tell_origin;        // to the gate, who asked for a flow

    struct socks_keys socks;
    struct names_keys names;
    struct value_endpoints ask; // on loopback
};

// Reads and judges the file, credentials included; every mistake goes to `report`. NULL when there was one. On success
// `*identity` is ready for the link, unless `asking` was at a terminal only, and the caller's, as is `force`, if it is not
// NULL. Unless it is the host's own portal there need be nothing to carry, and what would be is left out: Route, Socks,
// Forward, [Accept].
struct portal_conf *portal_conf_load(const char *name_or_file, enum portal_use use, const struct asking *asking,
                                     struct tls_identity **identity, struct in_force *force, FILE *report);
// The same of a text that has been read, and of the passwords that it names, but not of credentials.
struct portal_conf *portal_conf_of(enum portal_use use, struct config *config, const struct blob *text);
enum { PORTAL_FILES = 7 };
// All files that make a portal, its configuration at `path` the first; paths may be NULL, and are borrowed.
void portal_conf_files(const struct portal_conf *conf, const char *path, struct file_wish wishes[PORTAL_FILES]);
void portal_conf_free(struct portal_conf *conf);
// The way to its gates; `gates` and all else is borrowed.
struct path_config portal_conf_path(const struct portal_conf *conf, struct path_gate gates[VALUE_TARGETS_MAX],
                                    struct tls_identity *identity);

// Whether there is a Route or Map, or names that are mapped, and so a TUN device and something to capture.
bool portal_conf_captures(const struct portal_conf *conf);
// Whether the gate is reached over something else, so that the connection's other end is not the gate.
bool portal_conf_has_proxy(const struct portal_conf *conf);
// Whether this user may bring it up, who is not root; where not, the fault says what to do. A file with mistakes is not
// judged: true.
bool portal_conf_suits_user(const char *name_or_file, struct fault *fault);

// The part of it that looks at no other file.
bool portal_conf_parse(struct portal_conf *conf, struct config *config, const struct blob *text);

#endif
