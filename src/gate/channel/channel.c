// SPDX-License-Identifier: GPL-2.0-or-later
// Encoding is for our own; decoding trusts nobody: lengths are exact, texts end within the message, numbers fit.

#include "gate/channel/channel.h"

#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void put_locals(struct writer *w, const struct channel_message *message)
{
    writer_u32(w, (uint32_t)message->locals.count);
    for (size_t i = 0; i < message->locals.count; i++) {
        const struct prefix *prefix = &message->locals.prefixes[i];
        writer_u8(w, prefix->addr.version);
        writer_u8(w, prefix->len);
        writer_bytes(w, prefix->addr.bytes, sizeof prefix->addr.bytes);
    }
}

static void get_locals(struct reader *r, struct channel_message *out)
{
    uint32_t count = reader_u32(r);
    if (count > CHANNEL_LOCALS_MAX) {
        r->failed = true;
        return;
    }
    out->locals.count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct prefix *prefix = &out->locals.prefixes[i];
        uint8_t version = prefix->addr.version = reader_u8(r);
        prefix->len = reader_u8(r);
        const uint8_t *bytes = reader_bytes(r, sizeof prefix->addr.bytes);
        if (!bytes || (version != 4 && version != 6) || prefix->len > (version == 4 ? 32 : 128)) {
            r->failed = true;
            return;
        }
        memcpy(prefix->addr.bytes, bytes, sizeof prefix->addr.bytes);
    }
}

static void get_text(struct reader *r, char *room, size_t size)
{
    const char *text = reader_text(r);
    if (!text || strlen(text) >= size) {
        r->failed = true;
        return;
    }
    strcpy(room, text);
}

static void put_address(struct writer *w, const struct address *addr)
{
    writer_u8(w, addr->version);
    writer_bytes(w, addr->bytes, sizeof addr->bytes);
}

static void get_address(struct reader *r, struct address *out)
{
    static const uint8_t unused[sizeof out->bytes];
    uint8_t version = out->version = reader_u8(r);
    size_t used = version == 6 ? 16 : version;
    const uint8_t *bytes = reader_bytes(r, sizeof out->bytes);
    if (!bytes || (version != 0 && version != 4 && version != 6) || memcmp(bytes + used, unused, sizeof unused - used))
        r->failed = true;
    else
        memcpy(out->bytes, bytes, sizeof out->bytes);
}

static void put_endpoint(struct writer *w, const struct endpoint *ep)
{
    put_address(w, &ep->addr);
    writer_u16(w, ep->port);
}

static void get_endpoint(struct reader *r, struct endpoint *out)
{
    get_address(r, &out->addr);
    out->port = reader_u16(r);
}

static void put_denials(struct writer *w, const struct channel_message *message)
{
    writer_u8(w, (uint8_t)message->denials.count);
    for (size_t i = 0; i < message->denials.count; i++) {
        const struct channel_denial *denial = &message->denials.items[i];
        writer_u8(w, denial->protocol);
        put_address(w, &denial->from);
        put_endpoint(w, &denial->to);
        writer_u32(w, denial->line);
        writer_u64(w, denial->count);
        writer_u64(w, denial->first);
        writer_u64(w, denial->last);
        writer_text(w, denial->host);
        writer_text(w, denial->rule);
    }
}

static void get_denials(struct reader *r, struct channel_message *out)
{
    uint8_t count = reader_u8(r);
    if (count > CHANNEL_DENIALS_MAX) {
        r->failed = true;
        return;
    }
    out->denials.count = count;
    for (size_t i = 0; i < count && !r->failed; i++) {
        struct channel_denial *denial = &out->denials.items[i];
        denial->protocol = reader_u8(r);
        get_address(r, &denial->from);
        get_endpoint(r, &denial->to);
        denial->line = reader_u32(r);
        denial->count = reader_u64(r);
        denial->first = reader_u64(r);
        denial->last = reader_u64(r);
        get_text(r, denial->host, sizeof denial->host);
        get_text(r, denial->rule, sizeof denial->rule);
    }
}

static void get_ticket(struct reader *r, uint8_t ticket[TLS_TICKET_SIZE])
{
    const uint8_t *bytes = reader_bytes(r, TLS_TICKET_SIZE);
    if (bytes)
        memcpy(ticket, bytes, TLS_TICKET_SIZE);
}

