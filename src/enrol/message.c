// SPDX-License-Identifier: GPL-2.0-or-later
// A request for a certificate is a statement and a signature over it. The statement begins with words of its own, so that no
// other signature of that key (a handshake's, say) can be taken for one.
#include "enrol/message.h"

#include "base/cursor.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

static const char words[] = "usher-enrol/1"; // with its NUL

enum { GIVEN = 0, REFUSED = 1 };

size_t enrol_length(const uint8_t head[ENROL_LENGTH], size_t max)
{
    struct reader reader = reader_over(head, ENROL_LENGTH);
    size_t len = reader_u32(&reader);
    return len <= max ? len : 0;
}

static struct blob begin(struct writer *writer, size_t len)
{
    struct blob out = {.bytes = memory_new(ENROL_LENGTH + len + 1), .len = ENROL_LENGTH + len};
    *writer = writer_over(out.bytes, out.len);
    writer_u32(writer, (uint32_t)len);
    return out;
}

static void write_span(struct writer *writer, const struct span *span)
{
    writer_u16(writer, (uint16_t)span->len);
    writer_bytes(writer, span->bytes, span->len);
}

struct blob enrol_statement(const struct span *certificate, const struct span *request)
{
    struct blob out = {.len = sizeof words + 1 + 2 + certificate->len + 2 + request->len};
    out.bytes = memory_new(out.len + 1);
    struct writer writer = writer_over(out.bytes, out.len);
    writer_text(&writer, words);
    writer_u8(&writer, ENROL_CERTIFICATE);
    write_span(&writer, certificate);
    write_span(&writer, request);
    return out;
}

struct blob enrol_request_write(const struct blob *statement, const struct span *signature)
{
    struct writer writer;
    struct blob out = begin(&writer, statement->len + 2 + signature->len);
    writer_bytes(&writer, statement->bytes, statement->len);
    write_span(&writer, signature);
    return out;
}

struct blob enrol_list_request_write(void)
{
    struct writer writer;
    struct blob out = begin(&writer, sizeof words + 1);
    writer_text(&writer, words);
    writer_u8(&writer, ENROL_LIST);
    return out;
}

struct blob enrol_answer_write(const struct enrol_answer *answer)
{
    struct writer writer;
    struct blob out;
    if (answer->given) {
        out = begin(&writer, 1 + 4 + answer->certificate.len + 4 + answer->list.len);
        writer_u8(&writer, GIVEN);
        writer_u32(&writer, (uint32_t)answer->certificate.len);
        writer_bytes(&writer, answer->certificate.bytes, answer->certificate.len);
        writer_u32(&writer, (uint32_t)answer->list.len);
        writer_bytes(&writer, answer->list.bytes, answer->list.len);
    } else {
        out = begin(&writer, 1 + strlen(answer->why) + 1);
        writer_u8(&writer, REFUSED);
        writer_text(&writer, answer->why);
    }
    return out;
}

static struct span read_span(struct reader *reader, size_t len)
{
    return (struct span){reader_bytes(reader, len), len};
}

static bool is_begun(struct reader *reader)
{
    const char *text = reader_text(reader);
    return text && !strcmp(text, words);
}

bool enrol_request_read(struct enrol_request *out, const uint8_t *bytes, size_t len)
{
    struct reader reader = reader_over(bytes, len);
    *out = (struct enrol_request){0};
    if (!is_begun(&reader))
        return false;
    out->kind = (enum enrol_kind)reader_u8(&reader);
    if (out->kind == ENROL_LIST)
        return !reader.failed && !reader_left(&reader);
    out->certificate = read_span(&reader, reader_u16(&reader));
    out->request = read_span(&reader, reader_u16(&reader));
    out->statement = (struct span){bytes, len - reader_left(&reader)};
    out->signature = read_span(&reader, reader_u16(&reader));
    return out->kind == ENROL_CERTIFICATE && !reader.failed && !reader_left(&reader);
}

bool enrol_answer_read(struct enrol_answer *out, const uint8_t *bytes, size_t len)
{
    struct reader reader = reader_over(bytes, len);
    *out = (struct enrol_answer){0};
    uint8_t result = reader_u8(&reader);
    out->given = result == GIVEN;
    if (out->given) {
        out->certificate = read_span(&reader, reader_u32(&reader));
        out->list = read_span(&reader, reader_u32(&reader));
    } else {
        const char *why = reader_text(&reader);
        snprintf(out->why, sizeof out->why, "%s", why ? why : "");
    }
    return result <= REFUSED && !reader.failed && !reader_left(&reader);
}
