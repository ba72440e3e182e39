// SPDX-License-Identifier: GPL-2.0-or-later
// Compression is not followed anywhere: a question's name has nothing before it that it could point to, and of the
// records behind it only the length counts, where a pointer is the end of a name.
#include "packet/dns.h"

#include "base/cursor.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    FLAG_RESPONSE = 0x8000,
    FLAG_TRUNCATED = 0x0200,
    FLAG_RECURSION_AVAILABLE = 0x0080,
    OPCODE = 0x7800,       // 0: a query
    FLAGS_COPIED = 0x7910, // opcode, recursion desired, checking disabled (RFC 4035 section 3.1.6)
    TYPE_OPT = 41,
    LABEL_MAX = 63,
    LABEL_POINTER = 0xc0,
    NAME_HERE = 0xc000 | DNS_HEADER_SIZE, // a pointer to the question's name
    QUESTION_FIXED = 4,                   // type and class
    OPT_SIZE = 11,
};

// The name on the wire, in place; NULL when it is not one.
static const uint8_t *read_name(struct reader *r, size_t *len)
{
    const uint8_t *start = r->at;
    for (uint8_t label = 1; label && !r->failed;) {
        label = reader_u8(r);
        if (label > LABEL_MAX)
            return NULL;
        reader_bytes(r, label);
    }
    *len = (size_t)(r->at - start);
    return r->failed || *len > DNS_NAME_MAX ? NULL : start;
}

static void skip_name(struct reader *r)
{
    for (;;) {
        uint8_t label = reader_u8(r);
        if (!label)
            return;
        if ((label & LABEL_POINTER) == LABEL_POINTER) {
            reader_u8(r);
            return;
        }
        if (label > LABEL_MAX)
            r->failed = true;
        reader_bytes(r, label);
    }
}

static bool read_question(struct dns_question *out, struct reader *r)
{
    size_t len;
    const uint8_t *name = read_name(r, &len);
    uint16_t type = reader_u16(r), class = reader_u16(r);
    if (!name || r->failed)
        return false;
    memcpy(out->name, name, len);
    out->name_len = (uint8_t)len;
    out->type = type;
    out->class = class;
    return true;
}

// Of the records behind the question only the one of EDNS says anything to us.
static bool read_records(struct dns_question *out, struct reader *r, unsigned count)
{
    for (; count > 0 && !r->failed; count--) {
        bool is_root = reader_left(r) > 0 && *r->at == 0;
        skip_name(r);
        uint16_t type = reader_u16(r), class = reader_u16(r);
        uint32_t ttl = reader_u32(r);
        reader_bytes(r, reader_u16(r));
        if (r->failed || type != TYPE_OPT)
            continue;
        if (!is_root || out->has_edns)
            return false;
        out->has_edns = true;
        out->edns_version = (uint8_t)(ttl >> 16);
        out->size = class < DNS_UDP_SIZE ? DNS_UDP_SIZE : class;
    }
    return !r->failed;
}

bool dns_question_read(struct dns_question *out, enum dns_rcode *wrong, const uint8_t *bytes, size_t len)
{
    struct reader r = reader_over(bytes, len);
    *out = (struct dns_question){.id = reader_u16(&r), .size = DNS_UDP_SIZE};
    out->flags = reader_u16(&r);
    uint16_t questions = reader_u16(&r);
    unsigned records = reader_u16(&r);
    records += reader_u16(&r);
    records += reader_u16(&r);
    *wrong = DNS_NOERROR;
    if (r.failed || out->flags & FLAG_RESPONSE)
        return false;
    if (out->flags & OPCODE)
        *wrong = DNS_NOTIMP;
    else if (questions != 1 || !read_question(out, &r) || !read_records(out, &r, records))
        *wrong = DNS_FORMERR;
    else if (out->edns_version)
        *wrong = DNS_BADVERS;
    return true;
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte - 'A' + 'a') : byte;
}

static bool is_plain(uint8_t byte)
{
    return byte > ' ' && byte < 0x7f && byte != '.' && byte != '\\';
}

const char *dns_name_text(const struct dns_question *question, char room[DNS_TEXT_SIZE])
{
    const uint8_t *name = question->name;
    char *at = room;
    for (size_t label = 0; label < question->name_len && name[label]; label += name[label] + 1u) {
        if (label)
            *at++ = '.';
        for (size_t i = label + 1; i <= label + name[label]; i++) {
            if (is_plain(name[i]))
                *at++ = (char)lower(name[i]);
            else
                at += snprintf(at, 5, "\\%03u", name[i]);
        }
    }
    *at = '\0';
    return room;
}

