// SPDX-License-Identifier: GPL-2.0-or-later
// Host names: letters, digits, hyphens and underscores in labels of 1 to 63, 253 in all (RFC 1035 section 2.3.4), the last
// label not numeric. One dot at the end (a fully qualified name) counts for nothing.
#ifndef BASE_HOST_NAME_H
#define BASE_HOST_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool host_name_is_valid(const char *host);
// Bytes of it without the dot at its end.
size_t host_name_length(const char *host);

// "gate.example.net:4433", "[fd00::1]:4433": a name or an address with its port.
#define HOST_PORT_TEXT_SIZE 264
const char *host_port_text(char *room, size_t size, const char *host, uint16_t port);

#endif
