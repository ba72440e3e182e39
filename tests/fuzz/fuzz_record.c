// SPDX-License-Identifier: GPL-2.0-or-later
// Every decoder on any body: the first byte says which. What a decoder accepts must come back the same from its encoder.
#include "usher/record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t room[USHER_HEADER_SIZE + USHER_BODY_MAX + 1];

static void require(bool condition)
{
    if (!condition)
        abort();
}

// The body that was just encoded, by its own header.
static size_t encoded(const struct writer *w, enum record_type type)
{
    struct record_header header;
    require(!w->failed);
    require(record_header_decode(&header, room));
    require(header.type == type && header.session == 0x1234);
    require((size_t)(w->at - room) == USHER_HEADER_SIZE + header.length);
    return header.length;
}

static void try_open(const uint8_t *body, size_t len)
{
    struct writer w = writer_over(room, sizeof room);
    struct usher_open open, back;
    if (!record_open_decode(&open, body, len))
        return;
    require(open.addr.version == 4 ? !open.by_name : open.by_name);
    require(open.addr.version != 0 || open.host[0] != '\0');
    record_open_encode(&w, 0x1234, &open);
    require(record_open_decode(&back, room + USHER_HEADER_SIZE, encoded(&w, RECORD_OPEN)));
    require(memcmp(&open, &back, sizeof open) == 0);
}

static void try_reply(const uint8_t *body, size_t len)
{
    struct writer w = writer_over(room, sizeof room);
    const char *reason, *reason_back;
    uint16_t rc, rc_back;
    if (!record_open_reply_decode(&rc, &reason, body, len))
        return;
    record_open_reply_encode(&w, 0x1234, rc, reason);
    size_t len_back = encoded(&w, RECORD_OPEN_REPLY);
    require(record_open_reply_decode(&rc_back, &reason_back, room + USHER_HEADER_SIZE, len_back));
    require(rc == rc_back && strncmp(reason, reason_back, USHER_REASON_MAX) == 0);
}

static void try_close(const uint8_t *body, size_t len)
{
    struct writer w = writer_over(room, sizeof room);
    enum usher_direction direction;
    if (!record_close_decode(&direction, body, len))
        return;
    record_close_encode(&w, 0x1234, direction);
    require(encoded(&w, RECORD_CLOSE) == len && memcmp(room + USHER_HEADER_SIZE, body, len) == 0);
}

static void try_ack(const uint8_t *body, size_t len)
{
    struct writer w = writer_over(room, sizeof room);
    uint16_t size;
    if (!record_ack_decode(&size, body, len))
        return;
    record_ack_encode(&w, 0x1234, size);
    require(encoded(&w, RECORD_ACK) == len && memcmp(room + USHER_HEADER_SIZE, body, len) == 0);
}

static void try_datagram(const uint8_t *body, size_t len)
{
    struct writer w = writer_over(room, sizeof room);
    struct usher_datagram datagram;
    if (!record_send_udp_decode(&datagram, body, len))
        return;
    record_send_udp_encode(&w, 0x1234, &datagram);
    require(encoded(&w, RECORD_SEND_UDP) == len && memcmp(room + USHER_HEADER_SIZE, body, len) == 0);
}

static void try_reason(const uint8_t *body, size_t len)
{
    struct writer w = writer_over(room, sizeof room);
    const char *reason;
    if (!record_reason_decode(&reason, body, len))
        return;
    require(strlen(reason) == len - 1);
    record_rst_encode(&w, 0x1234, reason);
    encoded(&w, RECORD_RST);
}

static void try_header(const uint8_t *body, size_t len)
{
    struct record_header header;
    if (len >= USHER_HEADER_SIZE && record_header_decode(&header, body))
        require(header.length <= USHER_BODY_MAX && header.type >= RECORD_OPEN_REPLY && header.type <= RECORD_RST);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(const uint8_t *, size_t) = {try_open,     try_reply,  try_close, try_ack,
                                                             try_datagram, try_reason, try_header};
    if (size > 0 && size <= USHER_BODY_MAX)
        tries[data[0] % (sizeof tries / sizeof tries[0])](data + 1, size - 1);
    return 0;
}
