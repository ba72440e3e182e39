// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/audit/record.h"

#include <string.h>

static void put_text(struct writer *w, const char *text)
{
    size_t len = strnlen(text, AUDIT_TEXT_MAX);
    writer_u16(w, (uint16_t)len);
    writer_bytes(w, text, len);
    writer_u8(w, 0);
}

static const char *get_text(struct reader *r)
{
    uint16_t len = reader_u16(r);
    const char *text = (const char *)reader_bytes(r, (size_t)len + 1);
    if (!text || len > AUDIT_TEXT_MAX || strnlen(text, (size_t)len + 1) != len)
        r->failed = true;
    return r->failed ? "" : text;
}

static void put_endpoint(struct writer *w, const struct endpoint *end)
{
    writer_u8(w, end->addr.version);
    writer_bytes(w, end->addr.bytes, end->addr.version == 6 ? 16 : end->addr.version);
    writer_u16(w, end->port);
}

static void get_endpoint(struct reader *r, struct endpoint *out)
{
    uint8_t version = reader_u8(r);
    size_t len = version == 6 ? 16 : version;
    *out = (struct endpoint){.addr.version = version};
    if (version != 0 && version != 4 && version != 6)
        r->failed = true;
    const uint8_t *bytes = r->failed ? NULL : reader_bytes(r, len);
    if (bytes)
        memcpy(out->addr.bytes, bytes, len);
    out->port = reader_u16(r);
}

static bool get_switch(struct reader *r)
{
    uint8_t value = reader_u8(r);
    r->failed |= value > 1;
    return value;
}

// The first byte of an account.
enum { IS_OURS = 1, HAS_ASSOCIATION = 2 }; // a worker of a program before knows no associations

static void put_account(struct writer *w, const struct account *account)
{
    writer_u8(w, (account->ours ? IS_OURS : 0) | (account->association ? HAS_ASSOCIATION : 0));
    if (account->association)
        writer_u32(w, account->association);
    writer_u8(w, account->how.by_us);
    writer_u8(w, (uint8_t)account->how.word);
    writer_u8(w, account->protocol);
    writer_u16(w, account->port);
    put_endpoint(w, &account->from);
    put_endpoint(w, &account->reached);
    writer_u32(w, account->line);
    writer_u64(w, account->received);
    writer_u64(w, account->sent);
    writer_u64(w, account->ms);
    put_text(w, account->via);
    put_text(w, account->asked);
    put_text(w, account->rule);
}

static void get_account(struct reader *r, struct account *out)
{
    uint8_t flags = reader_u8(r);
    r->failed |= flags > (IS_OURS | HAS_ASSOCIATION);
    out->ours = flags & IS_OURS;
    out->association = flags & HAS_ASSOCIATION ? reader_u32(r) : 0;
    r->failed |= flags & HAS_ASSOCIATION && !out->association;
    out->how.by_us = get_switch(r);
    uint8_t word = reader_u8(r);
    r->failed |= word >= USHER_WORDS;
    out->how.word = r->failed ? USHER_FAILED : (enum usher_word)word;
    out->protocol = reader_u8(r);
    out->port = reader_u16(r);
    get_endpoint(r, &out->from);
    get_endpoint(r, &out->reached);
    out->line = reader_u32(r);
    out->received = reader_u64(r);
    out->sent = reader_u64(r);
    out->ms = reader_u64(r);
    // Readers of JSON have signed numbers.
    r->failed |= out->received > INT64_MAX || out->sent > INT64_MAX || out->ms > INT64_MAX;
    out->via = get_text(r);
    out->asked = get_text(r);
    out->rule = get_text(r);
}

void audit_record_write(struct writer *w, const struct audit_record *record)
{
    writer_u8(w, (uint8_t)record->kind);
    writer_u8(w, (uint8_t)record->end);
    writer_u64(w, record->at);
    put_text(w, record->text);
    if (record->kind == AUDIT_SESSION)
        put_account(w, &record->account);
}

bool audit_record_read(struct reader *r, struct audit_record *out)
{
    uint8_t kind = reader_u8(r), end = reader_u8(r);
    *out = (struct audit_record){.kind = AUDIT_DOWN};
    r->failed |= kind >= AUDIT_KINDS || end >= AUDIT_ENDS;
    if (r->failed)
        return false;
    out->kind = (enum audit_kind)kind;
    out->end = (enum audit_end)end;
    out->at = reader_u64(r);
    out->text = get_text(r);
    if (out->kind == AUDIT_SESSION)
        get_account(r, &out->account);
    return !r->failed;
}
