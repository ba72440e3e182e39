// SPDX-License-Identifier: GPL-2.0-or-later
// Capture: what is routed into the TUN device becomes sessions that we open. TCP goes through the stack, UDP and ICMP
// echo are handled packet by packet; fragments of UDP are put together first.
#ifndef EDGE_CAPTURE_CAPTURE_H
#define EDGE_CAPTURE_CAPTURE_H

#include "base/fault.h"
#include "edge/flows.h"
#include "os/tun.h"
#include "usher/engine.h"

#include <uv.h>

struct capture;

struct capture_config {
    uint32_t mtu;
    uint32_t max_flows;
    uint64_t receive_budget;  // bytes (see stack_config)
    uint32_t hold_ms;         // how long new flows wait for a tunnel before they fail: 5,000
    uint32_t udp_idle_ms;     // 120,000
    uint32_t udp_dns_idle_ms; // 10,000 after an answer from port 53
    bool udp_offload;         // answers may go to the device as trains (edge/train.h), where the kernel knows them
};

#define CAPTURE_COUNTERS(X)                                                                                            \
    X(packets_in, "packets read from the device")                                                                      \
    X(packets_out, "packets written to the device")                                                                    \
    X(packets_lost, "packets the device would not take")                                                               \
    X(malformed, "packets dropped: not well-formed")                                                                   \
    X(bad_checksum, "packets dropped: wrong UDP or ICMP checksum")                                                     \
    X(unsupported, "packets dropped: a protocol that sessions do not carry")                                           \
    X(fragments, "fragments taken")                                                                                    \
    X(fragments_dropped, "fragments dropped: out of room, time or order")                                              \
    X(datagrams_dropped, "datagrams dropped: no room, or no session that takes them")                                  \
    X(flows_refused, "new flows refused at a limit or for want of a tunnel")                                           \
    X(flows_evicted, "flows reset for what they held of the memory: nobody took it")

struct capture_counters {
#define CAPTURE_COUNTER_FIELD(name, help) uint64_t name;
    CAPTURE_COUNTERS(CAPTURE_COUNTER_FIELD)
#undef CAPTURE_COUNTER_FIELD
};

// `tun` is borrowed until capture_free. `wake`: the program must run a turn.
struct capture *capture_new(uv_loop_t *loop, const struct tun *tun, const struct capture_config *config,
                            void (*wake)(void *owner), void *owner, struct fault *fault);
// Must be detached. The structure goes when libuv has closed its handles.
void capture_free(struct capture *capture);

// A tunnel is up: waiting flows are opened through `engine`. Before it goes, the engine ends every session (LOST: flows
// get RST), then capture_detach.
void capture_attach(struct capture *capture, struct usher_engine *engine);
void capture_detach(struct capture *capture);
// End of turn, after the tunnel has pulled (see stack_flush). Leaves nothing behind that no event will announce.
void capture_turn(struct capture *capture, bool link_blocked, usec_t now);

// An application waits for a tunnel.
bool capture_is_waiting(const struct capture *capture);

// The device was deleted under us, of which `wake` told: nothing can be captured any more.
bool capture_is_gone(const struct capture *capture);

void capture_each_flow(struct capture *capture, flow_visit *visit, void *arg, usec_t now);
uint32_t capture_flows(const struct capture *capture);
const struct capture_counters *capture_counters(const struct capture *capture);

#endif