// What can be said of a connection, and of whom only where there is somebody.
static void get_whose(struct reader *r, struct channel_message *out)
{
    out->whose.id = reader_u32(r);
    uint8_t found = reader_u8(r);
    out->whose.found = (enum forwarded)found;
    get_endpoint(r, &out->whose.peer);
    bool is_somebody = out->whose.peer.addr.version != 0;
    r->failed |= found == FORWARDED_PARTIAL || found >= FORWARDED_COUNT || is_somebody != (found == FORWARDED_PEER);
}

static bool get_switch(struct reader *r)
{
    uint8_t value = reader_u8(r);
    r->failed |= value > 1;
    return value;
}

static void get_facts(struct reader *r, struct channel_message *out)
{
    out->facts.sessions = reader_u32(r);
    out->facts.bytes_in = reader_u64(r);
    out->facts.bytes_out = reader_u64(r);
    size_t len = reader_left(r);
    const uint8_t *bytes = reader_bytes(r, len);
    if (r->failed)
        return;
    struct reader check = reader_over(bytes, len);
    if (len > sizeof out->facts.bytes || !facts_wire_read(&check, NULL)) {
        r->failed = true;
        return;
    }
    out->facts.len = len;
    memcpy(out->facts.bytes, bytes, len);
}

static void get_audit(struct reader *r, struct channel_message *out)
{
    struct audit_record record;
    out->audit.lost = reader_u32(r);
    size_t len = reader_left(r);
    const uint8_t *bytes = reader_bytes(r, len);
    if (r->failed || len > sizeof out->audit.bytes) {
        r->failed = true;
        return;
    }
    struct reader check = reader_over(bytes, len);
    while (reader_left(&check) && audit_record_read(&check, &record))
        ;
    r->failed |= check.failed;
    out->audit.len = len;
    memcpy(out->audit.bytes, bytes, len);
}

static void put_place(struct writer *w, const struct channel_place *place)
{
    writer_u64(w, place->began);
    writer_u64(w, place->mark);
}

static void get_place(struct reader *r, struct channel_place *out)
{
    out->began = reader_u64(r);
    out->mark = reader_u64(r);
}

static void get_flows(struct reader *r, struct channel_message *out)
{
    struct audit_record record;
    out->flows.more = get_switch(r);
    get_place(r, &out->flows.last);
    size_t len = reader_left(r);
    const uint8_t *bytes = reader_bytes(r, len);
    if (r->failed || len > sizeof out->flows.bytes) {
        r->failed = true;
        return;
    }
    struct reader check = reader_over(bytes, len);
    while (reader_left(&check) && audit_record_read(&check, &record))
        check.failed |= record.kind != AUDIT_SESSION;
    r->failed |= check.failed;
    out->flows.len = len;
    memcpy(out->flows.bytes, bytes, len);
}

