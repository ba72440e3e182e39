// SPDX-License-Identifier: GPL-2.0-or-later
// A link behind the device takes less than the device: segments that are too big for it go again, smaller.
#include "tcp_peer.h"
#include "unit.h"

static struct bench bench;
static struct path_mtus *paths;
static uint8_t big[100000];

static int setup(void **state)
{
    (void)state;
    bench = (struct bench){0};
    struct stack_config config = bench_config(&bench);
    config.paths = paths = path_mtus_new(&bench.key);
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 7 + i / 251);
    bench_start(&bench, &config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bench_stop(&bench);
    path_mtus_free(paths);
    return 0;
}

static void end(struct tcp_peer *peer, struct owner *owner)
{
    stack_flow_abort(owner->flow);
    bench_flush(&bench);
    peer_take_all(peer);
    peer_free(peer);
    free(owner);
}

static struct too_big said_of(const struct tcp_peer *peer, uint32_t seq, uint32_t mtu)
{
    return (struct too_big){
        .mtu = mtu, .protocol = IPPROTO_TCP, .outside = peer->outside, .inside = peer->inside, .seq = seq};
}

// Both versions: at once, all that is on its way, and every byte of it.
static void what_is_on_its_way_goes_again(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct tcp_peer peer;
        peer_init(&peer, &bench, v6, 1000);
        struct owner *owner = peer_connect(&peer);
        uint32_t first = peer.ack;
        bench_write(owner, big, sizeof big);
        bench_flush(&bench);
        assert_true(bench.count > 0);
        assert_int_equal(bench.caught[0].vnet.gso_size, v6 ? 1440 : PEER_MSS);
        bench.count = 0; // the router drops them
        struct too_big said = said_of(&peer, first, 1280);
        assert_true(stack_too_big(bench.stack, &said, bench.now));
        for (int turn = 0; turn < 100 && owner->acked < sizeof big; turn++) {
            bench_flush(&bench);
            while (peer_take(&peer))
                assert_int_equal(peer.vnet.gso_size, v6 ? 1220 : 1240);
            peer_send(&peer, ACK, NULL, 0);
        }
        assert_int_equal(peer.stream_len, sizeof big);
        assert_memory_equal(peer.stream, big, sizeof big);
        end(&peer, owner);
    }
    assert_int_equal(stack_counters(bench.stack)->shortened, 2);
}

static void what_is_not_on_its_way_is_not_believed(void **state)
{
    (void)state;
    struct tcp_peer peer, other;
    peer_init(&peer, &bench, false, 1000);
    peer_init(&other, &bench, false, 2000);
    struct owner *owner = peer_connect(&peer);
    uint32_t first = peer.ack;
    bench_write(owner, big, 5000);
    bench_flush(&bench);
    const struct {
        const char *name;
        struct too_big said;
        bool believed;
    } cases[] = {
        {"before", said_of(&peer, first - 1, 1280), false},   {"behind", said_of(&peer, first + 5000, 1280), false},
        {"of nobody", said_of(&other, first, 1280), false},   {"no smaller", said_of(&peer, first, 1500), true},
        {"within", said_of(&peer, first + 4999, 1400), true}, {"the same again", said_of(&peer, first, 1400), true},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        CASE(cases[i].name, stack_too_big(bench.stack, &cases[i].said, bench.now) == cases[i].believed);
    assert_int_equal(stack_counters(bench.stack)->shortened, 1);
    while (peer_take(&peer))
        ;
    peer_send(&peer, ACK, NULL, 0);
    struct too_big said = said_of(&peer, first, 1280);
    assert_false(stack_too_big(bench.stack, &said, bench.now)); // it has arrived
    end(&peer, owner);

    peer_syn(&other); // not answered yet
    said = said_of(&other, 0, 1280);
    assert_false(stack_too_big(bench.stack, &said, bench.now));
    end(&other, bench.latest);
}

static void later_flows_begin_so(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, true, 1000);
    path_mtus_learn(paths, &peer.inside.addr, 1300, bench.now);
    struct owner *owner = peer_connect(&peer);
    bench_write(owner, big, 5000);
    bench_flush(&bench);
    assert_int_equal(bench.caught[0].vnet.gso_size, 1300 - 60);
    end(&peer, owner);
}

// Routers on the way that say nothing: what was lost twice goes as every link takes it.
static void a_black_hole_is_found(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, true, 1000);
    struct owner *owner = peer_connect(&peer);
    bench_write(owner, big, 100); // by which lwIP measures how long an answer takes
    bench_flush(&bench);
    peer_take_all(&peer);
    peer_send(&peer, ACK, NULL, 0);
    usec_t begun = bench.now;
    bench_write(owner, big, 5000);
    bench_flush(&bench);
    bench.count = 0;
    for (int tries = 0; tries < 200 && bench.count == 0; tries++) {
        bench_pass(&bench, 100 * USEC_PER_MSEC);
        if (bench.count > 0 && bench.caught[0].vnet.gso_size > 1220)
            bench.count = 0;
    }
    assert_int_equal(bench.count, 1);
    assert_int_equal(bench.caught[0].vnet.gso_size, 1220);
    assert_in_range((bench.now - begun) / USEC_PER_MSEC, 0, 4000);
    end(&peer, owner);
}

// IPv4 says that it is not to be cut, and its checksum is right; IPv6 is never cut.
static void segments_are_not_to_be_cut(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    struct owner *owner = peer_connect(&peer);
    for (int i = 0; i < 300; i++) {
        bench_write(owner, big, 100);
        bench_flush(&bench);
        const uint8_t *ip = bench.caught[0].bytes;
        assert_int_equal(ip[6], 0x40);
        assert_int_equal(checksum_fold(checksum_add(0, ip, 20)), 0);
        peer_take_all(&peer);
        peer_send(&peer, ACK, NULL, 0);
    }
    end(&peer, owner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_on_its_way_goes_again, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_on_its_way_is_not_believed, setup, teardown),
        cmocka_unit_test_setup_teardown(later_flows_begin_so, setup, teardown),
        cmocka_unit_test_setup_teardown(a_black_hole_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(segments_are_not_to_be_cut, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
