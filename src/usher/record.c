// SPDX-License-Identifier: GPL-2.0-or-later
// Encode and decode of every record. Each decoder accepts exactly what doc/PROTOCOL.md section 2 allows: the fixed
// fields, the text with its NUL where one belongs, and not a byte more.
#include "usher/record.h"

#include <string.h>

enum { ADDRTYPE_IPV4 = 1, ADDRTYPE_HOSTNAME = 2 };

static bool is_known(int16_t type)
{
    return type == RECORD_OPEN_REPLY || (type >= RECORD_OPEN && type <= RECORD_RST);
}

static bool all_read(const struct reader *r)
{
    return !r->failed && reader_left(r) == 0;
}

bool record_header_decode(struct record_header *out, const uint8_t bytes[USHER_HEADER_SIZE])
{
    struct reader r = reader_over(bytes, USHER_HEADER_SIZE);
    out->length = reader_u32(&r); // a negative LENGTH is a large one here, and refused as such
    out->type = (int16_t)reader_u16(&r);
    out->session = reader_u16(&r);
    return out->length <= USHER_BODY_MAX && is_known(out->type);
}

static void header_encode(struct writer *w, size_t length, enum record_type type, uint16_t session)
{
    writer_u32(w, (uint32_t)length);
    writer_u16(w, (uint16_t)type);
    writer_u16(w, session);
}

// Reasons are cut on the way out, so that no caller has to count.
static size_t reason_length(const char *reason)
{
    return strnlen(reason, USHER_REASON_MAX);
}

static void reason_encode(struct writer *w, const char *reason)
{
    writer_bytes(w, reason, reason_length(reason));
    writer_u8(w, 0);
}

// UsherOpen

static void open_address_encode(struct writer *w, uint16_t session, const struct usher_open *open)
{
    header_encode(w, 3 * 2 + 4, RECORD_OPEN, session);
    writer_u16(w, open->protocol);
    writer_u16(w, ADDRTYPE_IPV4);
    writer_u16(w, open->port);
    writer_bytes(w, open->addr.bytes, 4);
}

void record_open_encode(struct writer *w, uint16_t session, const struct usher_open *open)
{
    char text[ADDRESS_TEXT_SIZE];
    const char *host = open->addr.version == 0 ? open->host : address_text(&open->addr, text);
    if (open->addr.version == 4 && !open->by_name) {
        open_address_encode(w, session, open);
        return;
    }
    if (*host == '\0') {
        w->failed = true; // nowhere to go: not a record
        return;
    }
    header_encode(w, 3 * 2 + strlen(host) + 1, RECORD_OPEN, session);
    writer_u16(w, open->protocol);
    writer_u16(w, ADDRTYPE_HOSTNAME);
    writer_u16(w, open->port);
    writer_text(w, host);
}

static bool host_decode(struct usher_open *out, struct reader *r)
{
    const char *host = reader_text(r);
    struct address addr;
    if (!host || *host == '\0' || strlen(host) > USHER_HOST_MAX)
        return false;
    out->by_name = true;
    if (address_parse(&addr, host) && addr.version == 6)
        out->addr = addr;
    else
        memcpy(out->host, host, strlen(host) + 1);
    return true;
}

bool record_open_decode(struct usher_open *out, const uint8_t *body, size_t len)
{
    struct reader r = reader_over(body, len);
    const uint8_t *ipv4;
    memset(out, 0, sizeof *out);
    out->protocol = reader_u16(&r);
    uint16_t addrtype = reader_u16(&r);
    out->port = reader_u16(&r);
    switch (addrtype) {
    case ADDRTYPE_IPV4:
        ipv4 = reader_bytes(&r, 4);
        if (!ipv4)
            return false;
        out->addr = address_v4(ipv4);
        break;
    case ADDRTYPE_HOSTNAME:
        if (!host_decode(out, &r))
            return false;
        break;
    default:
        return false;
    }
    return all_read(&r);
}

