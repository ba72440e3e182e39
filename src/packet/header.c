// SPDX-License-Identifier: GPL-2.0-or-later
// Fixed headers without options; checksums are the last thing written.
#include "packet/header.h"

#include "base/checksum.h"
#include "base/cursor.h"

#include <assert.h>

static size_t put_v4(uint8_t *room, const struct address *src, const struct address *dst, uint8_t protocol,
                     size_t upper_len, uint16_t id)
{
    struct writer w = writer_over(room, HEADER_V4);
    writer_u8(&w, 4 << 4 | HEADER_V4 / 4);
    writer_u8(&w, 0); // type of service
    writer_u16(&w, (uint16_t)(HEADER_V4 + upper_len));
    writer_u16(&w, id);
    writer_u16(&w, 0); // may be fragmented on its way to the application
    writer_u8(&w, HEADER_TTL);
    writer_u8(&w, protocol);
    writer_u16(&w, 0);
    writer_bytes(&w, src->bytes, 4);
    writer_bytes(&w, dst->bytes, 4);
    checksum_put(room + 10, checksum_fold(checksum_add(0, room, HEADER_V4)));
    return HEADER_V4;
}

static size_t put_v6(uint8_t *room, const struct address *src, const struct address *dst, uint8_t protocol,
                     size_t upper_len)
{
    struct writer w = writer_over(room, HEADER_V6);
    writer_u32(&w, UINT32_C(6) << 28);
    writer_u16(&w, (uint16_t)upper_len);
    writer_u8(&w, protocol);
    writer_u8(&w, HEADER_TTL);
    writer_bytes(&w, src->bytes, 16);
    writer_bytes(&w, dst->bytes, 16);
    return HEADER_V6;
}

size_t header_put(uint8_t room[HEADER_V6], const struct address *src, const struct address *dst, uint8_t protocol,
                  size_t upper_len, uint16_t id)
{
    assert(upper_len + (src->version == 4 ? HEADER_V4 : 0) <= UINT16_MAX);
    if (src->version == 4)
        return put_v4(room, src, dst, protocol, upper_len, id);
    return put_v6(room, src, dst, protocol, upper_len);
}
