// SPDX-License-Identifier: GPL-2.0-or-later
// What a capture is told when it begins, and what it counts.
#ifndef EDGE_CAPTURE_CONFIG_H
#define EDGE_CAPTURE_CONFIG_H

#include "base/address.h"

#include <stdbool.h>
#include <stdint.h>

struct capture_config {
    uint32_t mtu;
    uint32_t max_flows;
    uint64_t receive_budget;  // bytes (see stack_config)
    uint32_t udp_idle_ms;     // 120,000
    uint32_t udp_dns_idle_ms; // 10,000 after an answer from port 53
    bool udp_offload; // answers may go to the device as batches (edge/relay/batch.h), where the kernel knows them
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
    X(flows_refused, "new flows refused at a limit")                                                                   \
    X(associations_gave_way, "UDP associations and pings ended early, at a limit, for new ones")                       \
    X(flows_evicted, "flows reset for what they held of the memory: nobody took it")

struct capture_counters {
#define CAPTURE_COUNTER_FIELD(name, help) uint64_t name;
    CAPTURE_COUNTERS(CAPTURE_COUNTER_FIELD)
#undef CAPTURE_COUNTER_FIELD
};

// Whether that far end is routed here.
typedef bool capture_covers(void *owner, const struct address *outside);

#endif
