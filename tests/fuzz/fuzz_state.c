// SPDX-License-Identifier: GPL-2.0-or-later
// What a supervisor leaves to the next program, in which workers have names of their own: whatever is taken is written again as
// the same bytes.
#include "gate/upgrade/state_wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct gate_state state;
    struct fault fault;
    if (!state_decode(&state, bytes, len, &fault))
        return 0;
    uint8_t *room = malloc(len);
    if (state_encode(&state, room, len) != len || memcmp(room, bytes, len) != 0)
        abort();
    free(room);
    state_fini(&state);
    return 0;
}
