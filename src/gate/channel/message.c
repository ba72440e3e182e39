// SPDX-License-Identifier: GPL-2.0-or-later
// One walk for each message says what it consists of (base/wire.h). What is read trusts nobody: lengths are exact, texts end
// within the message, numbers fit.
#include "gate/channel/message.h"

#include "base/wire.h"

typedef void walk(struct wire *wire, struct channel_message *message);

static void nothing(struct wire *wire, struct channel_message *message)
{
    (void)wire, (void)message;
}

static void prefix(struct wire *wire, struct prefix *prefix)
{
    wire_u8(wire, &prefix->addr.version);
    wire_u8(wire, &prefix->len);
    wire_bytes(wire, prefix->addr.bytes, sizeof prefix->addr.bytes);
    bool v4 = prefix->addr.version == 4;
    wire_require(wire, (v4 || prefix->addr.version == 6) && prefix->len <= (v4 ? 32 : 128));
}

static void locals(struct wire *wire, struct channel_message *message)
{
    uint32_t count = (uint32_t)message->locals.count;
    wire_u32(wire, &count);
    if (!wire_require(wire, count <= CHANNEL_LOCALS_MAX))
        return;
    if (wire->reads)
        message->locals.count = count;
    for (uint32_t i = 0; i < count; i++)
        prefix(wire, &message->locals.prefixes[i]);
}

static void text(struct wire *wire, struct channel_message *message)
{
    wire_text(wire, message->text, sizeof message->text);
}

static void up(struct wire *wire, struct channel_message *message)
{
    wire_text(wire, message->up.name, sizeof message->up.name);
    wire_text(wire, message->up.serial, sizeof message->up.serial);
    wire_text(wire, message->up.cipher, sizeof message->up.cipher);
    wire_u64(wire, &message->up.expires);
}

static void facts(struct wire *wire, struct channel_message *message)
{
    wire_u32(wire, &message->facts.sessions);
    wire_u64(wire, &message->facts.bytes_in);
    wire_u64(wire, &message->facts.bytes_out);
    wire_rest(wire, message->facts.bytes, sizeof message->facts.bytes, &message->facts.len);
    if (!wire->reads || wire_failed(wire))
        return;
    struct reader check = reader_over(message->facts.bytes, message->facts.len);
    wire_require(wire, facts_wire_read(&check, NULL));
}

static void forwards(struct wire *wire, struct channel_message *message)
{
    wire_u32(wire, &message->forwards.first);
}

static void export(struct wire *wire, struct channel_message *message)
{
    wire_text(wire, message->export.device, sizeof message->export.device);
    wire_u32(wire, &message->export.index);
    wire_switch(wire, &message->export.offload);
    wire_switch(wire, &message->export.uso);
}

static void news(struct wire *wire, struct channel_message *message)
{
    wire_u32(wire, &message->news.size);
}

static void denial(struct wire *wire, struct channel_denial *denial)
{
    wire_u8(wire, &denial->protocol);
    wire_address(wire, &denial->from);
    wire_endpoint(wire, &denial->to);
    wire_u32(wire, &denial->line);
    wire_u64(wire, &denial->count);
    wire_u64(wire, &denial->first);
    wire_u64(wire, &denial->last);
    wire_text(wire, denial->host, sizeof denial->host);
    wire_text(wire, denial->rule, sizeof denial->rule);
}

static void denials(struct wire *wire, struct channel_message *message)
{
    uint8_t count = (uint8_t)message->denials.count;
    wire_u8(wire, &count);
    if (!wire_require(wire, count <= CHANNEL_DENIALS_MAX))
        return;
    if (wire->reads)
        message->denials.count = count;
    for (uint8_t i = 0; i < count; i++)
        denial(wire, &message->denials.items[i]);
}

static void ticket(struct wire *wire, struct channel_message *message)
{
    wire_bytes(wire, message->ticket, sizeof message->ticket);
}

static void lane(struct wire *wire, struct channel_message *message)
{
    wire_u32(wire, &message->lane.id);
    wire_bytes(wire, message->lane.ticket, sizeof message->lane.ticket);
    wire_endpoint(wire, &message->lane.peer);
}

static void carried(struct wire *wire, struct channel_message *message)
{
    wire_u32(wire, &message->carried);
}

static void drain(struct wire *wire, struct channel_message *message)
{
    wire_u64(wire, &message->drain.timeout_ms);
}