size_t channel_encode(const struct channel_message *message, uint8_t *room, size_t size)
{
    struct writer w = writer_over(room, size);
    writer_u8(&w, (uint8_t)message->type);
    switch (message->type) {
    case CHANNEL_LOCALS:
        put_locals(&w, message);
        break;
    case CHANNEL_POLL:
    case CHANNEL_EXPORT_BACK:
    case CHANNEL_SERVE:
    case CHANNEL_FORWARDS_OVER:
    case CHANNEL_LEAVING:
        break;
    case CHANNEL_TICKET:
    case CHANNEL_SHOWN:
        writer_bytes(&w, message->ticket, sizeof message->ticket);
        break;
    case CHANNEL_LANE:
        writer_u32(&w, message->lane.id);
        writer_bytes(&w, message->lane.ticket, sizeof message->lane.ticket);
        put_endpoint(&w, &message->lane.peer);
        break;
    case CHANNEL_PEER:
        put_endpoint(&w, &message->peer);
        break;
    case CHANNEL_CAME:
        writer_u32(&w, message->came.id);
        writer_u32(&w, message->came.timeout_ms);
        break;
    case CHANNEL_WHOSE:
        writer_u32(&w, message->whose.id);
        writer_u8(&w, (uint8_t)message->whose.found);
        put_endpoint(&w, &message->whose.peer);
        break;
    case CHANNEL_CARRIED:
        writer_u32(&w, message->carried);
        break;
    case CHANNEL_DRAIN:
        writer_u64(&w, message->drain.timeout_ms);
        break;
    case CHANNEL_LIST:
        put_place(&w, &message->list);
        break;
    case CHANNEL_FLOWS:
        writer_u8(&w, message->flows.more);
        put_place(&w, &message->flows.last);
        writer_bytes(&w, message->flows.bytes, message->flows.len);
        break;
    case CHANNEL_AUDIT:
        writer_u32(&w, message->audit.lost);
        writer_bytes(&w, message->audit.bytes, message->audit.len);
        break;
    case CHANNEL_NEWS:
        writer_u32(&w, message->news.size);
        break;
    case CHANNEL_END:
    case CHANNEL_REFUSED:
        writer_text(&w, message->text);
        break;
    case CHANNEL_UP:
        writer_text(&w, message->up.name);
        writer_text(&w, message->up.serial);
        writer_text(&w, message->up.cipher);
        writer_u64(&w, message->up.expires);
        break;
    case CHANNEL_FACTS:
        writer_u32(&w, message->facts.sessions);
        writer_u64(&w, message->facts.bytes_in);
        writer_u64(&w, message->facts.bytes_out);
        writer_bytes(&w, message->facts.bytes, message->facts.len);
        break;
    case CHANNEL_DENIALS:
        put_denials(&w, message);
        break;
    case CHANNEL_FORWARDS:
        writer_u32(&w, message->forwards.first);
        break;
    case CHANNEL_EXPORT:
        writer_text(&w, message->export.device);
        writer_u32(&w, message->export.index);
        writer_u8(&w, message->export.offload);
        writer_u8(&w, message->export.uso);
        break;
    }
    return w.failed ? 0 : size - writer_left(&w);
}

bool channel_decode(struct channel_message *out, const uint8_t *bytes, size_t len)
{
    struct reader r = reader_over(bytes, len);
    out->type = (enum channel_type)reader_u8(&r);
    switch (out->type) {
    case CHANNEL_LOCALS:
        get_locals(&r, out);
        break;
    case CHANNEL_POLL:
    case CHANNEL_EXPORT_BACK:
    case CHANNEL_SERVE:
    case CHANNEL_FORWARDS_OVER:
    case CHANNEL_LEAVING:
        break;
    case CHANNEL_TICKET:
    case CHANNEL_SHOWN:
        get_ticket(&r, out->ticket);
        break;
    case CHANNEL_LANE:
        out->lane.id = reader_u32(&r);
        get_ticket(&r, out->lane.ticket);
        get_endpoint(&r, &out->lane.peer);
        break;
    case CHANNEL_PEER:
        get_endpoint(&r, &out->peer);
        break;
    case CHANNEL_CAME:
        out->came.id = reader_u32(&r);
        out->came.timeout_ms = reader_u32(&r);
        break;
    case CHANNEL_WHOSE:
        get_whose(&r, out);
        break;
    case CHANNEL_CARRIED:
        out->carried = reader_u32(&r);
        break;
    case CHANNEL_DRAIN:
        out->drain.timeout_ms = reader_u64(&r);
        break;
    case CHANNEL_LIST:
        get_place(&r, &out->list);
        break;
    case CHANNEL_FLOWS:
        get_flows(&r, out);
        break;
    case CHANNEL_AUDIT:
        get_audit(&r, out);
        break;
    case CHANNEL_NEWS:
        out->news.size = reader_u32(&r);
        break;
    case CHANNEL_END:
    case CHANNEL_REFUSED:
        get_text(&r, out->text, sizeof out->text);
        break;
    case CHANNEL_UP:
        get_text(&r, out->up.name, sizeof out->up.name);
        get_text(&r, out->up.serial, sizeof out->up.serial);
        get_text(&r, out->up.cipher, sizeof out->up.cipher);
        out->up.expires = reader_u64(&r);
        break;
    case CHANNEL_FACTS:
        get_facts(&r, out);
        break;
    case CHANNEL_DENIALS:
        get_denials(&r, out);
        break;
    case CHANNEL_FORWARDS:
        out->forwards.first = reader_u32(&r);
        break;
    case CHANNEL_EXPORT:
        get_text(&r, out->export.device, sizeof out->export.device);
        out->export.index = reader_u32(&r);
        out->export.offload = get_switch(&r);
        out->export.uso = get_switch(&r);
        break;
    default:
        return false;
    }
    return !r.failed && reader_left(&r) == 0;
}

