// SPDX-License-Identifier: GPL-2.0-or-later
// Numbers in network order, texts with their NUL, lists behind their lengths. What is decoded is whole, or nothing of it is.
#include "gate/upgrade/state_wire.h"

#include "base/cursor.h"
#include "base/memory.h"

#include <string.h>
#include <unistd.h>

static const uint8_t MAGIC[8] = {'u', 's', 'h', 'e', 'r', 'g', 's', 't'};

static void put_fd(struct writer *w, int fd)
{
    writer_u32(w, (uint32_t)fd);
}

static void put_endpoint(struct writer *w, const struct endpoint *end)
{
    writer_u8(w, end->addr.version);
    writer_bytes(w, end->addr.bytes, sizeof end->addr.bytes);
    writer_u16(w, end->port);
}

static void put_child(struct writer *w, const struct state_child *child)
{
    writer_u32(w, child->pid);
    put_fd(w, child->channel);
    writer_u8(w, child->socket >= 0);
    if (child->socket >= 0)
        put_fd(w, child->socket);
    put_endpoint(w, &child->peer);
    writer_u64(w, child->since);
    writer_u8(w, child->up);
    writer_u8(w, child->ending);
    writer_u8(w, child->draining);
    writer_u8(w, child->wants_to_leave);
    writer_u8(w, child->listens);
    writer_u8(w, child->captures);
    writer_u8(w, child->stranger);
    writer_u32(w, child->replacements);
    writer_text(w, child->name);
    writer_text(w, child->serial);
    writer_text(w, child->cipher);
    writer_u64(w, child->expires);
    writer_u32(w, child->ticket_count);
    for (uint32_t i = 0; i < child->ticket_count; i++)
        writer_bytes(w, child->tickets[i], sizeof child->tickets[i]);
}

static void put_held(struct writer *w, const struct state_held *held)
{
    writer_u32(w, held->index);
    writer_u32(w, held->count);
    for (uint32_t i = 0; i < held->count; i++)
        put_fd(w, held->sockets[i]);
    writer_u32(w, held->tun.index);
    if (!held->tun.index)
        return;
    put_fd(w, held->tun.fd);
    writer_u8(w, held->tun.offload);
    writer_u8(w, held->tun.uso);
    writer_text(w, held->tun.name);
}

size_t state_encode(const struct gate_state *state, uint8_t *room, size_t size)
{
    struct writer w = writer_over(room, size);
    writer_bytes(&w, MAGIC, sizeof MAGIC);
    writer_u32(&w, STATE_VERSION);
    writer_text(&w, state->version);
    writer_u32(&w, state->channel_version);
    writer_text(&w, state->name_or_file);
    writer_u64(&w, state->since);
    writer_u8(&w, state->retiring);
    writer_u32(&w, state->slot);
    put_fd(&w, state->lock);
    put_fd(&w, state->slots);
    put_fd(&w, state->control);
    put_fd(&w, state->handover);
    put_fd(&w, state->previous);
    writer_u8(&w, state->asker >= 0);
    if (state->asker >= 0)
        put_fd(&w, state->asker);
    writer_u32(&w, state->listener_count);
    for (uint32_t i = 0; i < state->listener_count; i++)
        put_fd(&w, state->listeners[i]);
    writer_u32(&w, state->child_count);
    for (uint32_t i = 0; i < state->child_count; i++)
        put_child(&w, &state->children[i]);
    writer_u32(&w, state->held_count);
    for (uint32_t i = 0; i < state->held_count; i++)
        put_held(&w, &state->held[i]);
    writer_u32(&w, (uint32_t)state->admission.len);
    writer_bytes(&w, state->admission.bytes, state->admission.len);
    return w.failed ? 0 : size - writer_left(&w);
}

// Standard ones are nobody's to hand over.
static int get_fd(struct reader *r)
{
    uint32_t fd = reader_u32(r);
    r->failed |= fd <= STDERR_FILENO || fd > INT32_MAX;
    return r->failed ? -1 : (int)fd;
}

static bool get_switch(struct reader *r)
{
    uint8_t value = reader_u8(r);
    r->failed |= value > 1;
    return value;
}

static void get_text(struct reader *r, char *room, size_t size)
{
    const char *text = reader_text(r);
    r->failed |= !text || strlen(text) >= size;
    if (!r->failed)
        strcpy(room, text);
}

static struct endpoint get_endpoint(struct reader *r)
{
    struct endpoint end = {.addr.version = reader_u8(r)};
    const uint8_t *bytes = reader_bytes(r, sizeof end.addr.bytes);
    end.port = reader_u16(r);
    r->failed |= end.addr.version != 4 && end.addr.version != 6;
    if (!r->failed)
        memcpy(end.addr.bytes, bytes, sizeof end.addr.bytes);
    return end;
}

