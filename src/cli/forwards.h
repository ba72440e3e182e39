// SPDX-License-Identifier: GPL-2.0-or-later
// Configured forwards as sockets, at a portal or at a gate: made where there are privileges, one for each port
// (value_forwards_port), and given to the edge that serves them where there are none.
#ifndef CLI_FORWARDS_H
#define CLI_FORWARDS_H

#include "base/facts.h"
#include "config/value_forward.h"
#include "edge/listen/forward/forward.h"

// The socket of one port, -1 with errno and a sentence.
int forwards_socket(const struct value_forward *port, struct fault *fault);
// Those of all, into `fds`, which has room for value_forwards_ports. False with a sentence, and then none is left.
bool forwards_listen(const struct value_forwards *forwards, int *fds, struct fault *fault);
void forwards_close(const int *fds, size_t count);

// Gives the socket of one port to the edge that serves it, in any case.
bool forwards_add(struct forward *forward, const struct value_forward *port, int fd, struct fault *fault);
// The port that listens there already leads where this one does; what is open is reset.
void forwards_lead(struct forward *forward, const struct value_forward *port);
// The list "forwards", if there are any.
void forwards_describe(const struct value_forwards *forwards, struct facts *facts);

#endif
