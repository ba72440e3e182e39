// SPDX-License-Identifier: GPL-2.0-or-later
// The wire on one page (doc/PROTOCOL.md sections 2 to 4 and 8): an 8-byte header, eight record types, and for each a
// pair of encode and decode. Decoders allocate nothing and change no state; texts they yield point into the body.
#ifndef USHER_RECORD_H
#define USHER_RECORD_H

#include "base/address.h"
#include "base/cursor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    USHER_HEADER_SIZE = 8,
    USHER_BODY_MAX = 65535,
    USHER_SEND_MAX = 49144,     // what we send: header and data fill three TLS records of 16,384 bytes
    USHER_DATAGRAM_MAX = 65507, // UDP over IPv4: 65,535 - 20 - 8
    USHER_DATAGRAM_FIXED = 12,  // the address fields of UsherSendUdp
    USHER_HOST_MAX = 255,       // bytes of a host name, without its NUL
    USHER_REASON_MAX = 255,     // bytes of a reason that we send or keep, without its NUL
    USHER_ID_NONE = 0xffff,     // RC -1: never a session
};

enum record_type {
    RECORD_OPEN = 1,
    RECORD_OPEN_REPLY = -1,
    RECORD_CLOSE = 2,
    RECORD_SEND = 3,
    RECORD_SEND_UDP = 4,
    RECORD_ACK = 5,
    RECORD_END = 6,
    RECORD_RST = 7,
};

enum usher_protocol {
    USHER_ICMP = 1,
    USHER_TCP = 6,
    USHER_UDP = 17,
    USHER_ICMPV6 = 58,
    USHER_CONTROL = 255, // the control session (section 10): a stream, and no user's
};

enum usher_direction { USHER_READ = 0, USHER_WRITE = 1, USHER_BOTH = 2 };

struct record_header {
    uint32_t length; // of the body, at most USHER_BODY_MAX
    int16_t type;    // one of enum record_type
    uint16_t session;
};

// Where an UsherOpen wants to go. Either `addr` is set (version 4 travels as ADDRTYPE 1, version 6 as its text in a
// HOSTNAME) or `host` holds a name for the replier to resolve. A decoded HOSTNAME that is an IPv6 text form comes
// back in `addr`. `port` is the identifier for ICMP echo.
struct usher_open {
    uint16_t protocol;
    uint16_t port;
    struct address addr; // version 0: `host` counts
    bool by_name;        // came or goes as ADDRTYPE 2 (its UsherSendUdp carry zeros; protocol.md section 8)
    char host[USHER_HOST_MAX + 1];
};

// One datagram or echo. `from` and `to` of version 0 travel as zeros (associations opened by HOSTNAME). For ICMP echo
// from.port is the identifier and to.port the sequence number, in both directions.
struct usher_datagram {
    struct endpoint from;
    struct endpoint to;
    const uint8_t *bytes;
    size_t len;
};

// False when the header breaks section 2: a LENGTH that is negative or above USHER_BODY_MAX, or an unknown TYPE.
bool record_header_decode(struct record_header *out, const uint8_t bytes[USHER_HEADER_SIZE]);

// Encoders write header and body; on too little room `w->failed` is set and nothing may be sent.
void record_open_encode(struct writer *w, uint16_t session, const struct usher_open *open);
void record_open_reply_encode(struct writer *w, uint16_t session, uint16_t rc, const char *reason);
void record_close_encode(struct writer *w, uint16_t session, enum usher_direction direction);
void record_send_header_encode(struct writer *w, uint16_t session, size_t len); // the caller puts `len` bytes behind it
void record_send_udp_encode(struct writer *w, uint16_t session, const struct usher_datagram *datagram);
void record_ack_encode(struct writer *w, uint16_t session, uint16_t size);
void record_end_encode(struct writer *w, const char *reason);
void record_rst_encode(struct writer *w, uint16_t session, const char *reason);

// Decoders take a whole body; false means a protocol error.
bool record_open_decode(struct usher_open *out, const uint8_t *body, size_t len);
bool record_open_reply_decode(uint16_t *rc, const char **reason, const uint8_t *body, size_t len);
bool record_close_decode(enum usher_direction *out, const uint8_t *body, size_t len);
bool record_send_udp_decode(struct usher_datagram *out, const uint8_t *body, size_t len);
bool record_ack_decode(uint16_t *size, const uint8_t *body, size_t len);
bool record_reason_decode(const char **reason, const uint8_t *body, size_t len); // UsherEnd and UsherRST

#endif
