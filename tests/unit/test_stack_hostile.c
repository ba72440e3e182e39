// SPDX-License-Identifier: GPL-2.0-or-later
// What comes from applications, or from somebody near them, that is no proper TCP.
#include "tcp_peer.h"
#include "unit.h"

static struct bench bench;
static uint8_t data[PACKET_SIZE];
static uint8_t room[1 << 20];

static int start(void **state)
{
    (void)state;
    struct stack_config config = bench_config(&bench);
    bench = (struct bench){.key = bench.key};
    bench_start(&bench, &config);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    bench_stop(&bench);
    return 0;
}

static void finish_with(struct tcp_peer *peer, struct owner *owner)
{
    if (owner->flow != NULL)
        stack_flow_abort(owner->flow);
    bench_flush(&bench);
    bench.count = 0;
    peer_free(peer);
    free(owner);
}

// Data out of order that reach beyond the window, then the hole filled: an assert of lwIP if it saw them.
static void data_beyond_the_window_are_cut(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int32_t seq; // from the right edge
        uint32_t len;
        uint8_t flags;
    } cases[] = {
        {"across the edge", -1000, 3000, ACK},
        {"across the edge, with FIN", -1000, 3000, ACK | FIN},
        {"up to the edge, with FIN", -1000, 1000, ACK | FIN},
        {"the last number is the FIN's", -1001, 1000, ACK | FIN},
        {"at the edge", 0, 100, ACK},
        {"behind the edge", 1000, 100, ACK},
        {"across the edge by much", -60000, 65000, ACK},
        {"twice, the second longer", -1000, 900, ACK},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tcp_peer peer;
        peer_init(&peer, &bench, i % 2, 1000);
        struct owner *owner = peer_connect(&peer);
        peer_send(&peer, ACK, data, 60000); // now the whole window is announced
        bench_flush(&bench);
        peer_take_all(&peer);
        uint32_t edge = peer.edge;
        for (int times = 0; times < 2; times++)
            peer_send_at(&peer, cases[i].flags, edge + (uint32_t)cases[i].seq, data,
                         cases[i].len + (uint32_t)times * 500, NULL, 0);
        bench_flush(&bench);
        while ((int32_t)(edge - peer.seq) > 0) { // the hole, and what lies beyond
            size_t len = edge - peer.seq < 65000 ? edge - peer.seq + 100 : 65000;
            peer_send(&peer, ACK, data, len);
            bench_flush(&bench);
            peer_take_all(&peer);
        }
        CASE(cases[i].name, owner->ended == 0 && owner->finished == 0);
        CASE(cases[i].name, stack_flow_waiting(owner->flow) + peer.seq - peer.got_ack >= 262144);
        CASE(cases[i].name, stack_flow_waiting(owner->flow) <= 262144 + 128);
        finish_with(&peer, owner);
    }
    assert_int_not_equal(stack_counters(bench.stack)->shielded, 0);
}

static void a_fin_out_of_order_waits_for_its_repetition(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    struct owner *owner = peer_connect(&peer);
    peer_send_at(&peer, ACK | FIN, peer.seq + 100, data, 50, NULL, 0);
    bench_flush(&bench);
    assert_int_equal(peer_take_all(&peer), 1); // a duplicate acknowledgement
    assert_int_equal(peer.got_ack, peer.seq);
    peer_send(&peer, ACK, data, 100);
    assert_int_equal(stack_flow_waiting(owner->flow), 150);
    assert_int_equal(owner->finished, 0);
    peer.seq += 50;
    peer_send_at(&peer, ACK | FIN, peer.seq + 3, NULL, 0, NULL, 0); // alone, and too early
    bench_flush(&bench);
    peer_take_all(&peer);
    assert_int_equal(peer.got_ack, peer.seq);
    peer_send(&peer, ACK | FIN, NULL, 0);
    assert_int_equal(owner->finished, 1);
    finish_with(&peer, owner);
}

// An MSS in a later segment must not change that of queued ones: another assert.
static void options_behind_the_syn_are_not_heard(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t options[12];
        size_t len;
    } cases[] = {
        {"a small MSS", {2, 4, 0, 1}, 4},
        {"no MSS", {2, 4, 0, 0}, 4},
        {"a window scale", {3, 3, 14, 0}, 4},
        {"an option of no length", {8, 0, 0, 0}, 4},
        {"an option beyond the end", {1, 1, 1, 2}, 4},
        {"all of them", {2, 4, 0, 8, 3, 3, 14, 4, 2, 5, 200, 1}, 12},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tcp_peer peer;
        peer_init(&peer, &bench, i % 2, 1000);
        struct owner *owner = peer_connect(&peer);
        for (int j = 0; j < 3; j++) {
            bench_write(owner, data, 60000);
            bench_flush(&bench);
            peer_take_all(&peer);
            peer_send_at(&peer, ACK, peer.seq, data, 10, cases[i].options, cases[i].len);
            peer.seq += 10;
        }
        bench_write(owner, data, 60000);
        bench_flush(&bench);
        CASE(cases[i].name, peer_take(&peer) && peer.vnet.gso_size == (i % 2 != 0 ? 1440 : PEER_MSS));
        peer_take_all(&peer);
        CASE(cases[i].name, peer.stream_len == 240000 && stack_flow_waiting(owner->flow) == 30);
        finish_with(&peer, owner);
    }
}

