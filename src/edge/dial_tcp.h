// SPDX-License-Identifier: GPL-2.0-or-later
// A TCP flow at the end where the real connection is made. Between dial_tcp.c (connecting, ending) and
// dial_stream.c (bytes both ways).
#ifndef EDGE_DIAL_TCP_H
#define EDGE_DIAL_TCP_H

#include "edge/dial_internal.h"
#include "edge/dial_queue.h"
#include "edge/eyeballs.h"

// 10,000 of these are held at once; 160 bytes of it are libuv's.
struct dial_tcp {
    struct dial_flow flow; // first
    uv_poll_t poll;
    struct eyeballs *eyeballs; // while connecting to one of several addresses
    struct dial_queue *queue;  // bytes that wait for the socket; NULL when there are none
    int fd;                    // -1: none yet
    short error;               // the far end has broken the connection: errno
    uint8_t events;            // what is watched, of enum uv_poll_event
    bool polled : 1;           // `poll` is libuv's
    bool connected : 1;
    bool readable : 1;  // there may be bytes, or the end, to read
    bool paused : 1;    // readable, and nobody takes it: not watched until it was read
    bool unheld : 1;    // UV_PRIORITIZED would fire without end
    bool blocked : 1;   // the socket takes no more: watched for room
    bool broken : 1;    // see `error`; what came before it is still to be read
    bool eof : 1;       // the far end has finished
    bool deaf : 1;      // the peer takes no more
    bool finishing : 1; // the peer has finished: shut down once the queue is written
    bool shut : 1;      // we have
};

// Watches for exactly what the flow's state asks for.
void stream_watch(struct dial_tcp *tcp);
void stream_event(uv_poll_t *poll, int status, int events);
size_t stream_fill(void *owner, uint8_t *room, size_t size);
void stream_data(void *owner, const struct slice *slice);
void stream_finished(void *owner);
void stream_deafened(void *owner);
// Writes what is queued, and then the end if that is due. The flow may be over when this returns.
void stream_flush(struct dial_tcp *tcp);
void stream_drop_queue(struct dial_tcp *tcp);

// Closes the socket, hard (RST) or in order, and retires the flow. Its session is gone.
void dial_tcp_close(struct dial_tcp *tcp, bool hard);

#endif
