// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/listen/socks/message.h"

#include "base/cursor.h"

#include <string.h>

enum { ADDRESS_V4 = 1, ADDRESS_NAME = 3, ADDRESS_V6 = 4 }; // RFC 1928 section 5

static enum socks_parsed parsed(const struct reader *r, const uint8_t *bytes, size_t len, size_t *used)
{
    if (r->failed)
        return len >= SOCKS_MESSAGE_MAX ? SOCKS_BROKEN : SOCKS_PARTIAL;
    *used = (size_t)(r->at - bytes);
    return SOCKS_WHOLE;
}

enum socks_parsed socks_greeting_parse(struct socks_greeting *out, const uint8_t *bytes, size_t len, size_t *used)
{
    struct reader r = reader_over(bytes, len);
    uint8_t version = reader_u8(&r);
    uint8_t count = reader_u8(&r);
    const uint8_t *methods = reader_bytes(&r, count);
    *out = (struct socks_greeting){0};
    if (len > 0 && version != 5)
        return SOCKS_BROKEN;
    for (size_t i = 0; methods && i < count; i++) {
        out->offers_none |= methods[i] == SOCKS_METHOD_NONE;
        out->offers_password |= methods[i] == SOCKS_METHOD_PASSWORD;
    }
    return parsed(&r, bytes, len, used);
}

// A text behind its length, without a NUL in it.
static bool take_text(struct reader *r, char *room)
{
    uint8_t len = reader_u8(r);
    const uint8_t *text = reader_bytes(r, len);
    if (!text)
        return true; // not there yet
    memcpy(room, text, len);
    room[len] = '\0';
    return strlen(room) == len;
}

enum socks_parsed socks_password_parse(struct socks_password *out, const uint8_t *bytes, size_t len, size_t *used)
{
    struct reader r = reader_over(bytes, len);
    uint8_t version = reader_u8(&r);
    *out = (struct socks_password){0};
    if (len > 0 && version != 1)
        return SOCKS_BROKEN;
    if (!take_text(&r, out->user) || !take_text(&r, out->password))
        return SOCKS_BROKEN;
    return parsed(&r, bytes, len, used);
}

static void take_address(struct reader *r, struct address *out, uint8_t version)
{
    const uint8_t *bytes = reader_bytes(r, version == 4 ? 4 : 16);
    if (bytes)
        *out = version == 4 ? address_v4(bytes) : address_v6(bytes);
}

// False when it is malformed, whatever follows.
static bool take_target(struct reader *r, struct socks_target *out)
{
    uint8_t type = reader_u8(r);
    bool good = r->failed;
    if (type == ADDRESS_V4 || type == ADDRESS_V6) {
        take_address(r, &out->addr, type == ADDRESS_V4 ? 4 : 6);
        good = true;
    } else if (type == ADDRESS_NAME) {
        good = take_text(r, out->host) && (r->failed || out->host[0] != '\0');
    }
    out->port = reader_u16(r);
    // Some clients send every far end as a name.
    if (!r->failed && out->host[0] != '\0' && address_parse(&out->addr, out->host))
        out->host[0] = '\0';
    return good;
}

// Version 4: 0.0.0.x with x > 0 says that a host name follows the user (version 4a).
static bool take_request4(struct reader *r, struct socks_request *out)
{
    out->command = reader_u8(r);
    out->target.port = reader_u16(r);
    const uint8_t *addr = reader_bytes(r, 4);
    const char *user = reader_text(r);
    if (!addr || !user)
        return true;
    if (addr[0] || addr[1] || addr[2] || !addr[3]) {
        out->target.addr = address_v4(addr);
        return true;
    }
    const char *host = reader_text(r);
    if (!host)
        return true;
    size_t len = strlen(host);
    if (len == 0 || len > SOCKS_TEXT_MAX)
        return false;
    memcpy(out->target.host, host, len + 1);
    if (address_parse(&out->target.addr, host))
        out->target.host[0] = '\0';
    return true;
}

