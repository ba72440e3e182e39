// SPDX-License-Identifier: GPL-2.0-or-later
// What one side may have said, judged from the bytes that it pulled and was fed: doc/PROTOCOL.md written down a second
// time, without a look into the engine. Between two of us both ends know a session by the same id.
#ifndef SIM_WIRE_H
#define SIM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire;

struct wire *wire_new(bool server);
void wire_free(struct wire *wire);
void wire_sent(struct wire *wire, const uint8_t *bytes, size_t len);
void wire_received(struct wire *wire, const uint8_t *bytes, size_t len);
// No session is left in any state but unused.
bool wire_is_quiet(const struct wire *wire);

#endif
