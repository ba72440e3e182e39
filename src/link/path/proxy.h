// SPDX-License-Identifier: GPL-2.0-or-later
// A proxy on the way to the gate, and the talk with one: what is said and what is answered, as bytes. Who carries them
// (link/path/negotiation.h) sends `out`, receives at most `want` bytes, counts them from there to `in_len`, and calls
// the kind's `take` then. `want` never reaches behind the answer: what follows it is for whoever gets the connection.
#ifndef LINK_PATH_PROXY_H
#define LINK_PATH_PROXY_H

#include "base/fault.h"

#include <stddef.h>
#include <stdint.h>

enum proxy_kind { PROXY_NONE, PROXY_SOCKS4A, PROXY_SOCKS5, PROXY_HTTP };

enum {
    PROXY_SECRET_MAX = 255,    // bytes of a user or a password: RFC 1929 has one byte for the length
    PROXY_CNONCE_SIZE = 33,    // 16 random bytes in hexadecimal
    PROXY_OUT_SIZE = 4 * 1024, // the longest request: both fields of a challenge, the user and the gate
    PROXY_IN_SIZE = 16 * 1024, // an answer's head; those of proxies that people run stay below 2 KiB
    PROXY_BODY_MAX =
        64 * 1024, // a page that comes with a challenge and is skipped; longer, and a new connection is cheaper
};

struct proxy {
    enum proxy_kind kind;
    char *host;
    uint16_t port;
    char *user;     // NULL: none
    char *password; // NULL: none; a secret
};

enum proxy_verdict {
    PROXY_TALKS,   // not done yet
    PROXY_LEADS,   // what comes next is the gate's
    PROXY_ANEW,    // the same once more on a new connection: `answer` is kept
    PROXY_FAILED,  // `why`; another time it may work
    PROXY_REFUSED, // `why`; it would end the same until somebody changes the configuration
};

struct proxy_talk {
    const struct proxy *proxy;
    const char *host; // the gate, as the proxy is to look it up
    uint16_t port;
    char cnonce[PROXY_CNONCE_SIZE]; // random, for Digest

    enum proxy_verdict verdict;
    struct fault why; // what the proxy did: "refused the user and the password"
    uint8_t out[PROXY_OUT_SIZE];
    size_t out_len;
    uint8_t in[PROXY_IN_SIZE];
    size_t in_len;
    size_t want;
    int stage;                   // the kind's own
    size_t skip;                 // HTTP: bytes of a body to be read away
    char answer[PROXY_OUT_SIZE]; // HTTP: to the challenge; "": not asked yet
};

// Ends the talk with a sentence.
void proxy_fail(struct proxy_talk *talk, enum proxy_verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// The beginning of the answer, made safe to be shown.
#define PROXY_SHOWN_SIZE 64
const char *proxy_shown(const struct proxy_talk *talk, char room[PROXY_SHOWN_SIZE]);

#endif
