// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/listen/socks/reply.h"

#include "edge/listen/say.h"

static void reply(int fd, uint8_t version, enum socks_outcome outcome, const struct endpoint *bound)
{
    static const struct endpoint unknown = {.addr.version = 4};
    uint8_t room[SOCKS_REPLY_MAX];
    say(fd, room, socks_reply_write(room, version, outcome, bound ? bound : &unknown));
}

void reply_granted(int fd, uint8_t version, const struct endpoint *bound)
{
    reply(fd, version, SOCKS_GRANTED, bound);
}

void reply_refused(int fd, uint8_t version, enum socks_outcome outcome)
{
    reply(fd, version, outcome, NULL);
    say_no_more(fd);
}
