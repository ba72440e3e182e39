// SPDX-License-Identifier: GPL-2.0-or-later
// What an engine is told when it is made, what it tells its owner, and the figures that both know.
#ifndef USHER_CONFIG_H
#define USHER_CONFIG_H

#include "usher/record.h"

#include <stdbool.h>
#include <stdint.h>

struct usher_session;

enum {
    USHER_WINDOW_START = 65536, // credit each direction starts with (section 5)
    USHER_WINDOW_MAX = 16 * 1024 * 1024,
    USHER_DATAGRAM_QUEUE = 256 * 1024, // bytes of datagrams that wait in one engine
    USHER_PULL_MIN = 512,              // bytes: the smallest room for a pull; every control record fits
};

struct usher_engine_config {
    bool server;             // the TLS server: allocates odd ids
    bool extended;           // ALPN usher/1 was agreed: beats go out and silence is death (section 9)
    uint32_t max_sessions;   // sessions at once, opened by either side; at most 32,766
    uint32_t max_unanswered; // opens of the peer that wait for our answer
    uint32_t opens_per_sec;  // accepted rate of the peer's opens; 0 is no limit. Above it: OpenReply -1, limit
    uint32_t opens_burst;
    uint64_t window_budget; // bytes of credit beyond the first 64 KiB that all sessions together may be given
    uint32_t window_max;    // bytes of credit one session may grow to; at most 16 MiB
    uint64_t held_budget;   // bytes received and not consumed that all sessions may hold (usher/eviction.h); 0: any
};

struct usher_engine_ops {
    // The peer opened a session. Attach it, or leave it: an unattached session is refused as unsupported.
    void (*opened)(void *owner, struct usher_session *session, const struct usher_open *open);
    // pull has something to give where it had nothing before. Only a flag may be set in here.
    void (*wake)(void *owner);
    // Whether both ends confirm what they take, from now on. NULL: it does not matter.
    void (*confirming)(void *owner, bool agreed);
    // So many more of the records that were pulled, the oldest first, have been taken by the peer. False: there are not so
    // many. NULL: it does not matter.
    bool (*confirmed)(void *owner, uint16_t records);
};

enum usher_status {
    USHER_RUNNING,
    USHER_ENDING, // we sent, or will send with the next pulls, UsherEnd: keep pulling until pull gives 0
    USHER_ENDED,  // the peer sent UsherEnd: close
};

#endif
