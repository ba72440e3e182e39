// SPDX-License-Identifier: GPL-2.0-or-later
// What a message consists of, named once: one walk over its parts writes them or reads them, as the wire was made. Numbers
// go in network order. As in base/cursor.h a failure stays and is looked for once, at the end; what was read until then
// is within its bounds, but no message.
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

#include "base/address.h"
#include "base/cursor.h"

struct wire {
    bool reads; // else it writes, and changes nothing of what it walks over
    struct reader r;
    struct writer w;
};

struct wire wire_writing(void *room, size_t size);
struct wire wire_reading(const void *bytes, size_t len);
bool wire_failed(const struct wire *wire);

void wire_u8(struct wire *wire, uint8_t *value);
void wire_u32(struct wire *wire, uint32_t *value);
void wire_u64(struct wire *wire, uint64_t *value);
void wire_switch(struct wire *wire, bool *value); // a byte, 0 or 1
void wire_bytes(struct wire *wire, void *bytes, size_t len);
void wire_text(struct wire *wire, char *text, size_t size); // with its NUL, `size` at most
// All bytes that are left, at most `size`.
void wire_rest(struct wire *wire, uint8_t *bytes, size_t size, size_t *len);
// Of IPv4, of IPv6 or of none, in one length; what it does not use is zero.
void wire_address(struct wire *wire, struct address *addr);
void wire_endpoint(struct wire *wire, struct endpoint *end);

// What was read must hold; what is written is our own. False once anything has failed.
bool wire_require(struct wire *wire, bool holds);

#endif
