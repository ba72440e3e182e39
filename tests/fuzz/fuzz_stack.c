// SPDX-License-Identifier: GPL-2.0-or-later
// Applications that do anything: the input is a list of steps, each one octet and its arguments. Some steps are
// well-meant segments of a few clients, some are segments with numbers near the edges that matter, some are raw
// packets, and some are what the owner of a flow does. lwIP's asserts and ours must hold, no memory may be lost, and
// the bytes that a flow delivers in order are those of its client: each is a function of its sequence number.
#include "../unit/tcp_peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLIENTS = 3, OWNERS_MAX = 64, STEPS_MAX = 600 };

struct input {
    const uint8_t *at;
    const uint8_t *end;
};

static struct bench bench;
static struct tcp_peer clients[CLIENTS];
static struct owner *owners[OWNERS_MAX];
static unsigned owner_count;

static uint8_t next(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

// A flow that began is the bench's latest.
static void note_owner(void)
{
    if (bench.latest == NULL)
        return;
    owners[owner_count++] = bench.latest;
    bench.latest = NULL;
    bench.refuse_syn = owner_count == OWNERS_MAX;
}

static struct tcp_peer *client_of(uint32_t port)
{
    return &clients[port % CLIENTS];
}

// The SYN-ACK tells where the stream of a flow begins.
static void set_base(uint32_t port, uint32_t base)
{
    for (unsigned i = 0; i < owner_count; i++) {
        struct owner *owner = owners[i];
        if (owner->flow == NULL || !owner->accepted || owner->based || owner->tuple.inside.port != port)
            continue;
        owner->based = true;
        owner->base = base;
    }
}

static void take_segment(const struct packet_view *view)
{
    uint32_t port = get16(view->upper + 2);
    struct tcp_peer *peer = client_of(port);
    uint8_t flags = view->upper[13];
    peer->from = get32(view->upper + 4);
    peer->got_ack = get32(view->upper + 8);
    uint32_t span = view->upper_len - (uint32_t)(view->upper[12] >> 4) * 4 + ((flags & (SYN | FIN)) != 0);
    if ((flags & SYN) != 0)
        set_base(port, peer->got_ack);
    if ((flags & SYN) != 0 || peer->from == peer->ack)
        peer->ack = peer->from + span;
    if ((flags & ACK) != 0)
        peer->edge = peer->got_ack + (get16(view->upper + 14) << PEER_SCALE);
}

// What the stack sent moves the clients on.
static void take_all(void)
{
    for (unsigned i = 0; i < bench.count; i++) {
        struct packet_view view;
        if (!packet_parse(&view, bench.caught[i].bytes, bench.caught[i].len))
            abort();
        if (view.protocol == IPPROTO_TCP)
            take_segment(&view);
    }
    bench.count = 0;
}

// It repeats after 64 KiB, and lies here twice, so that any segment is one piece of it.
static const uint8_t *pattern(uint32_t seq)
{
    static uint8_t bytes[0x20000];
    static bool made;
    for (uint32_t i = 0; !made && i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31 + (i >> 8) * 7);
    made = true;
    return bytes + (seq & 0xffff);
}

static void send_segment(struct tcp_peer *peer, uint8_t flags, uint32_t seq, uint32_t len, const uint8_t *options,
                         size_t options_len)
{
    peer_send_at(peer, flags, seq, pattern(seq), len, options, options_len);
}

static uint32_t length_of(uint8_t kind, struct input *in)
{
    static const uint32_t lengths[] = {0, 1, 2, 100, 1460, 8191, 8192, 32767, 32768, 65000};
    uint32_t count = sizeof lengths / sizeof *lengths;
    return kind < count ? lengths[kind] : next(in) * 255u + next(in);
}

// A segment whose numbers are near those that matter.
static void send_odd(struct tcp_peer *peer, struct input *in)
{
    uint8_t flags = next(in);
    uint8_t where = next(in);
    uint32_t base = (where & 3) == 0 ? peer->seq : (where & 3) == 1 ? peer->edge : peer->got_ack;
    uint32_t offset = (uint32_t)(int8_t)next(in) * ((where & 4) != 0 ? 1000u : 1u);
    uint32_t len = length_of(where >> 4, in);
    uint8_t options[40];
    size_t options_len = (where & 8) != 0 ? next(in) % 11 * 4u : 0;
    for (size_t i = 0; i < options_len; i++)
        options[i] = next(in);
    uint32_t ack = peer->ack;
    if ((flags & 0x80) != 0)
        peer->ack += (uint32_t)(int8_t)next(in);
    send_segment(peer, flags & 0x7f, base + offset, len, options, options_len);
    peer->ack = ack;
}

static void send_next(struct tcp_peer *peer, struct input *in)
{
    uint8_t kind = next(in);
    uint32_t len = length_of(kind & 0x0f, in);
    uint8_t flags = (uint8_t)(ACK | ((kind & 0x10) != 0 ? PSH : 0) | ((kind & 0xe0) == 0xe0 ? FIN : 0));
    send_segment(peer, flags, peer->seq, len, NULL, 0);
    peer->seq += len + (flags & FIN);
}

static void send_raw(struct input *in)
{
    struct packet *packet = packet_new(bench.pool);
    size_t len = next(in);
    for (size_t i = 0; i < len; i++)
        packet->bytes[i] = next(in);
    packet->len = (uint32_t)len;
    packet->vnet.flags = VIRTIO_NET_HDR_F_DATA_VALID;
    bench_input(&bench, packet);
}

static void read_some(struct owner *owner, size_t most)
{
    static uint8_t room[PACKET_SIZE];
    size_t len = stack_flow_read(owner->flow, room, most < sizeof room ? most : sizeof room);
    for (size_t at = 0; at < len; at += 0x10000) // the pattern is no longer
        if (memcmp(room + at, pattern(owner->base + (uint32_t)(owner->read + at)),
                   len - at < 0x10000 ? len - at : 0x10000))
            abort();
    owner->read += len;
}

static void act_on_held(struct owner *owner, uint8_t what)
{
    if ((what & 0x07) == 0) {
        stack_flow_refuse(owner->flow, what >> 3 & 3);
        owner->flow = NULL;
    } else {
        stack_flow_accept(owner->flow);
        owner->accepted = true;
    }
}

static void act(struct owner *owner, uint8_t what, struct input *in)
{
    static const uint8_t bytes[0x10000];
    if (owner->flow == NULL)
        return;
    if ((what & 0xf8) == 0xf8) {
        stack_flow_abort(owner->flow);
        owner->flow = NULL;
    } else if (!owner->accepted) {
        act_on_held(owner, what);
    } else if ((what & 7) == 0 && !owner->finishing) {
        stack_flow_finish(owner->flow);
        owner->finishing = true;
    } else if ((what & 7) < 3) {
        read_some(owner, (what & 8) != 0 ? SIZE_MAX : next(in));
    } else if (!owner->finishing) {
        bench_write(owner, bytes, (size_t)next(in) << (what >> 4 & 7)); // at most 32,640 bytes
    }
}

static void step(struct input *in)
{
    uint8_t what = next(in);
    struct tcp_peer *peer = &clients[what % CLIENTS];
    switch (what / CLIENTS % 10) {
    case 0:
        peer->seq += next(in) * 1000u;
        peer_syn(peer);
        break;
    case 1:
    case 2:
        send_next(peer, in);
        break;
    case 3:
    case 4:
        send_odd(peer, in);
        break;
    case 5:
        send_raw(in);
        break;
    case 6:
    case 7:
        if (owner_count > 0) {
            uint8_t which = next(in);
            act(owners[owner_count - 1 - (which & 7) % owner_count], next(in), in);
        }
        break;
    case 8:
        bench.now += (usec_t)next(in) * 10 * USEC_PER_MSEC;
        stack_tick(bench.stack, bench.now);
        break;
    default:
        bench.blocked = next(in) % 16 == 0;
        stack_flush(bench.stack, next(in) % 4 == 0, bench.now);
        bench.blocked = false;
    }
    note_owner();
    take_all();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    memset(&bench, 0, sizeof bench);
    struct stack_config config = bench_config(&bench);
    uint8_t options = next(&in);
    config.offload = (options & 1) == 0;
    config.receive_budget = (options & 2) == 0 ? 64 << 20 : 100000;
    config.max_flows = 20;
    bench.spill = true;
    bench_start(&bench, &config);
    owner_count = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        peer_init(&clients[i], &bench, i == 2, (uint16_t)(3000 + i));
        clients[i].plain = (options & 4) != 0 && i == 1;
    }
    for (unsigned steps = 0; steps < STEPS_MAX && in.at < in.end; steps++)
        step(&in);
    bench_flush(&bench);
    bench_stop(&bench);
    for (unsigned i = 0; i < owner_count; i++)
        free(owners[i]);
    return 0;
}
