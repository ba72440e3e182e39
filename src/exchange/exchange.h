// SPDX-License-Identifier: GPL-2.0-or-later
// The only place where entrances, exits and tunnels meet. What an entrance wants is opened through the tunnel, or held
// until there is one; what the peer opens goes to the first exit that serves it.
#ifndef EXCHANGE_EXCHANGE_H
#define EXCHANGE_EXCHANGE_H

#include "edge/edge.h"
#include "edge/judge.h"
#include "exchange/accounts.h"
#include "exchange/guide.h"
#include "exchange/policy/policy.h"
#include "usher/engine.h"

#include <uv.h>

struct exchange;

struct exchange_config {
    uint32_t hold_ms;          // how long openings wait for a tunnel before they are refused
    void (*wake)(void *owner); // a turn must be run before the loop sleeps; only a flag may be set in it
    void *owner;
};

#define EXCHANGE_COUNTERS(X)                                                                                           \
    X(flows_held, "openings that had to wait for a tunnel")                                                            \
    X(flows_refused, "openings refused at a limit or for want of a tunnel")

struct exchange_counters {
#define EXCHANGE_COUNTER_FIELD(name, help) uint64_t name;
    EXCHANGE_COUNTERS(EXCHANGE_COUNTER_FIELD)
#undef EXCHANGE_COUNTER_FIELD
};

struct exchange *exchange_new(uv_loop_t *loop, const struct exchange_config *config);
// Stops every edge, the latest first. No tunnel may be attached.
void exchange_free(struct exchange *exchange);

// The edge is the exchange's from now on. Exits are asked in the order in which they were added.
void exchange_add(struct exchange *exchange, struct edge *edge);

// Borrowed until the exchange is freed: so the edge that has the guide, if one has, is there as long. With an edge of its
// own it is added after that.
void exchange_add_guide(struct exchange *exchange, struct guide *guide);

// Changes `open` to where a guide leads it; false: it goes where it says, or nowhere.
bool exchange_lead(const struct exchange *exchange, struct usher_open *open);

// The rules by which exits judge what the peer opens, borrowed; without any everything is denied.
void exchange_set_policy(struct exchange *exchange, const struct policy *policy);
const struct judge *exchange_judge(const struct exchange *exchange);
// What was refused by them.
struct denials;
struct denials *exchange_denials(const struct exchange *exchange);

// Tells of each session how it ended (exchange/accounts.h), of those that begin from now on. NULL: no more.
void exchange_keep_accounts(struct exchange *exchange, account_told *told, void *owner);

// A tunnel is up: what was held is opened through it. Before it goes, its engine ends every session, then exchange_detach.
// One that is left for another one is detached as well, and its sessions go on.
void exchange_attach(struct exchange *exchange, struct usher_engine *engine);
void exchange_detach(struct exchange *exchange);
// The tunnel stands still: what is open stays, and what is opened now is held, as without a tunnel.
void exchange_pause(struct exchange *exchange);
// It goes on.
void exchange_go_on(struct exchange *exchange);
// The engine's `opened` event goes straight here.
void exchange_opened(struct exchange *exchange, struct usher_session *session, const struct usher_open *open);

// The end of a turn, around the pull of the tunnels (edge/edge.h).
void exchange_before_pull(struct exchange *exchange, usec_t now);
void exchange_after_pull(struct exchange *exchange, bool link_blocked, usec_t now);

// Somebody waits for a tunnel.
bool exchange_is_holding(const struct exchange *exchange);

uint32_t exchange_flows(const struct exchange *exchange);
void exchange_each_flow(struct exchange *exchange, flow_visit *visit, void *arg, usec_t now);
// The group "counters", and what each edge has to tell.
void exchange_describe(const struct exchange *exchange, struct facts *facts);
const struct exchange_counters *exchange_counters(const struct exchange *exchange);

#endif
