// SPDX-License-Identifier: GPL-2.0-or-later
// A TUN device from the process that makes it to the one that reads it, which may be in another network.
#ifndef OS_TUN_PASS_H
#define OS_TUN_PASS_H

#include "os/tun/tun.h"

#include <stdbool.h>

// Over a socket of AF_UNIX that keeps messages apart. The sender closes its own.
bool tun_send(int socket, const struct tun *tun, struct fault *fault);
// Waits for it; false when the other end is gone, or says something else.
bool tun_receive(int socket, struct tun *out);

#endif
