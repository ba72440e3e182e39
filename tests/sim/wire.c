// SPDX-License-Identifier: GPL-2.0-or-later
// One table by id. Only what goes out is judged: what comes in has been judged at the other side.
#include "wire.h"

#include "base/memory.h"
#include "check.h"
#include "usher/engine.h"
#include "usher/record.h"

#include <stdlib.h>
#include <string.h>

enum use { UNUSED, ASKED, OFFERED, OPEN };

struct id {
    enum use use;  // ASKED: our open waits; OFFERED: the peer's does
    bool given_up; // by the opener, before the answer
    bool stream;
    bool said_end; // our Close(READ)
    bool heard_end;
    uint64_t credit; // what we may still send
};

struct parser {
    uint8_t bytes[USHER_HEADER_SIZE + USHER_BODY_MAX];
    size_t have;
    bool begun; // the header of the record at `bytes` was judged
};

struct wire {
    bool server;
    bool ended;
    struct id ids[65536];
    struct parser out;
    struct parser in;
};

struct wire *wire_new(bool server)
{
    struct wire *wire = memory_new(sizeof *wire);
    wire->server = server;
    return wire;
}

void wire_free(struct wire *wire)
{
    free(wire);
}

static uint16_t first16(const uint8_t *body)
{
    return (uint16_t)(body[0] << 8 | body[1]);
}

static struct id fresh(enum use use, const uint8_t *body)
{
    return (struct id){.use = use, .stream = first16(body) == USHER_TCP, .credit = USHER_WINDOW_START};
}

static void close_if_over(struct id *id)
{
    if (id->said_end && id->heard_end)
        id->use = UNUSED;
}

static void sent_open(struct wire *wire, const struct record_header *header, struct id *id, const uint8_t *body)
{
    CHECK(header->session != 0 && header->session != USHER_ID_NONE);
    CHECK((header->session & 1) == wire->server);
    CHECK(id->use == UNUSED);
    *id = fresh(ASKED, body);
}

static void sent_reply(const struct record_header *header, struct id *id, const uint8_t *body)
{
    CHECK(id->use == OFFERED);
    CHECK(!id->given_up || first16(body) == USHER_ID_NONE);
    CHECK(first16(body) == header->session || first16(body) == USHER_ID_NONE);
    id->use = first16(body) == USHER_ID_NONE ? UNUSED : OPEN;
}

static void sent_send(const struct record_header *header, struct id *id)
{
    CHECK(id->use == OPEN && id->stream && !id->said_end);
    CHECK(header->length >= 1 && header->length <= USHER_SEND_MAX);
    CHECK(header->length <= id->credit);
    id->credit -= header->length;
}

static void sent_close(struct id *id, const uint8_t *body)
{
    CHECK(id->use == OPEN && !id->said_end);
    CHECK(first16(body) == USHER_READ || first16(body) == USHER_BOTH);
    id->said_end = true;
    close_if_over(id);
}

static void sent_rst(struct id *id)
{
    CHECK(id->use == OPEN || (id->use == ASKED && !id->given_up));
    id->given_up = true;
    if (id->use == OPEN)
        id->use = UNUSED;
}

static void judge(struct wire *wire, const struct record_header *header, const uint8_t *body)
{
    struct id *id = &wire->ids[header->session];
    CHECK(!wire->ended);
    switch ((enum record_type)header->type) {
    case RECORD_OPEN:
        sent_open(wire, header, id, body);
        break;
    case RECORD_OPEN_REPLY:
        sent_reply(header, id, body);
        break;
    case RECORD_CLOSE:
        sent_close(id, body);
        break;
    case RECORD_SEND:
        sent_send(header, id);
        break;
    case RECORD_SEND_UDP:
        break; // when it began
    case RECORD_ACK:
        CHECK(first16(body) == 0 ? header->session == 0 : id->use == OPEN && id->stream && !id->heard_end);
        break;
    case RECORD_END:
        wire->ended = true;
        break;
    case RECORD_RST:
        sent_rst(id);
        break;
    }
}

// A datagram may be cut by the end of the room: what counts is when its header went.
static void judge_begin(struct wire *wire, const struct record_header *header)
{
    const struct id *id = &wire->ids[header->session];
    if (header->type == RECORD_SEND_UDP)
        CHECK(id->use == OPEN && !id->stream && !id->said_end);
}

static void heard_reply(struct id *id, const uint8_t *body)
{
    CHECK(id->use == ASKED);
    id->use = first16(body) == USHER_ID_NONE ? UNUSED : OPEN;
}

static void heard_close(struct id *id, const uint8_t *body)
{
    if (id->use == UNUSED || id->use == ASKED)
        return; // left-overs
    if (id->use == OFFERED) {
        id->given_up = true;
    } else if (first16(body) != USHER_WRITE) {
        id->heard_end = true;
        close_if_over(id);
    }
}

static void heard_rst(struct id *id)
{
    if (id->use == OFFERED)
        id->given_up = true;
    if (id->use == OPEN)
        id->use = UNUSED;
}

static void note(struct wire *wire, const struct record_header *header, const uint8_t *body)
{
    struct id *id = &wire->ids[header->session];
    switch ((enum record_type)header->type) {
    case RECORD_OPEN:
        CHECK(id->use == UNUSED);
        *id = fresh(OFFERED, body);
        break;
    case RECORD_OPEN_REPLY:
        heard_reply(id, body);
        break;
    case RECORD_CLOSE:
        heard_close(id, body);
        break;
    case RECORD_ACK:
        if (id->use == OPEN)
            id->credit += first16(body);
        break;
    case RECORD_RST:
        heard_rst(id);
        break;
    case RECORD_SEND:
    case RECORD_SEND_UDP:
    case RECORD_END:
        break;
    }
}

typedef void visit(struct wire *wire, const struct record_header *header, const uint8_t *body);

// Hands over every record that is whole and returns true as long as there was one.
static bool parse_one(struct wire *wire, struct parser *parser, visit *visit)
{
    struct record_header header;
    if (parser->have < USHER_HEADER_SIZE)
        return false;
    CHECK(record_header_decode(&header, parser->bytes));
    if (!parser->begun && visit == judge)
        judge_begin(wire, &header);
    parser->begun = true;
    size_t len = USHER_HEADER_SIZE + header.length;
    if (parser->have < len)
        return false;
    visit(wire, &header, parser->bytes + USHER_HEADER_SIZE);
    parser->begun = false;
    parser->have -= len;
    memmove(parser->bytes, parser->bytes + len, parser->have);
    return true;
}

static void parse(struct wire *wire, struct parser *parser, const uint8_t *bytes, size_t len, visit *visit)
{
    while (len > 0) {
        size_t room = sizeof parser->bytes - parser->have;
        size_t part = len < room ? len : room;
        memcpy(parser->bytes + parser->have, bytes, part);
        parser->have += part;
        bytes += part;
        len -= part;
        while (parse_one(wire, parser, visit))
            continue;
    }
}

void wire_sent(struct wire *wire, const uint8_t *bytes, size_t len)
{
    parse(wire, &wire->out, bytes, len, judge);
}

void wire_received(struct wire *wire, const uint8_t *bytes, size_t len)
{
    parse(wire, &wire->in, bytes, len, note);
}

bool wire_is_quiet(const struct wire *wire)
{
    for (size_t id = 0; id < 65536; id++)
        if (wire->ids[id].use != UNUSED)
            return false;
    return true;
}
