// SPDX-License-Identifier: GPL-2.0-or-later
// Packets of the raw ICMP sockets, which anybody on the network can send: the first byte chooses the IP version. What is
// read lies within the packet, and news is either a reply or an error.
#include "edge/dial/echo.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct address from = {.version = 6, .bytes = {0xfd, [15] = 1}};
    struct echo_news news;
    if (size == 0)
        return 0;
    const uint8_t *packet = data + 1;
    size_t len = size - 1;
    bool read = data[0] == 6 ? echo6_read(&news, &from, packet, len) : echo4_read(&news, packet, len);
    if (!read)
        return 0;
    if (news.from.version != (data[0] == 6 ? 6 : 4))
        abort();
    if (news.error == 0 && (news.bytes < packet || news.bytes + news.len != packet + len))
        abort();
    return 0;
}
