// SPDX-License-Identifier: GPL-2.0-or-later
// The herald: one process of a gate's that hears from balancers whose connections they pass on, so that who has come is
// known before a worker is spent on him, and the supervisor reads no byte of it. It is this very program, knows no key and no
// configuration, and is sealed as a worker is. Of a connection it takes the header (gate/channel/forwarded.h), and not a byte more.
#ifndef GATE_HERALD_HERALD_H
#define GATE_HERALD_HERALD_H

#define HERALD_COMMAND "herald"

enum {
    HERALD_CHANNEL_FD = 3, // to the supervisor: CHANNEL_CAME, with the connection; CHANNEL_WHOSE
    HERALD_FDS             // how many, with the standard ones
};

// Becomes `user`. Returns the exit code of the process.
int herald_main(const char *user);

#endif
