// SPDX-License-Identifier: GPL-2.0-or-later
// A TCP connection to whichever of several endpoints answers first (Happy Eyeballs, RFC 8305). The families take turns, a
// new attempt starts 250 ms after the last or when one has failed, and the first success ends the others. Where there are
// other uplinks, each has its turn when the ways that the kernel would take have had a second: one that is silent is dead to
// us, and the kernel does not know.
#ifndef OS_SOCKET_RACE_H
#define OS_SOCKET_RACE_H

#include "os/socket/socket.h"

#include <stddef.h>
#include <uv.h>

struct race;

struct race_config {
    const struct endpoint *to; // in order of preference; copied
    size_t count;              // at least 1
    uint32_t timeout_ms;       // for all together
    uint32_t mark;             // of the sockets, set before they connect; 0: none
    struct socket_source source;
    const unsigned *uplinks; // interfaces by index, in order of preference; copied
    size_t uplink_count;
};

struct race_end {
    int fd;                // connected, the callee's own from now on; -1: nobody answered
    struct endpoint to;    // whom it is connected to, or whom `error` is about
    int error;             // errno of the most telling failure
    struct endpoint first; // that failed, so mostly the one preferred most; only when nobody answered
    int first_error;       // why
};

// `done` comes once, from the loop and never from within this call, and ends the race.
struct race *race_new(uv_loop_t *loop, const struct race_config *config,
                      void (*done)(void *owner, const struct race_end *end), void *owner);
// Gives up, without a callback. Not after `done`, nor from within it. NULL is nobody's race.
void race_cancel(struct race *race);

#endif
