// SPDX-License-Identifier: GPL-2.0-or-later
// A message is always gathered whole, which copies it once: these are few and small.
#include "usher/control.h"

#include <string.h>

// Takes what is missing of the first `size` bytes; whether they are there now.
static bool gather(struct control_reader *reader, struct reader *in, uint32_t size)
{
    size_t missing = reader->len < size ? size - reader->len : 0;
    size_t len = missing < reader_left(in) ? missing : reader_left(in);
    memcpy(reader->bytes + reader->len, reader_bytes(in, len), len);
    reader->len += (uint32_t)len;
    return len == missing;
}

enum control_read control_read(struct control_reader *reader, struct reader *in, struct control_message *out)
{
    if (!gather(reader, in, CONTROL_HEADER_SIZE))
        return CONTROL_PARTIAL;
    struct reader head = reader_over(reader->bytes, CONTROL_HEADER_SIZE);
    out->type = reader_u8(&head);
    out->flags = reader_u8(&head);
    out->length = reader_u16(&head);
    out->body = reader->bytes + CONTROL_HEADER_SIZE;
    if (out->length > CONTROL_BODY_MAX)
        return CONTROL_TOO_LONG;
    if (!gather(reader, in, CONTROL_HEADER_SIZE + out->length))
        return CONTROL_PARTIAL;
    reader->len = 0;
    return CONTROL_WHOLE;
}

static struct reader body_of(const struct control_message *message)
{
    return reader_over(message->body, message->length);
}

static void header_encode(struct writer *w, enum control_type type, uint8_t flags, size_t length)
{
    writer_u8(w, (uint8_t)type);
    writer_u8(w, flags);
    writer_u16(w, (uint16_t)length);
}

static void text_encode(struct writer *w, const char *text, size_t len)
{
    writer_bytes(w, text, len);
    writer_u8(w, 0);
}

static const char *text_decode(struct reader *r, size_t max)
{
    const char *text = reader_text(r);
    return text && strlen(text) <= max ? text : NULL;
}

void control_hello_encode(struct writer *w, const struct control_hello *hello)
{
    size_t len = strnlen(hello->version, CONTROL_VERSION_MAX);
    header_encode(w, CONTROL_HELLO, 0, 4 + 4 + len + 1 + (hello->continues ? 8 : 0));
    writer_u32(w, hello->can);
    writer_u32(w, hello->sessions);
    text_encode(w, hello->version, len);
    if (hello->continues)
        writer_u64(w, hello->taken);
}

bool control_hello_decode(struct control_hello *out, const struct control_message *message)
{
    struct reader r = body_of(message);
    out->can = reader_u32(&r);
    out->sessions = reader_u32(&r);
    out->version = text_decode(&r, CONTROL_VERSION_MAX);
    out->continues = out->version && reader_left(&r) >= 8;
    out->taken = out->continues ? reader_u64(&r) : 0;
    return out->version;
}

void control_probe_encode(struct writer *w, const struct control_probe *probe)
{
    size_t len = strnlen(probe->name, CONTROL_NAME_MAX);
    header_encode(w, CONTROL_PROBE, 0, 4 + len + 1);
    writer_u32(w, probe->id);
    text_encode(w, probe->name, len);
}

bool control_probe_decode(struct control_probe *out, const struct control_message *message)
{
    struct reader r = body_of(message);
    out->id = reader_u32(&r);
    out->name = text_decode(&r, CONTROL_NAME_MAX);
    return out->name;
}

void control_answer_encode(struct writer *w, const struct control_answer *answer)
{
    header_encode(w, CONTROL_ANSWER, 0, 4 + 1 + 1 + 4);
    writer_u32(w, answer->id);
    writer_u8(w, (uint8_t)answer->status);
    writer_u8(w, answer->families);
    writer_u32(w, answer->ttl);
}

