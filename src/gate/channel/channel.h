// SPDX-License-Identifier: GPL-2.0-or-later
// What supervisor and worker tell each other through: a SOCK_SEQPACKET pair, one message a packet.
#ifndef GATE_CHANNEL_CHANNEL_H
#define GATE_CHANNEL_CHANNEL_H

#include "gate/channel/message.h"

// False with errno; EAGAIN when the other end does not read.
bool channel_send(int fd, const struct channel_message *message);
// The same without waiting for room: EAGAIN then.
bool channel_try_send(int fd, const struct channel_message *message);
// With descriptors, which stay the caller's.
bool channel_send_fds(int fd, const struct channel_message *message, const int *fds, size_t count);

enum channel_result {
    CHANNEL_TAKEN,  // `out` holds a message
    CHANNEL_EMPTY,  // nothing waits (non-blocking descriptors)
    CHANNEL_CLOSED, // the other end is gone
    CHANNEL_BROKEN, // it sent what is no message; text in a message that is one is never without its NUL
};

// Descriptors that come along are none of ours and are gone.
enum channel_result channel_receive(int fd, struct channel_message *out);
// For who takes them: close-on-exec, the caller's when a message was taken.
enum channel_result channel_receive_fds(int fd, struct channel_message *out, int fds[CHANNEL_FDS_MAX], size_t *count);

#endif
