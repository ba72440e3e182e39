// SPDX-License-Identifier: GPL-2.0-or-later
// IP protocols that sessions are opened for, as people write them.
#ifndef BASE_PROTOCOL_H
#define BASE_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

// "tcp", "udp", "icmp", "icmpv6"; "?" for any other.
const char *protocol_text(uint8_t protocol);
// "tcp", "udp" or "icmp", which stands for ICMPv6 too, in letters of any case.
bool protocol_parse(uint8_t *out, const char *text);

#endif