bool control_answer_decode(struct control_answer *out, const struct control_message *message)
{
    struct reader r = body_of(message);
    out->id = reader_u32(&r);
    uint8_t status = reader_u8(&r);
    out->families = reader_u8(&r) & (CONTROL_IPV4 | CONTROL_IPV6);
    out->ttl = reader_u32(&r);
    // One that is not known is of a later version, and says nothing to us.
    out->status = status < CONTROL_STATUSES ? (enum control_status)status : CONTROL_NAME_FAILED;
    return !r.failed;
}

void control_origin_encode(struct writer *w, const struct control_origin *origin)
{
    const struct address *addr = &origin->who.addr;
    size_t len = addr->version == 4 ? 4 : 16;
    header_encode(w, CONTROL_ORIGIN, 0, 2 + 2 + 2 + len);
    writer_u16(w, origin->session);
    writer_u16(w, origin->who.port);
    writer_u16(w, addr->version);
    writer_bytes(w, addr->bytes, len);
}

bool control_origin_decode(struct control_origin *out, const struct control_message *message)
{
    struct reader r = body_of(message);
    *out = (struct control_origin){.session = reader_u16(&r)};
    out->who.port = reader_u16(&r);
    uint16_t version = reader_u16(&r);
    if (version == 4 || version == 6) {
        const uint8_t *bytes = reader_bytes(&r, version == 4 ? 4 : 16);
        if (bytes)
            out->who.addr = version == 4 ? address_v4(bytes) : address_v6(bytes);
    }
    return !r.failed;
}

void control_ticket_encode(struct writer *w, const struct control_ticket *ticket)
{
    header_encode(w, CONTROL_TICKET, 0, sizeof ticket->number + 4);
    writer_bytes(w, ticket->number, sizeof ticket->number);
    writer_u32(w, ticket->seconds);
}

bool control_ticket_decode(struct control_ticket *out, const struct control_message *message)
{
    struct reader r = body_of(message);
    const uint8_t *number = reader_bytes(&r, sizeof out->number);
    out->seconds = reader_u32(&r);
    if (r.failed)
        return false;
    memcpy(out->number, number, sizeof out->number);
    return true;
}

void control_drain_encode(struct writer *w, const struct control_drain *drain)
{
    header_encode(w, CONTROL_DRAIN, 0, 1);
    writer_u8(w, drain->left);
}

bool control_drain_decode(struct control_drain *out, const struct control_message *message)
{
    struct reader r = body_of(message);
    out->left = reader_u8(&r) == 1;
    return !r.failed;
}

static void endpoint_encode(struct writer *w, const struct endpoint *end)
{
    static const uint8_t none[4];
    writer_bytes(w, end->addr.version == 4 ? end->addr.bytes : none, 4);
    writer_u16(w, end->port);
}

static struct endpoint endpoint_decode(struct reader *r)
{
    struct endpoint end = {0};
    const uint8_t *bytes = reader_bytes(r, 4);
    static const uint8_t none[4];
    if (bytes && memcmp(bytes, none, 4) != 0)
        end.addr = address_v4(bytes);
    end.port = reader_u16(r);
    return end;
}

void control_unreachable_encode(struct writer *w, const struct control_unreachable *unreachable)
{
    char reason[USHER_REASON_MAX + 1];
    usher_reason_write(reason, sizeof reason, unreachable->what.word, unreachable->what.text);
    header_encode(w, CONTROL_UNREACHABLE, 0, 2 + 2 * (4 + 2) + strlen(reason) + 1);
    writer_u16(w, unreachable->session);
    endpoint_encode(w, &unreachable->what.from);
    endpoint_encode(w, &unreachable->what.to);
    text_encode(w, reason, strlen(reason));
}

bool control_unreachable_decode(struct control_unreachable *out, const struct control_message *message)
{
    struct reader r = body_of(message);
    out->session = reader_u16(&r);
    out->what.from = endpoint_decode(&r);
    out->what.to = endpoint_decode(&r);
    const char *reason = text_decode(&r, USHER_REASON_MAX);
    if (!reason)
        return false;
    out->what.word = usher_reason_parse(reason, &out->what.text);
    return true;
}
