// SPDX-License-Identifier: GPL-2.0-or-later
// Routers behind the device that cannot pass a packet of ours on. One that nobody has sent is not believed: it would make
// everything small for whoever it names.
#include "edge/capture/internal.h"

static bool is_sent_by_association(const struct capture *capture, const struct too_big *said)
{
    struct outgoing sent = {.protocol = said->protocol, .inside = said->inside, .outside = said->outside};
    return association_find(capture, &sent, association_hash(capture, &sent));
}

bool capture_too_big(struct capture *capture, const struct packet_view *view)
{
    struct too_big said;
    if (!too_big_parse(&said, view))
        return false;
    bool sent = said.protocol == USHER_TCP ? stack_too_big(capture->stack, &said, capture->now)
                                           : is_sent_by_association(capture, &said);
    if (sent)
        path_mtus_learn(capture->paths, &said.inside.addr, said.mtu, capture->now);
    return sent;
}

uint32_t capture_path_mtu(const struct capture *capture, const struct address *to)
{
    return path_mtus_to(capture->paths, to, capture->config.mtu, capture->now);
}
