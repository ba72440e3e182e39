// SPDX-License-Identifier: GPL-2.0-or-later
// What is typed to Ask, from anybody. A line is whole at one length only, whatever is behind it, and its text is printable;
// a place that is read of it is read as the same again from what it is written as.
#include "base/host_name.h"
#include "edge/listen/ask/line.h"
#include "edge/listen/place.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PARTS = 8 }; // of a line, those that lack so much of its end

static void require(bool truth)
{
    if (!truth)
        abort();
}

static void place(const char *text)
{
    struct usher_open open = {.protocol = USHER_TCP}, again = {.protocol = USHER_TCP};
    char address[ADDRESS_TEXT_SIZE], room[HOST_PORT_TEXT_SIZE];
    if (!place_parse(&open, text))
        return;
    require((open.addr.version != 0) == (open.host[0] == '\0') && open.port != 0);
    const char *host = open.addr.version ? address_text(&open.addr, address) : open.host;
    require(place_parse(&again, host_port_text(room, sizeof room, host, open.port)));
    require(address_equal(&open.addr, &again.addr) && open.port == again.port && !strcmp(open.host, again.host));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[LINE_TEXT_SIZE], again[LINE_TEXT_SIZE];
    if (size > LINE_BYTES_MAX)
        size = LINE_BYTES_MAX;
    size_t used = line_take(text, data, size);
    if (used == 0)
        return 0;
    require(used <= size);
    for (const char *at = text; *at; at++)
        require(*at >= ' ' && *at <= '~');
    for (size_t part = used > PARTS ? used - PARTS : 0; part < used; part++)
        require(line_take(again, data, part) == 0 || (data[part - 1] == '\r'));
    place(text);
    return 0;
}
