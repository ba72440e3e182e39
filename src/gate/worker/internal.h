// SPDX-License-Identifier: GPL-2.0-or-later
// What a worker consists of: for the files that make it up, and nobody else.
#ifndef GATE_WORKER_INTERNAL_H
#define GATE_WORKER_INTERNAL_H

#include "cli/changeover.h"
#include "config/gate_conf.h"
#include "edge/dial/dial.h"
#include "gate/channel/handover.h"
#include "gate/worker/accounting.h"
#include "gate/worker/continuing.h"
#include "gate/worker/departure.h"
#include "gate/worker/entrances.h"
#include "gate/worker/look.h"
#include "gate/worker/standing.h"
#include "node/node.h"
#include "os/log_tally.h"

struct worker {
    struct gate_conf *conf;
    struct gate_conf *began;  // by which ports and devices are handed out; NULL: that one too
    struct handover handover; // what is not used up yet
    struct handover news;     // not heeded yet; empty: none
    struct standing standing; // of the portal
    struct departure departure;
    struct accounting accounting;  // for the audit file
    struct changeover *changeover; // to the gate's next certificate

    uv_loop_t loop;
    struct node node;
    uv_poll_t channel;

    struct tls_identity *identity;
    struct tunnel *tunnel;
    struct tunnel_config config; // its own
    struct lane *lane;           // until the tunnel has it
    struct look *look;           // at what it shows; NULL once that is known
    bool has_shown;              // a ticket, and the supervisor is asked
    struct continuing continuing;
    struct resolver *resolver;
    char *hosts;       // the resolver's
    struct dial *dial; // the node's, once we know the portal
    struct entrances entrances;
    int icmp4_fd, icmp6_fd;

    char portal[TLS_NAME_SIZE];
    char peer[ENDPOINT_TEXT_SIZE];
    char who[TLS_NAME_SIZE + ENDPOINT_TEXT_SIZE + 4]; // for log lines
    struct log_tally denied, evicted;
    usec_t denials_due; // when the supervisor may be told of refusals unasked
};

#endif
