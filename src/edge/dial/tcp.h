// SPDX-License-Identifier: GPL-2.0-or-later
// A TCP flow at the end where the real connection is made. Between tcp.c (connecting, ending) and
// stream.c (bytes both ways).
#ifndef EDGE_DIAL_TCP_H
#define EDGE_DIAL_TCP_H

#include "edge/dial/internal.h"
#include "edge/dial/queue.h"
#include "os/race.h"

struct dial_tcp {
    struct dial_flow flow;     // first
    struct poller_watch watch; // fd -1: none yet
    short error;               // the far end has broken the connection: errno
    bool racing : 1;           // `flow.race` connects to one of several addresses
    bool connected : 1;
    bool readable : 1;  // there may be bytes, or the end, to read
    bool insistent : 1; // a short read is not the last: there is an end or an urgent mark
    bool blocked : 1;   // the socket takes no more
    bool broken : 1;    // see `error`; what came before it is still to be read
    bool eof : 1;       // the far end has finished
    bool deaf : 1;      // the peer takes no more
    bool finishing : 1; // the peer has finished: shut down once the queue is written
};

// All that a connecting or connected socket is ever watched for.
enum { STREAM_EVENTS = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP };

void stream_event(struct dial_tcp *tcp, uint32_t events);
size_t stream_fill(void *owner, uint8_t *room, size_t size);
void stream_data(void *owner, const struct slice *slice);
void stream_finished(void *owner);
void stream_deafened(void *owner);
// Closes the socket, if there is one yet, hard (RST) or in order, and retires the flow. Its session is gone.
void stream_close(struct dial_tcp *tcp, bool hard);

#endif
