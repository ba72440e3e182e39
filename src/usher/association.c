// SPDX-License-Identifier: GPL-2.0-or-later
// An association by name has one far end, which needs no address; an echo keeps its identifier and sequence number.
#include "usher/association.h"

void association_init(struct association *association, const struct usher_open *open)
{
    *association = (struct association){
        .by_name = open->by_name || open->addr.version != 4,
        .echo = open->protocol == USHER_ICMP || open->protocol == USHER_ICMPV6,
    };
    list_init(&association->queue);
}

struct usher_datagram association_dress(const struct association *association, const struct usher_datagram *datagram)
{
    struct usher_datagram out = *datagram;
    if (!association->by_name)
        return out;
    out.from.addr = out.to.addr = (struct address){0};
    if (!association->echo)
        out.from.port = out.to.port = 0;
    return out;
}
