// SPDX-License-Identifier: GPL-2.0-or-later
// RFC 8446 sections 4.1.2 and 5.1, RFC 7301. The message is gathered out of its TLS records first, into a room of bounded
// size; then a cursor walks over it.
#include "link/tls/client_hello.h"

#include "base/cursor.h"

#include <string.h>

enum {
    RECORD_HANDSHAKE = 22,
    RECORD_HEADER = 5,
    MESSAGE_CLIENT_HELLO = 1,
    MESSAGE_HEADER = 4,
    VERSION_AND_RANDOM = 2 + 32,
    EXTENSION_ALPN = 16,
    LANE_PREFIX = sizeof CLIENT_HELLO_LANE - 1,
};

struct message {
    size_t len;
    uint8_t bytes[CLIENT_HELLO_MAX];
};

static size_t whole_size(const struct message *message)
{
    const uint8_t *at = message->bytes;
    return MESSAGE_HEADER + ((size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3]);
}

// What is missing of the message; 0: nothing.
static size_t missing(const struct message *message)
{
    if (message->len < MESSAGE_HEADER)
        return MESSAGE_HEADER - message->len;
    size_t whole = whole_size(message);
    return whole > message->len ? whole - message->len : 0;
}

// The message out of its records: TICKET when it is whole.
static enum client_hello gather(struct message *message, const uint8_t *bytes, size_t len)
{
    struct reader r = reader_over(bytes, len);
    size_t want;
    while ((want = missing(message)) > 0) {
        if (message->len + want > sizeof message->bytes)
            return CLIENT_HELLO_PLAIN;
        if (reader_left(&r) > 0 && *r.at != RECORD_HANDSHAKE)
            return CLIENT_HELLO_PLAIN;
        if (reader_left(&r) < RECORD_HEADER)
            return CLIENT_HELLO_PARTIAL;
        reader_bytes(&r, RECORD_HEADER - 2);
        size_t body = reader_u16(&r), there = body < reader_left(&r) ? body : reader_left(&r);
        size_t part = there < sizeof message->bytes - message->len ? there : sizeof message->bytes - message->len;
        if (body == 0)
            return CLIENT_HELLO_PLAIN;
        memcpy(message->bytes + message->len, reader_bytes(&r, there), part);
        message->len += part;
        if (message->len > 0 && message->bytes[0] != MESSAGE_CLIENT_HELLO)
            return CLIENT_HELLO_PLAIN;
    }
    message->len = whole_size(message); // what stands behind it in its last record is another's
    return CLIENT_HELLO_TICKET;
}

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_number(const uint8_t *hex, uint8_t number[TLS_TICKET_SIZE])
{
    for (size_t i = 0; i < TLS_TICKET_SIZE; i++) {
        int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        number[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

// The first name of that kind.
static bool find_lane(struct reader names, uint8_t number[TLS_TICKET_SIZE])
{
    while (reader_left(&names) > 0) {
        size_t len = reader_u8(&names);
        const uint8_t *name = reader_bytes(&names, len);
        if (!name)
            return false;
        if (len == LANE_PREFIX + 2 * TLS_TICKET_SIZE && !memcmp(name, CLIENT_HELLO_LANE, LANE_PREFIX) &&
            read_number(name + LANE_PREFIX, number))
            return true;
    }
    return false;
}

static void skip(struct reader *r, size_t len)
{
    reader_bytes(r, len);
}

static bool find_alpn(const struct message *message, uint8_t number[TLS_TICKET_SIZE])
{
    struct reader r = reader_over(message->bytes, message->len);
    skip(&r, MESSAGE_HEADER + VERSION_AND_RANDOM);
    skip(&r, reader_u8(&r));  // session
    skip(&r, reader_u16(&r)); // ciphers
    skip(&r, reader_u8(&r));  // compressions
    size_t all = reader_u16(&r);
    if (r.failed || all > reader_left(&r))
        return false;
    r = reader_over(r.at, all);
    while (!r.failed && reader_left(&r) > 0) {
        uint16_t type = reader_u16(&r);
        size_t len = reader_u16(&r);
        const uint8_t *body = reader_bytes(&r, len);
        if (!body || type != EXTENSION_ALPN)
            continue;
        struct reader names = reader_over(body, len);
        return reader_u16(&names) == len - 2 && find_lane(names, number);
    }
    return false;
}

enum client_hello client_hello_look(const uint8_t *bytes, size_t len, uint8_t number[TLS_TICKET_SIZE])
{
    struct message message = {0};
    enum client_hello result = gather(&message, bytes, len);
    if (result != CLIENT_HELLO_TICKET)
        return result;
    return find_alpn(&message, number) ? CLIENT_HELLO_TICKET : CLIENT_HELLO_PLAIN;
}
