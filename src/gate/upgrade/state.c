// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/upgrade/state.h"

#include <fcntl.h>
#include <stdlib.h>

void state_fini(struct gate_state *state)
{
    for (uint32_t i = 0; state->held && i < state->held_count; i++)
        free(state->held[i].sockets);
    free(state->held);
    free(state->children);
    free(state->listeners);
    blob_wipe(&state->admission);
    *state = (struct gate_state){.asker = -1};
}

static bool keep(int fd, bool kept)
{
    return fcntl(fd, F_SETFD, kept ? 0 : FD_CLOEXEC) == 0;
}

bool state_keep_open(const struct gate_state *state, bool kept)
{
    bool ok = keep(state->lock, kept) && keep(state->slots, kept) && keep(state->control, kept) &&
              keep(state->handover, kept) && keep(state->previous, kept);
    if (state->asker >= 0)
        ok &= keep(state->asker, kept);
    for (uint32_t i = 0; i < state->listener_count; i++)
        ok &= keep(state->listeners[i], kept);
    for (uint32_t i = 0; i < state->child_count; i++) {
        ok &= keep(state->children[i].channel, kept);
        if (state->children[i].socket >= 0)
            ok &= keep(state->children[i].socket, kept);
    }
    for (uint32_t i = 0; i < state->held_count; i++) {
        for (uint32_t n = 0; n < state->held[i].count; n++)
            ok &= keep(state->held[i].sockets[n], kept);
        if (state->held[i].tun.index)
            ok &= keep(state->held[i].tun.fd, kept);
    }
    return ok;
}
