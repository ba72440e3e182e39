// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/upgrade/state_file.h"

#include "base/memory.h"
#include "gate/upgrade/state_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATE_MAX = 64 * 1024 * 1024 }; // bytes

static size_t room_for(const struct gate_state *state)
{
    size_t size =
        sizeof *state + state->listener_count * 4 + state->child_count * sizeof *state->children + state->admission.len;
    for (uint32_t i = 0; i < state->held_count; i++)
        size += sizeof *state->held + state->held[i].count * 4;
    return size;
}

int state_write(const struct gate_state *state, struct fault *fault)
{
    size_t size = room_for(state);
    uint8_t *room = memory_new(size);
    size_t len = state_encode(state, room, size);
    int fd = memfd_create("usher-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool ok = len && len <= STATE_MAX && fd >= 0 && write(fd, room, len) == (ssize_t)len &&
              fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0;
    free(room);
    if (ok)
        return fd;
    fault_errno(fault, errno, "memory file for the next program");
    if (fd >= 0)
        close(fd);
    return -1;
}

bool state_read(struct gate_state *out, int fd, struct fault *fault)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > STATE_MAX)
        return fault_set(fault, "no state was left to it");
    void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return fault_errno(fault, errno, "what was left to it");
    bool ok = state_decode(out, bytes, (size_t)st.st_size, fault);
    munmap(bytes, (size_t)st.st_size);
    return ok;
}
