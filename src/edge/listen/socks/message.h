// SPDX-License-Identifier: GPL-2.0-or-later
// What a SOCKS client says and is told, as bytes: version 4, 4a, 5 (RFC 1928) and its password (RFC 1929). No I/O: each
// parser looks at what has come so far and says how much of it the message takes, so that nothing behind it is read.
#ifndef EDGE_LISTEN_SOCKS_MESSAGE_H
#define EDGE_LISTEN_SOCKS_MESSAGE_H

#include "usher/reason.h"
#include "usher/record.h"

enum {
    SOCKS_TEXT_MAX = 255,    // bytes of a user, a password, a host: one length byte
    SOCKS_MESSAGE_MAX = 520, // bytes of the longest message: version 4a's user and host with their NULs, or a password
    SOCKS_REPLY_MAX = 22,    // bytes of what we answer
    SOCKS_UDP_HEADER_MAX = 4 + 1 + SOCKS_TEXT_MAX + 2,
};

enum socks_command { SOCKS_CONNECT = 1, SOCKS_BIND = 2, SOCKS_UDP_ASSOCIATE = 3 };

enum socks_parsed {
    SOCKS_WHOLE,
    SOCKS_PARTIAL, // more must come
    SOCKS_BROKEN,  // it will never be one
};

// The ways to authenticate that we know.
enum socks_method { SOCKS_METHOD_NONE = 0, SOCKS_METHOD_PASSWORD = 2, SOCKS_METHOD_UNACCEPTABLE = 0xff };

struct socks_greeting {
    bool offers_none, offers_password;
};

struct socks_password {
    char user[SOCKS_TEXT_MAX + 1];
    char password[SOCKS_TEXT_MAX + 1];
};

struct socks_target {
    struct address addr; // version 0: `host` counts
    char host[USHER_HOST_MAX + 1];
    uint16_t port;
};

struct socks_request {
    uint8_t version; // 4 or 5
    uint8_t command; // enum socks_command, or none of it
    struct socks_target target;
};

// Why a request is not granted, or that it is.
enum socks_outcome {
    SOCKS_GRANTED,
    SOCKS_FAILED,
    SOCKS_DENIED,
    SOCKS_NO_NET,
    SOCKS_NO_HOST,
    SOCKS_REFUSED,
    SOCKS_TIMEOUT,
    SOCKS_NO_COMMAND,
    SOCKS_OUTCOMES // how many
};

// Each: `*used` is the length of the message when it is whole.
enum socks_parsed socks_greeting_parse(struct socks_greeting *out, const uint8_t *bytes, size_t len, size_t *used);
enum socks_parsed socks_password_parse(struct socks_password *out, const uint8_t *bytes, size_t len, size_t *used);
// Of the version that its first byte says.
enum socks_parsed socks_request_parse(struct socks_request *out, const uint8_t *bytes, size_t len, size_t *used);

// What an open that failed is to a client (protocol.md section 4); `text` as it came with the word.
enum socks_outcome socks_outcome_of(enum usher_word word, const char *text);
// Writes a reply and returns its length; `bound` is told to clients of version 5 (for UDP: where to send to).
size_t socks_reply_write(uint8_t room[SOCKS_REPLY_MAX], uint8_t version, enum socks_outcome outcome,
                         const struct endpoint *bound);

// The header of a datagram (RFC 1928 section 7). False when it is none, or is a fragment, which we do not put together.
bool socks_datagram_parse(struct socks_target *out, const uint8_t *bytes, size_t len, size_t *used);
size_t socks_datagram_write(uint8_t room[SOCKS_UDP_HEADER_MAX], const struct socks_target *from);

#endif
