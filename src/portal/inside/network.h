// SPDX-License-Identifier: GPL-2.0-or-later
// The network that the command has: loopback, and a TUN device that takes all the rest.
#ifndef PORTAL_INSIDE_NETWORK_H
#define PORTAL_INSIDE_NETWORK_H

#include "config/portal_conf.h"
#include "os/tun/tun.h"

// Where no Address of the family is configured. The first is of those that RFC 7335 keeps for an end like this one; the
// second is of a prefix of our own (RFC 4193), as in names. The far side never sees either.
#define NETWORK_ADDRESS4 "192.0.0.2/32"
#define NETWORK_ADDRESS6 "fd75:7368:6572:1::2/128"

// In the namespace, with all rights in it. The device is the caller's.
bool network_make(const struct portal_conf *conf, struct tun *out, struct fault *fault);

#endif
