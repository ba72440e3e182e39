// SPDX-License-Identifier: GPL-2.0-or-later
// The one place with file-scope state on our side of lwIP: lwIP's hooks get no argument of ours.
#ifndef LWIP_PORT_PORT_H
#define LWIP_PORT_PORT_H

#include "base/clock.h"
#include "base/hash.h"

// Initialises lwIP, once a process however often it is called.
void lwip_port_start(void);
// Key and clock for the initial sequence numbers of the connections that lwIP accepts from now on.
void lwip_port_seed_isn(const struct hash_key *key, usec_t now);

#endif
