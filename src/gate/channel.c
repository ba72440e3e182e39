// SPDX-License-Identifier: GPL-2.0-or-later
// Encoding is for our own; decoding trusts nobody: lengths are exact, texts end within the message, numbers fit.

#include "gate/channel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void put_locals(struct writer *w, const struct channel_message *message)
{
    writer_u32(w, (uint32_t)message->locals.count);
    for (size_t i = 0; i < message->locals.count; i++) {
        const struct prefix *prefix = &message->locals.prefixes[i];
        writer_u8(w, prefix->addr.version);
        writer_u8(w, prefix->len);
        writer_bytes(w, prefix->addr.bytes, sizeof prefix->addr.bytes);
    }
}

static void get_locals(struct reader *r, struct channel_message *out)
{
    uint32_t count = reader_u32(r);
    if (count > CHANNEL_LOCALS_MAX) {
        r->failed = true;
        return;
    }
    out->locals.count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct prefix *prefix = &out->locals.prefixes[i];
        uint8_t version = prefix->addr.version = reader_u8(r);
        prefix->len = reader_u8(r);
        const uint8_t *bytes = reader_bytes(r, sizeof prefix->addr.bytes);
        if (!bytes || (version != 4 && version != 6) || prefix->len > (version == 4 ? 32 : 128)) {
            r->failed = true;
            return;
        }
        memcpy(prefix->addr.bytes, bytes, sizeof prefix->addr.bytes);
    }
}

static void get_text(struct reader *r, char *room, size_t size)
{
    const char *text = reader_text(r);
    if (!text || strlen(text) >= size) {
        r->failed = true;
        return;
    }
    strcpy(room, text);
}

static void get_facts(struct reader *r, struct channel_message *out)
{
    out->facts.sessions = reader_u32(r);
    out->facts.bytes_in = reader_u64(r);
    out->facts.bytes_out = reader_u64(r);
    size_t len = reader_left(r);
    const uint8_t *bytes = reader_bytes(r, len);
    if (r->failed)
        return;
    struct reader check = reader_over(bytes, len);
    if (len > sizeof out->facts.bytes || !facts_wire_read(&check, NULL)) {
        r->failed = true;
        return;
    }
    out->facts.len = len;
    memcpy(out->facts.bytes, bytes, len);
}

size_t channel_encode(const struct channel_message *message, uint8_t *room, size_t size)
{
    struct writer w = writer_over(room, size);
    writer_u8(&w, (uint8_t)message->type);
    switch (message->type) {
    case CHANNEL_LOCALS:
        put_locals(&w, message);
        break;
    case CHANNEL_POLL:
        break;
    case CHANNEL_END:
    case CHANNEL_REFUSED:
        writer_text(&w, message->text);
        break;
    case CHANNEL_UP:
        writer_text(&w, message->up.name);
        writer_text(&w, message->up.serial);
        writer_text(&w, message->up.cipher);
        writer_u64(&w, message->up.expires);
        break;
    case CHANNEL_FACTS:
        writer_u32(&w, message->facts.sessions);
        writer_u64(&w, message->facts.bytes_in);
        writer_u64(&w, message->facts.bytes_out);
        writer_bytes(&w, message->facts.bytes, message->facts.len);
        break;
    }
    return w.failed ? 0 : size - writer_left(&w);
}

bool channel_decode(struct channel_message *out, const uint8_t *bytes, size_t len)
{
    struct reader r = reader_over(bytes, len);
    out->type = (enum channel_type)reader_u8(&r);
    switch (out->type) {
    case CHANNEL_LOCALS:
        get_locals(&r, out);
        break;
    case CHANNEL_POLL:
        break;
    case CHANNEL_END:
    case CHANNEL_REFUSED:
        get_text(&r, out->text, sizeof out->text);
        break;
    case CHANNEL_UP:
        get_text(&r, out->up.name, sizeof out->up.name);
        get_text(&r, out->up.serial, sizeof out->up.serial);
        get_text(&r, out->up.cipher, sizeof out->up.cipher);
        out->up.expires = reader_u64(&r);
        break;
    case CHANNEL_FACTS:
        get_facts(&r, out);
        break;
    default:
        return false;
    }
    return !r.failed && reader_left(&r) == 0;
}

bool channel_send(int fd, const struct channel_message *message)
{
    uint8_t room[CHANNEL_BYTES_MAX];
    size_t len = channel_encode(message, room, sizeof room);
    if (!len) {
        errno = EMSGSIZE;
        return false;
    }
    return send(fd, room, len, MSG_NOSIGNAL) == (ssize_t)len;
}

enum channel_result channel_receive(int fd, struct channel_message *out)
{
    uint8_t room[CHANNEL_BYTES_MAX];
    ssize_t len;
    do
        len = recv(fd, room, sizeof room, MSG_TRUNC);
    while (len < 0 && errno == EINTR);
    if (len < 0)
        return errno == EAGAIN ? CHANNEL_EMPTY : CHANNEL_CLOSED;
    if (len == 0)
        return CHANNEL_CLOSED;
    return (size_t)len <= sizeof room && channel_decode(out, room, (size_t)len) ? CHANNEL_TAKEN : CHANNEL_BROKEN;
}