static void peer(struct wire *wire, struct channel_message *message)
{
    wire_endpoint(wire, &message->peer);
}

static void came(struct wire *wire, struct channel_message *message)
{
    wire_u32(wire, &message->came.id);
    wire_u32(wire, &message->came.timeout_ms);
}

// What can be said of a connection, and of whom only where there is somebody.
static void whose(struct wire *wire, struct channel_message *message)
{
    uint8_t found = (uint8_t)message->whose.found;
    wire_u32(wire, &message->whose.id);
    wire_u8(wire, &found);
    wire_endpoint(wire, &message->whose.peer);
    bool is_somebody = message->whose.peer.addr.version != 0;
    wire_require(wire, found != FORWARDED_PARTIAL && found < FORWARDED_COUNT);
    wire_require(wire, is_somebody == (found == FORWARDED_PEER));
    if (wire->reads)
        message->whose.found = (enum forwarded)found;
}

// Nothing but whole records, and where only sessions are told of, only such.
static void records(struct wire *wire, uint8_t *bytes, size_t *len, bool sessions_only)
{
    struct audit_record record;
    wire_rest(wire, bytes, CHANNEL_AUDIT_MAX, len);
    if (!wire->reads || wire_failed(wire))
        return;
    struct reader check = reader_over(bytes, *len);
    while (reader_left(&check) && audit_record_read(&check, &record))
        check.failed |= sessions_only && record.kind != AUDIT_SESSION;
    wire_require(wire, !check.failed);
}

static void audit(struct wire *wire, struct channel_message *message)
{
    wire_u32(wire, &message->audit.lost);
    records(wire, message->audit.bytes, &message->audit.len, false);
}

static void place(struct wire *wire, struct channel_place *place)
{
    wire_u64(wire, &place->began);
    wire_u64(wire, &place->mark);
}

static void list(struct wire *wire, struct channel_message *message)
{
    place(wire, &message->list);
}

static void flows(struct wire *wire, struct channel_message *message)
{
    wire_switch(wire, &message->flows.more);
    place(wire, &message->flows.last);
    records(wire, message->flows.bytes, &message->flows.len, true);
}

static walk *const walks[] = {
    [CHANNEL_LOCALS] = locals,
    [CHANNEL_POLL] = nothing,
    [CHANNEL_END] = text,
    [CHANNEL_UP] = up,
    [CHANNEL_REFUSED] = text,
    [CHANNEL_FACTS] = facts,
    [CHANNEL_FORWARDS] = forwards,
    [CHANNEL_EXPORT] = export,
    [CHANNEL_EXPORT_BACK] = nothing,
    [CHANNEL_NEWS] = news,
    [CHANNEL_DENIALS] = denials,
    [CHANNEL_TICKET] = ticket,
    [CHANNEL_SHOWN] = ticket,
    [CHANNEL_SERVE] = nothing,
    [CHANNEL_LANE] = lane,
    [CHANNEL_CARRIED] = carried,
    [CHANNEL_DRAIN] = drain,
    [CHANNEL_FORWARDS_OVER] = nothing,
    [CHANNEL_LEAVING] = nothing,
    [CHANNEL_PEER] = peer,
    [CHANNEL_CAME] = came,
    [CHANNEL_WHOSE] = whose,
    [CHANNEL_AUDIT] = audit,
    [CHANNEL_LIST] = list,
    [CHANNEL_FLOWS] = flows,
};

enum { TYPES = sizeof walks / sizeof walks[0] };

static void walk_over(struct wire *wire, struct channel_message *message)
{
    uint8_t type = (uint8_t)message->type;
    wire_u8(wire, &type);
    if (!wire_require(wire, type < TYPES && walks[type]))
        return;
    if (wire->reads)
        message->type = (enum channel_type)type;
    walks[type](wire, message);
}

size_t channel_encode(const struct channel_message *message, uint8_t *room, size_t size)
{
    struct wire wire = wire_writing(room, size);
    walk_over(&wire, (struct channel_message *)message); // writing changes nothing
    return wire_failed(&wire) ? 0 : size - writer_left(&wire.w);
}

bool channel_decode(struct channel_message *out, const uint8_t *bytes, size_t len)
{
    struct wire wire = wire_reading(bytes, len);
    walk_over(&wire, out);
    return !wire_failed(&wire) && reader_left(&wire.r) == 0;
}
