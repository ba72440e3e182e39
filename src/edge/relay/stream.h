// SPDX-License-Identifier: GPL-2.0-or-later
// A TCP socket joined to a session: bytes both ways, and each end's ending told to the other. The session is the peer's,
// attached with relay_stream_ops by whoever makes the connection, or ours, opened with them for an application that has
// connected to us; then its socket may be joined before the peer has answered, and what the application sends meanwhile
// waits in it. An end of the session that is no orderly one resets the socket.
#ifndef EDGE_RELAY_STREAM_H
#define EDGE_RELAY_STREAM_H

#include "edge/relay/flow.h"

struct relay_stream {
    struct relay_flow flow;    // first
    struct poller_watch watch; // fd -1: none yet
};

// All that a connecting or connected socket is ever watched for.
enum { RELAY_STREAM_EVENTS = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP };

// For sessions of streams; their owner is the struct relay_stream.
extern const struct usher_session_ops relay_stream_ops;

// A new flow of `size` bytes that begins with a struct relay_stream.
struct relay_stream *relay_stream_add(const struct relay_kind *kind, size_t size, const struct usher_open *open);
// No delays; a reset where this process dies, since nobody knows then whether all has come; and urgent bytes stay in their
// place in the stream, else they would be lost (RFC 6093). Before it connects: when urgent data shows it is too late, as a
// read that has begun jumps over the byte.
void relay_stream_prepare(int fd);
// Begins with a socket that is connected and in the poller, watched by the stream's own watch for RELAY_STREAM_EVENTS with
// EPOLLET; `events` came already.
void relay_stream_begin(struct relay_stream *stream, uint32_t events);
// The same for a connected socket that is not in the poller yet. False with errno; the socket is the stream's all the same.
bool relay_stream_join(struct relay_stream *stream, int fd);
// Its session is there, of a flow that was joined before: what has come meanwhile is to be read.
void relay_stream_placed(struct relay_stream *stream);
// Closes the socket, if there is one yet, hard (RST) or in order, and retires the flow. Its session is gone.
void relay_stream_close(struct relay_stream *stream, bool hard);
// What a stream waited for has not come: the rest of what is to be written, or of a broken connection, is lost.
void relay_stream_expired(struct relay_flow *flow);
// Writes what streams gathered in this turn.
void relay_streams_flush(struct relay *relay);

#endif
