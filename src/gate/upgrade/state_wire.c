// SPDX-License-Identifier: GPL-2.0-or-later
// One walk says what a state consists of (base/wire.h). What is decoded is whole, or nothing of it is.
#include "gate/upgrade/state_wire.h"

#include "base/memory.h"
#include "base/wire.h"

#include <string.h>
#include <unistd.h>

static const uint8_t MAGIC[8] = {'u', 's', 'h', 'e', 'r', 'g', 's', 't'};

// Standard ones are nobody's to hand over.
static void descriptor(struct wire *wire, int *fd)
{
    uint32_t number = (uint32_t)*fd;
    wire_u32(wire, &number);
    bool good = wire_require(wire, number > STDERR_FILENO && number <= INT32_MAX);
    if (wire->reads)
        *fd = good ? (int)number : -1;
}

static void descriptor_if_any(struct wire *wire, int *fd)
{
    bool any = *fd >= 0;
    wire_switch(wire, &any);
    if (any)
        descriptor(wire, fd);
    else if (wire->reads)
        *fd = -1;
}

// How many there are, each of `size` bytes at least; so no more memory is asked for than the bytes deserve.
static uint32_t counted(struct wire *wire, uint32_t count, size_t size)
{
    wire_u32(wire, &count);
    bool good = wire_require(wire, count <= STATE_FDS_MAX && count <= reader_left(&wire->r) / size);
    return good ? count : 0;
}

static void descriptors(struct wire *wire, int **fds, uint32_t *count)
{
    uint32_t all = counted(wire, *count, 4);
    if (wire->reads) {
        *fds = memory_new((all + 1) * sizeof **fds);
        *count = all;
    }
    for (uint32_t i = 0; i < all; i++)
        descriptor(wire, &(*fds)[i]);
}

static void tickets(struct wire *wire, struct state_child *child)
{
    wire_u32(wire, &child->ticket_count);
    if (!wire_require(wire, child->ticket_count <= STATE_TICKETS_MAX))
        return;
    for (uint32_t i = 0; i < child->ticket_count; i++)
        wire_bytes(wire, child->tickets[i], sizeof child->tickets[i]);
}

static void child(struct wire *wire, struct state_child *child)
{
    wire_u32(wire, &child->pid);
    wire_require(wire, child->pid > 1 && child->pid <= INT32_MAX);
    descriptor(wire, &child->channel);
    descriptor_if_any(wire, &child->socket);
    wire_endpoint(wire, &child->peer);
    wire_require(wire, child->peer.addr.version != 0);
    wire_u64(wire, &child->since);
    wire_switch(wire, &child->up);
    wire_switch(wire, &child->ending);
    wire_switch(wire, &child->draining);
    wire_switch(wire, &child->wants_to_leave);
    wire_switch(wire, &child->listens);
    wire_switch(wire, &child->captures);
    wire_switch(wire, &child->stranger);
    wire_u32(wire, &child->replacements);
    wire_text(wire, child->name, sizeof child->name);
    wire_text(wire, child->serial, sizeof child->serial);
    wire_text(wire, child->cipher, sizeof child->cipher);
    wire_u64(wire, &child->expires);
    tickets(wire, child);
}

static void children(struct wire *wire, struct gate_state *state)
{
    uint32_t all = counted(wire, state->child_count, 60);
    if (wire->reads) {
        state->children = memory_new((all + 1) * sizeof *state->children);
        state->child_count = all;
    }
    for (uint32_t i = 0; i < all; i++)
        child(wire, &state->children[i]);
}

static void held(struct wire *wire, struct state_held *held)
{
    wire_u32(wire, &held->index);
    descriptors(wire, &held->sockets, &held->count);
    wire_u32(wire, &held->tun.index);
    if (!held->tun.index || wire_failed(wire))
        return;
    descriptor(wire, &held->tun.fd);
    wire_switch(wire, &held->tun.offload);
    wire_switch(wire, &held->tun.uso);
    wire_text(wire, held->tun.name, sizeof held->tun.name);
}

static void all_held(struct wire *wire, struct gate_state *state)
{
    uint32_t all = counted(wire, state->held_count, 12);
    if (wire->reads) {
        state->held = memory_new((all + 1) * sizeof *state->held);
        state->held_count = all;
    }
    for (uint32_t i = 0; i < all; i++)
        held(wire, &state->held[i]);
}

static void admission(struct wire *wire, struct blob *blob)
{
    uint32_t len = (uint32_t)blob->len;
    wire_u32(wire, &len);
    if (!wire_require(wire, len <= reader_left(&wire->r)))
        return;
    if (wire->reads)
        *blob = (struct blob){memory_new((size_t)len + 1), len};
    wire_bytes(wire, blob->bytes, len);
}

static void all(struct wire *wire, struct gate_state *state)
{
    wire_text(wire, state->version, sizeof state->version);
    wire_u32(wire, &state->channel_version);
    wire_text(wire, state->name_or_file, sizeof state->name_or_file);
    wire_u64(wire, &state->since);
    wire_switch(wire, &state->retiring);
    wire_u32(wire, &state->slot);
    descriptor(wire, &state->lock);
    descriptor(wire, &state->slots);
    descriptor(wire, &state->control);
    descriptor(wire, &state->handover);
    descriptor(wire, &state->previous);
    descriptor_if_any(wire, &state->asker);
    descriptors(wire, &state->listeners, &state->listener_count);
    children(wire, state);
    all_held(wire, state);
    admission(wire, &state->admission);
}

size_t state_encode(const struct gate_state *state, uint8_t *room, size_t size)
{
    struct wire wire = wire_writing(room, size);
    writer_bytes(&wire.w, MAGIC, sizeof MAGIC);
    writer_u32(&wire.w, STATE_VERSION);
    all(&wire, (struct gate_state *)state); // writing changes nothing
    return wire_failed(&wire) ? 0 : size - writer_left(&wire.w);
}

bool state_decode(struct gate_state *out, const uint8_t *bytes, size_t len, struct fault *fault)
{
    struct wire wire = wire_reading(bytes, len);
    *out = (struct gate_state){.asker = -1};
    const uint8_t *magic = reader_bytes(&wire.r, sizeof MAGIC);
    if (!magic || memcmp(magic, MAGIC, sizeof MAGIC) != 0)
        return fault_set(fault, "what was left to it is no state of a gate");
    uint32_t version = reader_u32(&wire.r);
    if (!wire_failed(&wire) && version != STATE_VERSION)
        return fault_set(fault, "it reads states of version %d, not %u: the gate has to be started again",
                         STATE_VERSION, version);
    all(&wire, out);
    if (!wire_failed(&wire) && reader_left(&wire.r) == 0)
        return true;
    state_fini(out);
    return fault_set(fault, "the state that was left to it is not whole");
}