static void options_of_a_syn_are_read_with_care(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t options[40];
        size_t len;
        uint16_t gso;  // of what we send
        size_t answer; // bytes of options in the SYN-ACK
    } cases[] = {
        {"none", {0}, 0, 536, 4},
        {"MSS alone", {2, 4, 4, 0}, 4, 1024, 4},
        {"MSS of nothing", {2, 4, 0, 0}, 4, 536, 4},
        {"MSS of one", {2, 4, 0, 1}, 4, 88, 4},
        {"MSS of 64 KiB", {2, 4, 0xff, 0xff}, 4, 1460, 4},
        {"MSS too long", {2, 6, 4, 0, 1, 1, 1, 1}, 8, 536, 4},
        {"MSS cut", {1, 1, 2, 4}, 4, 536, 4},
        {"length zero", {2, 0, 4, 0}, 4, 536, 4},
        {"length one", {2, 1, 4, 0}, 4, 536, 4},
        {"length beyond the end", {99, 40, 2, 4}, 4, 536, 4},
        {"end, then MSS", {0, 2, 4, 4}, 4, 536, 4},
        {"unknown, then MSS", {99, 4, 1, 1, 2, 4, 4, 0}, 8, 1024, 4},
        {"scale beyond what is allowed", {2, 4, 4, 0, 3, 3, 200, 0}, 8, 1024, 8},
        {"forty octets", {[0 ... 35] = 1, 2, 4, 4, 0}, 40, 1024, 4},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tcp_peer peer;
        peer_init(&peer, &bench, false, 1000);
        peer.plain = cases[i].answer == 4;
        peer_send_at(&peer, SYN, peer.seq++, data, 5, cases[i].options, cases[i].len); // and data: fast open is not
        struct owner *owner = bench.latest;
        stack_flow_accept(owner->flow);
        bench_flush(&bench);
        CASE(cases[i].name, peer_take(&peer) && peer.flags == (SYN | ACK) && peer.got_ack == peer.seq);
        CASE(cases[i].name, peer.view.upper_len == 20 + cases[i].answer);
        peer_send(&peer, ACK, NULL, 0);
        bench_write(owner, data, 4000);
        bench_flush(&bench);
        CASE(cases[i].name, peer_take(&peer) && peer.vnet.gso_size == cases[i].gso && peer.len == 4000);
        finish_with(&peer, owner);
    }
}

static void a_syn_in_an_established_flow_is_challenged(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    struct owner *owner = peer_connect(&peer);
    peer_send_at(&peer, SYN, peer.seq + 100000, NULL, 0, NULL, 0);
    peer_send_at(&peer, SYN, peer.seq, data, 100, NULL, 0);
    bench_flush(&bench);
    assert_int_equal(peer_take_all(&peer), 1); // RFC 5961 section 4
    assert_int_equal(peer.flags, ACK);
    assert_int_equal(peer.got_ack, peer.seq);
    assert_int_equal(owner->ended, 0);
    peer_send_at(&peer, SYN | ACK, peer.seq, NULL, 0, NULL, 0);
    bench_flush(&bench);
    assert_int_equal(bench.count, 0);
    finish_with(&peer, owner);
}

// RFC 5961 section 5: data with an acknowledgement that cannot be come from somebody who guesses.
static void impossible_acknowledgements_are_challenged(void **state)
{
    (void)state;
    static const int32_t offsets[] = {1, 100000, INT32_MAX, -9000000, INT32_MIN};
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    struct owner *owner = peer_connect(&peer);
    for (size_t i = 0; i < COUNT(offsets); i++) {
        uint32_t ack = peer.ack;
        peer.ack += (uint32_t)offsets[i];
        peer_send_at(&peer, ACK, peer.seq, "injected", 8, NULL, 0);
        peer.ack = ack;
        bench_flush(&bench);
        assert_int_equal(peer_take_all(&peer), 1);
        assert_int_equal(peer.got_ack, peer.seq);
        assert_int_equal(stack_flow_waiting(owner->flow), 0);
    }
    peer_send(&peer, ACK, "real", 4);
    assert_int_equal(stack_flow_waiting(owner->flow), 4);
    finish_with(&peer, owner);
}