static bool take_request5(struct reader *r, struct socks_request *out)
{
    out->command = reader_u8(r);
    reader_u8(r); // reserved
    return take_target(r, &out->target);
}

enum socks_parsed socks_request_parse(struct socks_request *out, const uint8_t *bytes, size_t len, size_t *used)
{
    struct reader r = reader_over(bytes, len);
    *out = (struct socks_request){.version = reader_u8(&r)};
    if (r.failed)
        return SOCKS_PARTIAL;
    bool good = out->version == 4 ? take_request4(&r, out) : out->version == 5 ? take_request5(&r, out) : false;
    return good ? parsed(&r, bytes, len, used) : SOCKS_BROKEN;
}

enum socks_outcome socks_outcome_of(enum usher_word word, const char *text)
{
    switch (word) {
    case USHER_REFUSED:
        return SOCKS_REFUSED;
    case USHER_UNREACHABLE:
        return strncmp(text, "net", 3) == 0 ? SOCKS_NO_NET : SOCKS_NO_HOST;
    case USHER_RESOLVE:
        return SOCKS_NO_HOST;
    case USHER_TIMEOUT:
        return SOCKS_TIMEOUT;
    case USHER_DENIED:
        return SOCKS_DENIED;
    default:
        return SOCKS_FAILED;
    }
}

static void put_endpoint(struct writer *w, const struct address *addr, uint16_t port)
{
    writer_u8(w, addr->version == 6 ? ADDRESS_V6 : ADDRESS_V4);
    writer_bytes(w, addr->bytes, addr->version == 6 ? 16 : 4);
    writer_u16(w, port);
}

size_t socks_reply_write(uint8_t room[SOCKS_REPLY_MAX], uint8_t version, enum socks_outcome outcome,
                         const struct endpoint *bound)
{
    static const uint8_t codes[SOCKS_OUTCOMES] = {
        // RFC 1928 section 6. "TTL expired" is what is said of a far end that does not answer.
        [SOCKS_GRANTED] = 0, [SOCKS_FAILED] = 1,  [SOCKS_DENIED] = 2,  [SOCKS_NO_NET] = 3,
        [SOCKS_NO_HOST] = 4, [SOCKS_REFUSED] = 5, [SOCKS_TIMEOUT] = 6, [SOCKS_NO_COMMAND] = 7,
    };
    struct writer w = writer_over(room, SOCKS_REPLY_MAX);
    if (version == 4) {
        writer_u8(&w, 0);
        writer_u8(&w, outcome == SOCKS_GRANTED ? 0x5a : 0x5b);
        writer_u16(&w, 0);
        writer_u32(&w, 0);
    } else {
        writer_u8(&w, 5);
        writer_u8(&w, codes[outcome]);
        writer_u8(&w, 0);
        put_endpoint(&w, &bound->addr, bound->port);
    }
    return SOCKS_REPLY_MAX - writer_left(&w);
}

bool socks_datagram_parse(struct socks_target *out, const uint8_t *bytes, size_t len, size_t *used)
{
    struct reader r = reader_over(bytes, len);
    *out = (struct socks_target){0};
    reader_u16(&r); // reserved
    bool fragment = reader_u8(&r) != 0;
    if (!take_target(&r, out) || r.failed || fragment)
        return false;
    *used = (size_t)(r.at - bytes);
    return true;
}

size_t socks_datagram_write(uint8_t room[SOCKS_UDP_HEADER_MAX], const struct socks_target *from)
{
    struct writer w = writer_over(room, SOCKS_UDP_HEADER_MAX);
    writer_u16(&w, 0);
    writer_u8(&w, 0);
    if (from->addr.version) {
        put_endpoint(&w, &from->addr, from->port);
    } else {
        size_t len = strlen(from->host);
        writer_u8(&w, ADDRESS_NAME);
        writer_u8(&w, (uint8_t)len);
        writer_bytes(&w, from->host, len);
        writer_u16(&w, from->port);
    }
    return SOCKS_UDP_HEADER_MAX - writer_left(&w);
}
