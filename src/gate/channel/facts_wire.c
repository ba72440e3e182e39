// SPDX-License-Identifier: GPL-2.0-or-later
// One byte says what follows: a number, a text, the begin of a group, list or item, or an end.

#include "gate/channel/facts_wire.h"

#include "base/text.h"

#include <string.h>

enum { WIRE_NUMBER = 1, WIRE_TEXT, WIRE_NO_TEXT, WIRE_GROUP, WIRE_LIST, WIRE_ITEM, WIRE_END };

static void write_fact(struct facts *facts, const struct fact *fact)
{
    struct writer *w = facts->reader;
    if (fact->kind != FACT_TEXT)
        writer_u8(w, WIRE_NUMBER);
    else
        writer_u8(w, fact->text ? WIRE_TEXT : WIRE_NO_TEXT);
    writer_text(w, fact->name);
    writer_text(w, fact->help);
    if (fact->kind != FACT_TEXT) {
        writer_u8(w, (uint8_t)fact->kind);
        writer_u8(w, (uint8_t)fact->unit);
        writer_u64(w, fact->value);
    } else if (fact->text) {
        writer_text(w, fact->text);
    }
}

static void write_begin(struct facts *facts, enum facts_level level, const char *name)
{
    static const uint8_t codes[] = {[FACTS_GROUP] = WIRE_GROUP, [FACTS_LIST] = WIRE_LIST, [FACTS_ITEM] = WIRE_ITEM};
    struct writer *w = facts->reader;
    writer_u8(w, codes[level]);
    writer_text(w, level == FACTS_ITEM ? facts->labels->name : name);
    if (level == FACTS_ITEM)
        writer_text(w, facts->labels->value);
}

static void write_end(struct facts *facts)
{
    writer_u8(facts->reader, WIRE_END);
}

void facts_wire_write(struct writer *w, facts_describe *describe, const void *part)
{
    static const struct facts_ops ops = {.fact = write_fact, .begin = write_begin, .end = write_end};
    struct facts facts = {.ops = &ops, .reader = w};
    describe(part, &facts);
}

static const char *read_name(struct reader *r)
{
    const char *name = reader_text(r);
    if (!name || strlen(name) >= FACTS_WIRE_NAME_SIZE ||
        name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0') {
        r->failed = true;
        return NULL;
    }
    return name;
}

static const char *read_text(struct reader *r, char room[FACTS_WIRE_TEXT_SIZE])
{
    const char *text = reader_text(r);
    if (!text) {
        r->failed = true;
        return NULL;
    }
    return text_escape(room, FACTS_WIRE_TEXT_SIZE, text);
}

static void read_fact(struct reader *r, struct facts *facts, uint8_t code)
{
    char help[FACTS_WIRE_TEXT_SIZE], text[FACTS_WIRE_TEXT_SIZE];
    struct fact fact = {.kind = FACT_TEXT, .unit = FACT_WORDS};
    fact.name = read_name(r);
    fact.help = read_text(r, help);
    if (code == WIRE_NUMBER) {
        uint8_t kind = reader_u8(r), unit = reader_u8(r);
        fact.value = reader_u64(r);
        r->failed |= kind >= FACT_TEXT || unit >= FACT_WORDS;
        fact.kind = (enum fact_kind)kind;
        fact.unit = (enum fact_unit)unit;
    } else if (code == WIRE_TEXT) {
        fact.text = read_text(r, text);
    }
    if (!r->failed && facts)
        facts_tell(facts, &fact);
}

static void read_level(struct reader *r, struct facts *facts, unsigned depth);

// A group or list, with all that is in it.
static void read_part(struct reader *r, struct facts *facts, uint8_t code, unsigned depth)
{
    const char *name = read_name(r);
    if (r->failed)
        return;
    if (facts)
        (code == WIRE_GROUP ? facts_group : facts_list)(facts, name);
    read_level(r, facts, depth + 1);
    if (facts)
        facts_end(facts);
}

static void read_item(struct reader *r, struct facts *facts, unsigned depth)
{
    char value[FACTS_WIRE_TEXT_SIZE];
    struct fact_label label = {.name = read_name(r)};
    label.value = read_text(r, value);
    if (r->failed)
        return;
    if (facts)
        facts_item(facts, &label);
    read_level(r, facts, depth + 1);
    if (facts)
        facts_item_end(facts);
}

// To the end of what holds it: of everything, at depth 0.
static void read_level(struct reader *r, struct facts *facts, unsigned depth)
{
    if (depth > FACTS_WIRE_DEPTH_MAX)
        r->failed = true;
    while (!r->failed && (depth || reader_left(r))) {
        uint8_t code = reader_u8(r);
        if (depth && (code == WIRE_NUMBER || code == WIRE_TEXT || code == WIRE_NO_TEXT))
            read_fact(r, facts, code);
        else if (code == WIRE_GROUP || code == WIRE_LIST)
            read_part(r, facts, code, depth);
        else if (depth && code == WIRE_ITEM)
            read_item(r, facts, depth);
        else if (code == WIRE_END && depth)
            return;
        else
            r->failed = true;
    }
}

bool facts_wire_read(struct reader *r, struct facts *facts)
{
    read_level(r, facts, 0);
    return !r->failed;
}
