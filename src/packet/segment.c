// SPDX-License-Identifier: GPL-2.0-or-later
// TCP as far as it must be understood before lwIP, or instead of it. What passes segment_parse has a whole header, flags
// that make sense, and addresses that are hosts.
#include "packet/segment.h"

#include "base/checksum.h"
#include "base/cursor.h"
#include "packet/header.h"

#include <netinet/in.h>
#include <string.h>

// Whatever answers has it as its source, so loopback is no destination: no packet may come from there (packet/view.c).
static bool destination_is_host(const struct address *dst)
{
    static const struct address none4 = {.version = 4};
    static const struct address none6 = {.version = 6};
    static const struct address loopback6 = {.version = 6, .bytes = {[15] = 1}};
    static const uint8_t broadcast[4] = {255, 255, 255, 255};
    if (dst->version == 4)
        return (dst->bytes[0] & 0xf0) != 0xe0 && dst->bytes[0] != 127 && !address_equal(dst, &none4) &&
               memcmp(dst->bytes, broadcast, sizeof broadcast) != 0;
    return dst->bytes[0] != 0xff && !address_equal(dst, &none6) && !address_equal(dst, &loopback6);
}

// A SYN excludes FIN and RST, and without SYN or RST every segment acknowledges (RFC 9293 section 3.10.7.4).
static bool flags_make_sense(uint8_t flags)
{
    if (flags & SEGMENT_SYN)
        return (flags & (SEGMENT_FIN | SEGMENT_RST)) == 0;
    return flags & (SEGMENT_RST | SEGMENT_ACK);
}

bool segment_parse(struct segment *out, const struct packet_view *view)
{
    struct reader r = reader_over(view->upper, view->upper_len);
    out->view = view;
    out->tcp = view->upper;
    out->src_port = reader_u16(&r);
    out->dst_port = reader_u16(&r);
    out->seq = reader_u32(&r);
    out->ack = reader_u32(&r);
    out->header_len = (uint8_t)((reader_u8(&r) >> 4) * 4);
    out->flags = reader_u8(&r) & SEGMENT_CONTROL;
    out->window = reader_u16(&r);
    if (r.failed || view->protocol != IPPROTO_TCP || view->fragment)
        return false;
    if (out->header_len < TCP_HEADER || out->header_len > view->upper_len)
        return false;
    out->len = view->upper_len - out->header_len;
    bool to_itself = out->src_port == out->dst_port && address_equal(&view->src, &view->dst);
    return out->src_port != 0 && out->dst_port != 0 && !to_itself && destination_is_host(&view->dst) &&
           flags_make_sense(out->flags);
}

bool segment_checksum_is_right(const struct segment *segment)
{
    const struct packet_view *view = segment->view;
    uint64_t sum = checksum_pseudo(&view->src, &view->dst, IPPROTO_TCP, view->upper_len);
    return checksum_fold(checksum_add(sum, view->upper, view->upper_len)) == 0;
}

uint32_t segment_span(const struct segment *segment)
{
    return segment->len + !!(segment->flags & SEGMENT_SYN) + !!(segment->flags & SEGMENT_FIN);
}

void segment_clear_fin(struct segment *segment)
{
    segment->flags &= (uint8_t)~SEGMENT_FIN;
    segment->tcp[TCP_FLAGS_AT] &= (uint8_t)~SEGMENT_FIN;
}

void segment_trim(struct segment *segment, uint32_t len)
{
    segment->len = len;
    segment_clear_fin(segment);
}

void segment_strip_options(struct segment *segment)
{
    uint8_t options = segment->header_len - TCP_HEADER;
    if (options == 0)
        return;
    segment->tcp = memmove(segment->tcp + options, segment->tcp, TCP_HEADER);
    segment->tcp[12] = (uint8_t)(TCP_HEADER / 4 << 4 | (segment->tcp[12] & 0x0f));
    segment->header_len = TCP_HEADER;
}

// RFC 9293 section 3.2, RFC 7323 section 2, RFC 2018 section 2. An option that runs past the end, or has a wrong
// length, ends the search.
void segment_options(struct segment_options *out, const struct segment *syn)
{
    enum { END = 0, NOP = 1, MSS = 2, SCALE = 3, SACK_PERMITTED = 4 };
    *out = (struct segment_options){0};
    struct reader r = reader_over(syn->tcp + TCP_HEADER, (size_t)(syn->header_len - TCP_HEADER));
    while (reader_left(&r) > 0) {
        uint8_t kind = reader_u8(&r);
        if (kind == NOP)
            continue;
        uint8_t size = kind == END ? 0 : reader_u8(&r);
        const uint8_t *value = size >= 2 ? reader_bytes(&r, size - 2u) : NULL;
        if (!value)
            return;
        if (kind == MSS && size == 4)
            out->mss = (uint16_t)(value[0] << 8 | value[1]);
        if (kind == SCALE && size == 3) {
            out->has_scale = true;
            out->scale = value[0] < 14 ? value[0] : 14; // RFC 7323 section 2.3
        }
        if (kind == SACK_PERMITTED && size == 2)
            out->sack = true;
    }
}

static size_t write_options(const struct segment_options *options, uint8_t *room)
{
    struct writer w = writer_over(room, SEGMENT_OPTIONS_MAX);
    if (options->mss != 0) {
        writer_u16(&w, 2 << 8 | 4);
        writer_u16(&w, options->mss);
    }
    if (options->has_scale) {
        writer_u16(&w, 1 << 8 | 3); // NOP in front
        writer_u16(&w, (uint16_t)(3 << 8 | options->scale));
    }
    if (options->sack)
        writer_u32(&w, 0x01010402); // two NOPs in front
    return SEGMENT_OPTIONS_MAX - writer_left(&w);
}

size_t segment_write(uint8_t room[SEGMENT_WRITTEN_MAX], const struct endpoint *from, const struct endpoint *to,
                     const struct segment_header *header)
{
    uint8_t *tcp = room + (from->addr.version == 4 ? HEADER_V4 : HEADER_V6);
    size_t len = TCP_HEADER + (header->options ? write_options(header->options, tcp + TCP_HEADER) : 0);
    size_t ip = header_put(room, &from->addr, &to->addr, IPPROTO_TCP, len, 0);
    struct writer w = writer_over(tcp, TCP_HEADER);
    writer_u16(&w, from->port);
    writer_u16(&w, to->port);
    writer_u32(&w, header->seq);
    writer_u32(&w, header->ack);
    writer_u8(&w, (uint8_t)(len / 4 << 4));
    writer_u8(&w, header->flags);
    writer_u16(&w, header->window);
    writer_u32(&w, 0); // checksum, urgent pointer
    uint64_t sum = checksum_pseudo(&from->addr, &to->addr, IPPROTO_TCP, (uint32_t)len);
    checksum_put(tcp + TCP_CHECKSUM_AT, checksum_fold(checksum_add(sum, tcp, len)));
    return ip + len;
}
