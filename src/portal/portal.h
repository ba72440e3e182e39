// SPDX-License-Identifier: GPL-2.0-or-later
// The portal as it runs: one process, one loop. What it is made of is put together and taken apart by portal/setup.c.
#ifndef PORTAL_PORTAL_H
#define PORTAL_PORTAL_H

#include "base/host_name.h"
#include "cli/background.h"
#include "cli/changeover.h"
#include "cli/control.h"
#include "cli/expiry.h"
#include "cli/runtime.h"
#include "config/portal_conf.h"
#include "exchange/map.h"
#include "link/path/path.h"
#include "node/node.h"
#include "os/log_tally.h"
#include "os/netlink/netlink.h"
#include "portal/attendants.h"
#include "portal/listening.h"

#include <time.h>

enum portal_state { PORTAL_CONNECTING, PORTAL_UP, PORTAL_PAUSED, PORTAL_DOWN };

struct portal {
    struct portal_conf *conf;      // in force
    struct tls_identity *identity; // so is this
    const char *name_or_file;      // of the configuration
    struct in_force *force;        // what that was made of: taken by `renewal`
    struct attendants *attendants; // portal/attendants.h
    struct background *background;
    uv_loop_t *loop;
    struct expiry *expiry;

    // In the order of set-up.
    struct runtime runtime;
    struct netlink *nl;          // NULL: cannot be had, and is not needed
    const struct tun *given;     // a device that somebody else has made, of a run; else NULL
    struct capturing *capturing; // portal/capturing.h; NULL: neither that nor a Route
    unsigned ifindex;            // of the device that it has made
    struct control *control;
    struct watch *watch;           // of the network; NULL: the one that captures has its own
    struct system_dns *system_dns; // portal/system_dns.h; NULL: there are no names
    struct listening socks, ask;   // until their entrances take them
    int *forward_fds;              // of forwards, until the node has them
    size_t forward_fd_count;
    struct accept *accept;   // portal/accept.h; NULL: the gate's side may open nothing
    struct renewal *renewal; // portal/renewal.h
    struct changeover *changeover;
    bool wants_to_leave; // the tunnel that is up, and has told the gate
    int renewer;         // whose process ends when this does; -1: none
    struct node node;
    struct handed *handed;                     // the node's
    struct socks *socks_entrance;              // the node's; NULL: no Socks
    struct ask *ask_entrance;                  // so is this
    struct forward *forward_entrance;          // and this
    struct map map;                            // of the node
    struct naming *naming;                     // portal/naming.h; NULL: no Domains
    struct control_session *control_session;   // the node's
    struct path_gate gates[VALUE_TARGETS_MAX]; // as `path` takes them
    struct path *path;
    bool gates_are_new;       // `path` does not know them yet
    bool may_start_programs;  // its filter of system calls lets it
    struct wall_clock *clock; // news of it; NULL: cannot be had

    struct log_tally unread; // flows that were reset: their applications took nothing
    uv_signal_t terminate, interrupt;
    uv_timer_t patience; // how long `up`, and later the farewell, may take
    uv_poll_t command;   // the pipe to the command that waits for `up`, while it does
    bool stopping;

    enum portal_state state;
    time_t since;            // of `state`
    struct fault last_error; // why the tunnel is not, or was not, up
    struct fault failure;    // why the program ends with 1; "" when it does not
};

// Ends it in order; `why` is for the log.
void portal_stop(struct portal *portal, const char *why);
// Its own handles on the loop: signals, patience, the command that waits for `up`.
void portal_open(struct portal *portal, uv_loop_t *loop);
// Set-up is done: from here on `up` has UpTimeout, and a service manager whom it has started is told that it is ready.
void portal_hurry(struct portal *portal);
void portal_close(struct portal *portal);

// The steps of starting and ending, which portal.c offers to set-up.
void portal_turned(void *owner, usec_t now);
extern const struct path_ops PORTAL_PATH_OPS;
// Addresses or routes of the host have changed.
void portal_network_changed(void *owner);
// It cannot go on: ends with 1 and says why. `farewell` is what the gate hears.
void portal_fail(struct portal *portal, const char *farewell, const struct fault *why);

const char *portal_state_text(enum portal_state state);
// The gate that has the tunnel or was tried last, as it is configured.
#define PORTAL_GATE_SIZE HOST_PORT_TEXT_SIZE
const char *portal_gate_text(const struct portal *portal, char room[PORTAL_GATE_SIZE]);

#endif