// Lengths of labels are below the letters, so case can be ignored byte by byte.
static bool is_same_name(const struct dns_question *a, const struct dns_question *b)
{
    if (a->name_len != b->name_len)
        return false;
    for (size_t i = 0; i < a->name_len; i++)
        if (lower(a->name[i]) != lower(b->name[i]))
            return false;
    return true;
}

bool dns_answers(const uint8_t *bytes, size_t len, const struct dns_question *question)
{
    struct dns_question asked = {0};
    struct reader r = reader_over(bytes, len);
    reader_u16(&r);
    uint16_t flags = reader_u16(&r), questions = reader_u16(&r);
    reader_bytes(&r, DNS_HEADER_SIZE - 6);
    if (r.failed || !(flags & FLAG_RESPONSE))
        return false;
    // Servers that do not understand a question may say so without repeating it.
    if (questions == 0)
        return (flags & 0xf) != DNS_NOERROR && (flags & 0xf) != DNS_NXDOMAIN;
    return questions == 1 && read_question(&asked, &r) && asked.type == question->type &&
           asked.class == question->class && is_same_name(&asked, question);
}

static void write_record(struct writer *w, uint16_t type, uint32_t ttl, const uint8_t *data, size_t len)
{
    writer_u16(w, NAME_HERE);
    writer_u16(w, type);
    writer_u16(w, DNS_IN);
    writer_u32(w, ttl);
    writer_u16(w, (uint16_t)len);
    writer_bytes(w, data, len);
}

// "web.corp.example" as labels; returns its length. The text is a host name (base/host_name.h).
static size_t encode_name(uint8_t room[DNS_NAME_MAX], const char *text)
{
    struct writer w = writer_over(room, DNS_NAME_MAX);
    while (*text) {
        size_t len = strcspn(text, ".");
        assert(len > 0 && len <= LABEL_MAX);
        writer_u8(&w, (uint8_t)len);
        writer_bytes(&w, text, len);
        text += len + (text[len] == '.');
    }
    writer_u8(&w, 0);
    assert(!w.failed);
    return (size_t)(w.at - room);
}

static unsigned write_records(struct writer *w, const struct dns_question *question, const struct dns_answer *answer)
{
    uint8_t name[DNS_NAME_MAX];
    unsigned count = 0;
    if (answer->truncated)
        return 0;
    for (size_t i = 0; i < answer->count; i++, count++)
        write_record(w, question->type, answer->ttl, answer->addrs[i].bytes, answer->addrs[i].version == 4 ? 4 : 16);
    if (answer->pointer) {
        write_record(w, DNS_PTR, answer->ttl, name, encode_name(name, answer->pointer));
        count++;
    }
    return count;
}

static void write_edns(struct writer *w, enum dns_rcode rcode)
{
    writer_u8(w, 0);
    writer_u16(w, TYPE_OPT);
    writer_u16(w, DNS_EDNS_ANNOUNCED);
    writer_u8(w, (uint8_t)(rcode >> 4));
    writer_u8(w, 0); // version
    writer_u16(w, 0);
    writer_u16(w, 0); // no options
}

size_t dns_write(uint8_t room[DNS_ANSWER_SIZE], const struct dns_question *question, const struct dns_answer *answer)
{
    static_assert(DNS_ANSWER_SIZE >= DNS_HEADER_SIZE + DNS_NAME_MAX + QUESTION_FIXED + DNS_ADDRESSES_MAX * (12 + 16) +
                                         (12 + DNS_NAME_MAX) + OPT_SIZE,
                  "any answer of ours has room");
    assert(answer->count <= DNS_ADDRESSES_MAX);
    struct writer head = writer_over(room, DNS_HEADER_SIZE);
    struct writer w = writer_over(room + DNS_HEADER_SIZE, DNS_ANSWER_SIZE - DNS_HEADER_SIZE);
    uint16_t flags = FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | (question->flags & FLAGS_COPIED);
    if (question->name_len) {
        writer_bytes(&w, question->name, question->name_len);
        writer_u16(&w, question->type);
        writer_u16(&w, question->class);
    }
    unsigned count = write_records(&w, question, answer);
    if (question->has_edns)
        write_edns(&w, answer->rcode);
    writer_u16(&head, question->id);
    writer_u16(&head, (uint16_t)(flags | (answer->truncated ? FLAG_TRUNCATED : 0) | (answer->rcode & 0xf)));
    writer_u16(&head, question->name_len > 0);
    writer_u16(&head, (uint16_t)count);
    writer_u16(&head, 0);
    writer_u16(&head, question->has_edns);
    assert(!w.failed);
    return (size_t)(w.at - room);
}

uint16_t dns_id(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

void dns_set_id(uint8_t *bytes, uint16_t id)
{
    bytes[0] = (uint8_t)(id >> 8);
    bytes[1] = (uint8_t)id;
}
