// SPDX-License-Identifier: GPL-2.0-or-later
// Any bytes as a packet: what the view points to lies inside, an ICMP error can be made for whatever was parsed, and one
// that says something of ours is within bounds.
// A sanitiser sees every read past the end, as the input is a block of exactly its size.
#include "packet/craft.h"
#include "packet/segment.h"
#include "packet/too_big.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(enum craft_error error, const uint8_t *data, size_t size)
{
    static uint8_t room[CRAFT_ERROR_SIZE];
    struct packet_view view;
    size_t len = craft_icmp_error(room, error, data, size);
    if (len > sizeof room || len < 28)
        abort();
    if (packet_parse(&view, room, len) && view.fragment)
        abort();
}

static void check_segment(const struct packet_view *view)
{
    struct segment segment;
    if (!segment_parse(&segment, view))
        return;
    struct segment_options options;
    segment_options(&options, &segment);
    segment_checksum_is_right(&segment);
    if (options.scale > 14 || segment.header_len + segment.len != view->upper_len)
        abort();
    segment_strip_options(&segment);
    if (segment.tcp + segment.header_len + segment.len != view->upper + view->upper_len)
        abort();
}

static void check_too_big(const struct packet_view *view)
{
    struct too_big said;
    bool v4 = view->src.version == 4;
    if (too_big_parse(&said, view) &&
        (said.mtu < (v4 ? MTU_LEAST_V4 : MTU_LEAST_V6) || said.inside.addr.version != view->src.version))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct packet_view view;
    uint8_t *bytes = malloc(size + (size == 0)); // to be written to
    if (bytes == NULL)
        abort();
    if (size > 0)
        memcpy(bytes, data, size);
    if (packet_parse(&view, bytes, size)) {
        if (view.upper < bytes || view.upper + view.upper_len > bytes + size)
            abort();
        for (int error = CRAFT_NO_HOST; error <= CRAFT_PROHIBITED; error++)
            check_error(error, bytes, size);
        check_too_big(&view); // before the segment's options are stripped
        check_segment(&view);
    }
    free(bytes);
    return 0;
}