// Each is a change to one octet of a proper SYN, or a cut.
static void malformed_segments_are_dropped(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t at; // octet of the IPv4 packet
        uint8_t value;
        size_t len; // of the packet; 0: all
    } cases[] = {
        {"source port zero", 20, 0, 0},
        {"destination port zero", 22, 0, 0},
        {"data offset 4", 32, 0x40, 0},
        {"data offset beyond the end", 32, 0xf0, 0},
        {"SYN and FIN", 33, SYN | FIN, 0},
        {"SYN and RST", 33, SYN | RST, 0},
        {"no flag at all", 33, 0, 0},
        {"FIN alone", 33, FIN, 0},
        {"PSH alone", 33, PSH, 0},
        {"to multicast", 16, 0xe0, 0},
        {"to nowhere", 16, 0, 0},
        {"another protocol", 9, IPPROTO_UDP, 0},
        {"to loopback", 16, 127, 0},
        {"a fragment", 6, 0x20, 0},
        {"a header that ends early", 3, 30, 30},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct packet *packet = packet_new(bench.pool);
        static const uint8_t syn[] = {0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10,   0, 0, 2, 10, 0, 0, 0,  // IP
                                      3,    0, 1, 0,  0, 0, 0, 1, 0,  0, 0, 0, 0x50, 2, 9, 9, 0,  0, 0, 0}; // TCP
        memcpy(packet->bytes, syn, sizeof syn);
        packet->bytes[cases[i].at] = cases[i].value;
        if (strcmp(cases[i].name, "to nowhere") == 0)
            memset(packet->bytes + 16, 0, 4);
        packet->len = cases[i].len != 0 ? (uint32_t)cases[i].len : sizeof syn;
        packet->vnet.flags = VIRTIO_NET_HDR_F_DATA_VALID;
        uint64_t before = stack_counters(bench.stack)->malformed;
        struct packet_view view;
        CASE(cases[i].name, packet_parse(&view, packet->bytes, packet->len));
        stack_input(bench.stack, packet, &view, bench.now);
        CASE(cases[i].name, stack_counters(bench.stack)->malformed == before + 1);
        CASE(cases[i].name, bench.count == 0 && stack_flows(bench.stack) == 0);
    }
}

static void a_segment_to_itself_is_dropped(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    peer.outside = peer.inside;
    peer_syn(&peer);
    assert_int_equal(stack_counters(bench.stack)->malformed, 1);
    assert_int_equal(stack_flows(bench.stack), 0);
}

static void wrong_checksums_are_dropped(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct tcp_peer peer;
        peer_init(&peer, &bench, v6, 1000);
        peer.unverified = true;
        struct owner *owner = peer_connect(&peer);
        struct packet *packet = packet_new(bench.pool);
        size_t ip = peer_write_ip(&peer, packet->bytes, 24);
        memset(packet->bytes + ip, 0, 24);
        put16(packet->bytes + ip, peer.inside.port);
        put16(packet->bytes + ip + 2, peer.outside.port);
        put32(packet->bytes + ip + 4, peer.seq);
        put32(packet->bytes + ip + 8, peer.ack);
        packet->bytes[ip + 12] = 0x50;
        packet->bytes[ip + 13] = ACK;
        packet->len = (uint32_t)ip + 24;
        bench_input(&bench, packet);
        assert_int_equal(stack_counters(bench.stack)->bad_checksum, 1 + v6);
        assert_int_equal(stack_flow_waiting(owner->flow), 0);
        peer_send(&peer, ACK, "good", 4);
        assert_int_equal(stack_flow_waiting(owner->flow), 4);
        finish_with(&peer, owner);
    }
}

// One octet in each, all out of order: none may hold more memory than it is worth, and all must be counted.
static void crumbs_out_of_order_do_not_pile_up(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    struct owner *owner = peer_connect(&peer);
    bench.indifferent = true;
    packet_pool_trim(bench.pool, 0);
    for (uint32_t i = 0; i < 2000; i++)
        peer_send_at(&peer, ACK, peer.seq + 2 + 2 * i, data, 1, NULL, 0);
    bench_flush(&bench);
    for (uint32_t i = 0; i < 4000; i++)
        peer_send(&peer, ACK, data, 1);
    bench_pass(&bench, 3 * USEC_PER_MSEC);
    assert_int_equal(stack_flow_waiting(owner->flow), 4000);
    assert_int_equal(stack_flow_read(owner->flow, room, sizeof room), 4000);
    finish_with(&peer, owner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(data_beyond_the_window_are_cut, start, stop),
        cmocka_unit_test_setup_teardown(a_fin_out_of_order_waits_for_its_repetition, start, stop),
        cmocka_unit_test_setup_teardown(options_behind_the_syn_are_not_heard, start, stop),
        cmocka_unit_test_setup_teardown(options_of_a_syn_are_read_with_care, start, stop),
        cmocka_unit_test_setup_teardown(a_syn_in_an_established_flow_is_challenged, start, stop),
        cmocka_unit_test_setup_teardown(impossible_acknowledgements_are_challenged, start, stop),
        cmocka_unit_test_setup_teardown(malformed_segments_are_dropped, start, stop),
        cmocka_unit_test_setup_teardown(a_segment_to_itself_is_dropped, start, stop),
        cmocka_unit_test_setup_teardown(wrong_checksums_are_dropped, start, stop),
        cmocka_unit_test_setup_teardown(crumbs_out_of_order_do_not_pile_up, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
