// SPDX-License-Identifier: GPL-2.0-or-later
// What an engine counts, as one table: status, metrics and tests read the same list.
#ifndef USHER_COUNTERS_H
#define USHER_COUNTERS_H

#include "base/facts.h"

#include <stdint.h>

#define USHER_BYTE_COUNTERS(X)                                                                                         \
    X(bytes_sent, "bytes of records pulled")                                                                           \
    X(bytes_received, "bytes of records fed")                                                                          \
    X(payload_sent, "bytes of users sent: stream data, datagrams and pings")                                           \
    X(payload_received, "bytes of users received: stream data, datagrams and pings")                                   \
    X(data_sent, "bytes of stream data sent")                                                                          \
    X(data_received, "bytes of stream data received")

#define USHER_EVENT_COUNTERS(X)                                                                                        \
    X(sessions_opened, "sessions opened by us")                                                                        \
    X(sessions_accepted, "sessions opened by the peer and accepted")                                                   \
    X(sessions_refused, "opens answered with a refusal, by either side")                                               \
    X(sessions_reset, "sessions ended by UsherRST, by either side")                                                    \
    X(sessions_evicted, "of those, ended by us for what they held of the memory")                                      \
    X(datagrams_sent, "datagrams sent")                                                                                \
    X(datagrams_received, "datagrams received")                                                                        \
    X(datagrams_dropped, "datagrams dropped because the tunnel was congested")                                         \
    X(strays, "records for a session that is not known (section 3)")                                                   \
    X(glitches, "records that break a rule of their session")

#define USHER_COUNTERS(X)                                                                                              \
    USHER_BYTE_COUNTERS(X)                                                                                             \
    USHER_EVENT_COUNTERS(X)

struct usher_counters {
#define USHER_COUNTER_FIELD(name, help) uint64_t name;
    USHER_COUNTERS(USHER_COUNTER_FIELD)
#undef USHER_COUNTER_FIELD
};

// Bytes of records, both ways.
static inline uint64_t usher_counters_moved(const struct usher_counters *counters)
{
    return counters->bytes_sent + counters->bytes_received;
}

void usher_counters_add(struct usher_counters *to, const struct usher_counters *from);
// What `now` has more than `before`.
void usher_counters_add_since(struct usher_counters *to, const struct usher_counters *before,
                              const struct usher_counters *now);
void usher_counters_describe(const struct usher_counters *counters, struct facts *facts);

#endif
