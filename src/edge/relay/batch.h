// SPDX-License-Identifier: GPL-2.0-or-later
// Datagrams behind each other from one place to one other, of one length but for the last, which may be shorter: so many
// the kernel takes in one call and cuts apart itself, as late as it can (UDP_SEGMENT, udp(7); VIRTIO_NET_HDR_GSO_UDP_L4).
// What costs, a system call and a way through the network stack each, is paid once for all of them. A batch lives within
// one turn: nothing waits for more of it to come.
#ifndef EDGE_RELAY_BATCH_H
#define EDGE_RELAY_BATCH_H

#include "usher/record.h"

#include <stdbool.h>

enum {
    BATCH_PIECES = 64,  // what kernels before 6.9 take (UDP_MAX_SEGMENTS)
    BATCH_SIZE = 65487, // bytes: 65,535 that a length field holds, less headers of 40 and 8
};

struct datagram_batch {
    void *owner; // of all of them; NULL: empty
    struct endpoint from, to;
    size_t piece; // bytes of each but the last
    size_t len;   // bytes of all
    unsigned count;
    uint8_t bytes[BATCH_SIZE];
};

// Empty.
struct datagram_batch *batch_new(void);
void batch_free(struct datagram_batch *batch);
// Appends a copy, if it can go with those that are there. An empty batch takes any datagram that has between 1 and
// BATCH_SIZE bytes.
bool batch_join(struct datagram_batch *batch, void *owner, const struct usher_datagram *datagram);
// The datagram at `index`; its bytes are the batch's own.
struct usher_datagram batch_piece(const struct datagram_batch *batch, unsigned index);
void batch_clear(struct datagram_batch *batch);

#endif