// UsherOpenReply

void record_open_reply_encode(struct writer *w, uint16_t session, uint16_t rc, const char *reason)
{
    header_encode(w, 2 + reason_length(reason) + 1, RECORD_OPEN_REPLY, session);
    writer_u16(w, rc);
    reason_encode(w, reason);
}

bool record_open_reply_decode(uint16_t *rc, const char **reason, const uint8_t *body, size_t len)
{
    struct reader r = reader_over(body, len);
    *rc = reader_u16(&r);
    *reason = "";
    if (reader_left(&r) > 0 || *rc == USHER_ID_NONE)
        *reason = reader_text(&r);
    return all_read(&r);
}

// UsherClose

void record_close_encode(struct writer *w, uint16_t session, enum usher_direction direction)
{
    header_encode(w, 2, RECORD_CLOSE, session);
    writer_u16(w, (uint16_t)direction);
}

bool record_close_decode(enum usher_direction *out, const uint8_t *body, size_t len)
{
    struct reader r = reader_over(body, len);
    uint16_t direction = reader_u16(&r);
    if (direction > USHER_BOTH)
        return false;
    *out = (enum usher_direction)direction;
    return all_read(&r);
}

// UsherSend

void record_send_header_encode(struct writer *w, uint16_t session, size_t len)
{
    header_encode(w, len, RECORD_SEND, session);
}

// UsherSendUdp

// IPv6 does not fit: associations with an IPv6 end were opened by HOSTNAME and carry zeros.
static void endpoint_encode(struct writer *w, const struct endpoint *ep)
{
    static const uint8_t none[4];
    writer_bytes(w, ep->addr.version == 4 ? ep->addr.bytes : none, 4);
    writer_u16(w, ep->port);
}

static void endpoint_decode(struct endpoint *out, struct reader *r)
{
    static const uint8_t none[4];
    const uint8_t *addr = reader_bytes(r, 4);
    memset(out, 0, sizeof *out);
    if (addr && memcmp(addr, none, 4) != 0)
        out->addr = address_v4(addr);
    out->port = reader_u16(r);
}

void record_send_udp_encode(struct writer *w, uint16_t session, const struct usher_datagram *datagram)
{
    header_encode(w, USHER_DATAGRAM_FIXED + datagram->len, RECORD_SEND_UDP, session);
    endpoint_encode(w, &datagram->from);
    endpoint_encode(w, &datagram->to);
    writer_bytes(w, datagram->bytes, datagram->len);
}

bool record_send_udp_decode(struct usher_datagram *out, const uint8_t *body, size_t len)
{
    struct reader r = reader_over(body, len);
    endpoint_decode(&out->from, &r);
    endpoint_decode(&out->to, &r);
    out->len = reader_left(&r);
    out->bytes = reader_bytes(&r, out->len);
    return !r.failed && out->len <= USHER_DATAGRAM_MAX;
}

// UsherAck

void record_ack_encode(struct writer *w, uint16_t session, uint16_t size)
{
    header_encode(w, 2, RECORD_ACK, session);
    writer_u16(w, size);
}

bool record_ack_decode(uint16_t *size, const uint8_t *body, size_t len)
{
    struct reader r = reader_over(body, len);
    *size = reader_u16(&r);
    return all_read(&r);
}

// UsherEnd and UsherRST

void record_end_encode(struct writer *w, const char *reason)
{
    header_encode(w, reason_length(reason) + 1, RECORD_END, 0);
    reason_encode(w, reason);
}

void record_rst_encode(struct writer *w, uint16_t session, const char *reason)
{
    header_encode(w, reason_length(reason) + 1, RECORD_RST, session);
    reason_encode(w, reason);
}

bool record_reason_decode(const char **reason, const uint8_t *body, size_t len)
{
    struct reader r = reader_over(body, len);
    *reason = reader_text(&r);
    return all_read(&r);
}
