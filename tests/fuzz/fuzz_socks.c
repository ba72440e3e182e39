// SPDX-License-Identifier: GPL-2.0-or-later
// What SOCKS clients say, from anybody: the first byte chooses the kind of message. A message is whole at one length only,
// whatever is behind it, and before that it is not broken, so a client may send it byte by byte; what is written of it is
// read as the same again.
#include "edge/listen/socks/message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth)
        abort();
}

static enum socks_parsed parse(uint8_t kind, const uint8_t *bytes, size_t len, size_t *used)
{
    struct socks_greeting greeting;
    struct socks_password password;
    struct socks_request request;
    switch (kind % 3) {
    case 0:
        return socks_greeting_parse(&greeting, bytes, len, used);
    case 1:
        return socks_password_parse(&password, bytes, len, used);
    default:
        return socks_request_parse(&request, bytes, len, used);
    }
}

static void stream(uint8_t kind, const uint8_t *bytes, size_t len)
{
    size_t used = 0, again = 0;
    if (len > SOCKS_MESSAGE_MAX)
        len = SOCKS_MESSAGE_MAX;
    if (parse(kind, bytes, len, &used) != SOCKS_WHOLE)
        return;
    require(used > 0 && used <= len);
    require(parse(kind, bytes, used, &again) == SOCKS_WHOLE && again == used);
    for (size_t part = 0; part < used; part++)
        require(parse(kind, bytes, part, &again) == SOCKS_PARTIAL);
}

static bool is_same(const struct socks_target *a, const struct socks_target *b)
{
    return address_equal(&a->addr, &b->addr) && a->port == b->port && !strcmp(a->host, b->host);
}

static void datagram(const uint8_t *bytes, size_t len)
{
    uint8_t room[SOCKS_UDP_HEADER_MAX];
    struct socks_target target, again;
    size_t used = 0, reused = 0;
    if (!socks_datagram_parse(&target, bytes, len, &used))
        return;
    require(used <= len && (target.addr.version != 0) == (target.host[0] == '\0'));
    size_t written = socks_datagram_write(room, &target);
    require(written <= sizeof room && socks_datagram_parse(&again, room, written, &reused));
    require(reused == written && is_same(&target, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 4 == 3)
        datagram(data + 1, size - 1);
    else
        stream(data[0] % 4, data + 1, size - 1);
    return 0;
}