// How many there are, each of `size` bytes at least; so no more memory is asked for than the bytes deserve.
static uint32_t get_count(struct reader *r, size_t size)
{
    uint32_t count = reader_u32(r);
    r->failed |= count > STATE_FDS_MAX || count > reader_left(r) / size;
    return r->failed ? 0 : count;
}

static void get_child(struct reader *r, struct state_child *child)
{
    child->pid = reader_u32(r);
    r->failed |= child->pid <= 1 || child->pid > INT32_MAX;
    child->channel = get_fd(r);
    child->socket = get_switch(r) ? get_fd(r) : -1;
    child->peer = get_endpoint(r);
    child->since = reader_u64(r);
    child->up = get_switch(r);
    child->ending = get_switch(r);
    child->draining = get_switch(r);
    child->wants_to_leave = get_switch(r);
    child->listens = get_switch(r);
    child->captures = get_switch(r);
    child->stranger = get_switch(r);
    child->replacements = reader_u32(r);
    get_text(r, child->name, sizeof child->name);
    get_text(r, child->serial, sizeof child->serial);
    get_text(r, child->cipher, sizeof child->cipher);
    child->expires = reader_u64(r);
    child->ticket_count = reader_u32(r);
    r->failed |= child->ticket_count > STATE_TICKETS_MAX;
    for (uint32_t i = 0; i < child->ticket_count && !r->failed; i++) {
        const uint8_t *number = reader_bytes(r, sizeof child->tickets[i]);
        if (number)
            memcpy(child->tickets[i], number, sizeof child->tickets[i]);
    }
}

static void get_held(struct reader *r, struct state_held *held)
{
    held->index = reader_u32(r);
    held->count = get_count(r, 4);
    held->sockets = memory_new((held->count + 1) * sizeof *held->sockets);
    for (uint32_t i = 0; i < held->count; i++)
        held->sockets[i] = get_fd(r);
    held->tun.index = reader_u32(r);
    if (!held->tun.index || r->failed)
        return;
    held->tun.fd = get_fd(r);
    held->tun.offload = get_switch(r);
    held->tun.uso = get_switch(r);
    get_text(r, held->tun.name, sizeof held->tun.name);
}

static void get_lists(struct reader *r, struct gate_state *out)
{
    out->listener_count = get_count(r, 4);
    out->listeners = memory_new((out->listener_count + 1) * sizeof *out->listeners);
    for (uint32_t i = 0; i < out->listener_count; i++)
        out->listeners[i] = get_fd(r);
    uint32_t children = get_count(r, 60);
    out->children = memory_new((children + 1) * sizeof *out->children);
    for (; out->child_count < children && !r->failed; out->child_count++)
        get_child(r, &out->children[out->child_count]);
    uint32_t held = get_count(r, 12);
    out->held = memory_new((held + 1) * sizeof *out->held);
    for (; out->held_count < held && !r->failed; out->held_count++)
        get_held(r, &out->held[out->held_count]);
    uint32_t len = reader_u32(r);
    const uint8_t *bytes = reader_bytes(r, len);
    if (!bytes)
        return;
    out->admission.bytes = memory_new((size_t)len + 1);
    out->admission.len = len;
    memcpy(out->admission.bytes, bytes, len);
}

static void get_all(struct reader *r, struct gate_state *out)
{
    get_text(r, out->version, sizeof out->version);
    out->channel_version = reader_u32(r);
    get_text(r, out->name_or_file, sizeof out->name_or_file);
    out->since = reader_u64(r);
    out->retiring = get_switch(r);
    out->slot = reader_u32(r);
    out->lock = get_fd(r);
    out->slots = get_fd(r);
    out->control = get_fd(r);
    out->handover = get_fd(r);
    out->previous = get_fd(r);
    out->asker = get_switch(r) ? get_fd(r) : -1;
    if (!r->failed)
        get_lists(r, out);
}

bool state_decode(struct gate_state *out, const uint8_t *bytes, size_t len, struct fault *fault)
{
    struct reader r = reader_over(bytes, len);
    *out = (struct gate_state){.asker = -1};
    const uint8_t *magic = reader_bytes(&r, sizeof MAGIC);
    if (!magic || memcmp(magic, MAGIC, sizeof MAGIC) != 0)
        return fault_set(fault, "what was left to it is no state of a gate");
    uint32_t version = reader_u32(&r);
    if (!r.failed && version != STATE_VERSION)
        return fault_set(fault, "it reads states of version %d, not %u: the gate has to be started again",
                         STATE_VERSION, version);
    get_all(&r, out);
    if (!r.failed && reader_left(&r) == 0)
        return true;
    state_fini(out);
    return fault_set(fault, "the state that was left to it is not whole");
}
