// SPDX-License-Identifier: GPL-2.0-or-later
// One direction of the link: bytes in order, of bounded room, given out in pieces of any size, standing still at times.
#ifndef SIM_PIPE_H
#define SIM_PIPE_H

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PIPE_ROOM = 256 * 1024 };

struct pipe {
    uint8_t bytes[PIPE_ROOM];
    size_t head; // of the first byte
    size_t len;
    usec_t stalled_until;
};

size_t pipe_room(const struct pipe *pipe);
void pipe_write(struct pipe *pipe, const uint8_t *bytes, size_t len);
// Bytes that may be read now; 0 while the pipe stands still.
size_t pipe_ready(const struct pipe *pipe, usec_t now);
void pipe_read(struct pipe *pipe, uint8_t *bytes, size_t len);

#endif
