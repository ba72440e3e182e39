// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/wire.h"

#include <string.h>

struct wire wire_writing(void *room, size_t size)
{
    return (struct wire){.w = writer_over(room, size)};
}

struct wire wire_reading(const void *bytes, size_t len)
{
    return (struct wire){.reads = true, .r = reader_over(bytes, len)};
}

bool wire_failed(const struct wire *wire)
{
    return wire->reads ? wire->r.failed : wire->w.failed;
}

#define NUMBER(type, name)                                                                                             \
    void wire_##name(struct wire *wire, type *value)                                                                   \
    {                                                                                                                  \
        if (wire->reads)                                                                                               \
            *value = reader_##name(&wire->r);                                                                          \
        else                                                                                                           \
            writer_##name(&wire->w, *value);                                                                           \
    }
NUMBER(uint8_t, u8)
NUMBER(uint32_t, u32)
NUMBER(uint64_t, u64)
#undef NUMBER

void wire_switch(struct wire *wire, bool *value)
{
    uint8_t byte = !wire->reads && *value;
    wire_u8(wire, &byte);
    wire_require(wire, byte <= 1);
    if (wire->reads)
        *value = byte;
}

void wire_bytes(struct wire *wire, void *bytes, size_t len)
{
    if (!wire->reads) {
        writer_bytes(&wire->w, bytes, len);
        return;
    }
    const uint8_t *there = reader_bytes(&wire->r, len);
    if (there)
        memcpy(bytes, there, len);
}

void wire_text(struct wire *wire, char *text, size_t size)
{
    if (!wire->reads) {
        writer_text(&wire->w, text);
        return;
    }
    const char *there = reader_text(&wire->r);
    if (wire_require(wire, there && strlen(there) < size))
        strcpy(text, there);
}

void wire_rest(struct wire *wire, uint8_t *bytes, size_t size, size_t *len)
{
    size_t left = reader_left(&wire->r);
    if (!wire->reads)
        writer_bytes(&wire->w, bytes, *len);
    else if (wire_require(wire, left <= size))
        wire_bytes(wire, bytes, *len = left);
}

void wire_address(struct wire *wire, struct address *addr)
{
    static const uint8_t unused[sizeof addr->bytes];
    wire_u8(wire, &addr->version);
    wire_bytes(wire, addr->bytes, sizeof addr->bytes);
    size_t used = addr->version == 6 ? 16 : addr->version;
    if (wire_require(wire, addr->version == 0 || addr->version == 4 || addr->version == 6))
        wire_require(wire, memcmp(addr->bytes + used, unused, sizeof unused - used) == 0);
}

void wire_endpoint(struct wire *wire, struct endpoint *end)
{
    wire_address(wire, &end->addr);
    if (wire->reads)
        end->port = reader_u16(&wire->r);
    else
        writer_u16(&wire->w, end->port);
}

bool wire_require(struct wire *wire, bool holds)
{
    wire->r.failed |= wire->reads && !holds;
    return !wire_failed(wire);
}
