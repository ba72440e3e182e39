// SPDX-License-Identifier: GPL-2.0-or-later
// Hooks that lwIP compiles into itself.
#ifndef LWIP_PORT_HOOKS_H
#define LWIP_PORT_HOOKS_H

#include "lwip/ip_addr.h"

// The initial sequence number of a connection: RFC 6528. lwIP's own could be guessed.
uint32_t lwip_port_isn(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote, uint16_t remote_port);
#define LWIP_HOOK_TCP_ISN lwip_port_isn

#endif