// Room for the descriptors of one message, aligned as the kernel wants it.
union fds_room {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(CHANNEL_FDS_MAX * sizeof(int))];
};

static bool send_bytes(int fd, struct iovec *iov, const int *fds, size_t count, int flags)
{
    union fds_room control = {0};
    struct msghdr header = {.msg_iov = iov, .msg_iovlen = 1};
    if (count) {
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(count * sizeof *fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        *c = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(count * sizeof *fds)};
        memcpy(CMSG_DATA(c), fds, count * sizeof *fds);
    }
    return sendmsg(fd, &header, MSG_NOSIGNAL | flags) == (ssize_t)iov->iov_len;
}

// The room for a message is no part of the stack, which would keep it.
static bool send_with(int fd, const struct channel_message *message, const int *fds, size_t count, int flags)
{
    uint8_t *room = memory_resize(NULL, CHANNEL_BYTES_MAX);
    struct iovec iov = {.iov_base = room, .iov_len = channel_encode(message, room, CHANNEL_BYTES_MAX)};
    bool fits = iov.iov_len && count <= CHANNEL_FDS_MAX;
    bool sent = fits && send_bytes(fd, &iov, fds, count, flags);
    int error = fits ? errno : EMSGSIZE;
    free(room);
    errno = error;
    return sent;
}

bool channel_send_fds(int fd, const struct channel_message *message, const int *fds, size_t count)
{
    return send_with(fd, message, fds, count, 0);
}

bool channel_try_send(int fd, const struct channel_message *message)
{
    return send_with(fd, message, NULL, 0, MSG_DONTWAIT);
}

bool channel_send(int fd, const struct channel_message *message)
{
    return channel_send_fds(fd, message, NULL, 0);
}

// What a receiving call brought: `len` bytes, -1 with errno.
static enum channel_result take(struct channel_message *out, const uint8_t *room, ssize_t len)
{
    if (len < 0)
        return errno == EAGAIN ? CHANNEL_EMPTY : CHANNEL_CLOSED;
    if (len == 0)
        return CHANNEL_CLOSED;
    return len <= CHANNEL_BYTES_MAX && channel_decode(out, room, (size_t)len) ? CHANNEL_TAKEN : CHANNEL_BROKEN;
}

enum channel_result channel_receive(int fd, struct channel_message *out)
{
    uint8_t *room = memory_resize(NULL, CHANNEL_BYTES_MAX);
    ssize_t len;
    do
        len = recv(fd, room, CHANNEL_BYTES_MAX, MSG_TRUNC);
    while (len < 0 && errno == EINTR);
    enum channel_result result = take(out, room, len);
    free(room);
    return result;
}

static size_t get_fds(struct msghdr *header, int fds[CHANNEL_FDS_MAX])
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(header);
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return 0;
    size_t size = c->cmsg_len - CMSG_LEN(0);
    memcpy(fds, CMSG_DATA(c), size);
    return size / sizeof *fds;
}

enum channel_result channel_receive_fds(int fd, struct channel_message *out, int fds[CHANNEL_FDS_MAX], size_t *count)
{
    uint8_t *room = memory_resize(NULL, CHANNEL_BYTES_MAX);
    union fds_room control;
    struct iovec iov = {.iov_base = room, .iov_len = CHANNEL_BYTES_MAX};
    struct msghdr header = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t len;
    do
        len = recvmsg(fd, &header, MSG_TRUNC | MSG_CMSG_CLOEXEC);
    while (len < 0 && errno == EINTR);
    *count = len > 0 ? get_fds(&header, fds) : 0;
    enum channel_result result = take(out, room, len);
    free(room);
    for (; result != CHANNEL_TAKEN && *count > 0; --*count)
        close(fds[*count - 1]);
    return result;
}
