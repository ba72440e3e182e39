// SPDX-License-Identifier: GPL-2.0-or-later
// How flows begin: held SYNs, each answer byte by byte, and the limits.
#include "tcp_peer.h"
#include "unit.h"

static struct bench bench;

static void start_with(const struct stack_config *config)
{
    bench = (struct bench){.key = bench.key};
    bench_start(&bench, config);
}

static int start(void **state)
{
    (void)state;
    struct stack_config config = bench_config(&bench);
    start_with(&config);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    bench_stop(&bench);
    return 0;
}

// The next packet caught, of any kind.
static const struct caught *take_any(void)
{
    static struct caught caught;
    if (bench.count == 0)
        return NULL;
    caught = bench.caught[0];
    memmove(bench.caught, bench.caught + 1, --bench.count * sizeof *bench.caught);
    return &caught;
}

static void a_syn_is_held_until_it_is_answered(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct tcp_peer peer;
        peer_init(&peer, &bench, v6, 1000);
        peer_syn(&peer);
        struct owner *owner = bench.latest;
        assert_true(endpoint_equal(&owner->tuple.inside, &peer.inside));
        assert_true(endpoint_equal(&owner->tuple.outside, &peer.outside));
        bench_pass(&bench, 20 * USEC_PER_SEC);
        assert_int_equal(bench.count, 0); // not a word before the far side has spoken
        assert_int_equal(stack_deadline(bench.stack), USEC_NEVER);
        stack_flow_accept(owner->flow);
        bench_flush(&bench);
        assert_true(peer_take(&peer));
        assert_int_equal(peer.flags, SYN | ACK);
        assert_int_equal(peer.got_ack, peer.seq);
        peer_send(&peer, ACK, NULL, 0);
        bench_pass(&bench, USEC_PER_SEC);
        assert_int_equal(bench.count, 0);
        assert_int_equal(owner->ended, 0);
        stack_flow_abort(owner->flow);
        bench_flush(&bench);
        assert_int_equal(peer_take_all(&peer), 1);
        free(owner);
    }
    assert_int_equal(stack_flows(bench.stack), 0);
}

// Exactly MSS, window scale and SACK-permitted, and only what the application offered.
static void a_syn_ack_offers_what_was_offered(void **state)
{
    (void)state;
    static const uint8_t all[] = {2, 4, 1460 >> 8, 1460 & 0xff, 1, 3, 3, 7, 1, 1, 4, 2}; // the device's MTU is 1500
    static const uint8_t all6[] = {2, 4, 1440 >> 8, 1440 & 0xff, 1, 3, 3, 7, 1, 1, 4, 2};
    for (int i = 0; i < 4; i++) {
        bool v6 = i & 1, plain = i & 2;
        struct tcp_peer peer;
        peer_init(&peer, &bench, v6, 1000);
        peer.plain = plain;
        peer_syn(&peer);
        struct owner *owner = bench.latest;
        stack_flow_accept(owner->flow);
        bench_flush(&bench);
        assert_true(peer_take(&peer));
        size_t options = peer.view.upper_len - 20;
        assert_int_equal(options, plain ? 4 : 12);
        assert_memory_equal(peer.view.upper + 20, v6 ? all6 : all, options);
        stack_flow_abort(owner->flow);
        bench_flush(&bench);
        peer_take_all(&peer);
        free(owner);
    }
}

static void a_repeated_syn_is_the_same_flow(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    peer_syn(&peer);
    struct owner *owner = bench.latest;
    peer.seq--;
    peer_syn(&peer);
    assert_ptr_equal(bench.latest, owner);
    assert_int_equal(stack_flows(bench.stack), 1);
    stack_flow_accept(owner->flow);
    bench_flush(&bench);
    assert_int_equal(peer_take_all(&peer), 1);
    peer.seq--;
    peer_syn(&peer); // the SYN-ACK was lost
    assert_int_equal(peer_take_all(&peer), 1);
    assert_int_equal(peer.flags, SYN | ACK);
    stack_flow_abort(owner->flow);
    free(owner);
}

static void another_attempt_from_the_same_port_is_the_one_answered(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    peer_syn(&peer);
    struct owner *owner = bench.latest;
    peer.seq += 5000;
    peer_syn(&peer);
    assert_ptr_equal(bench.latest, owner);
    stack_flow_accept(owner->flow);
    bench_flush(&bench);
    assert_true(peer_take(&peer));
    assert_int_equal(peer.got_ack, peer.seq);
    stack_flow_abort(owner->flow);
    free(owner);
}

// Its SYN is held on, so that it counts, until the answer comes; of that it hears nothing.
static void an_application_that_gives_up_is_not_answered(void **state)
{
    (void)state;
    for (int accepted = 0; accepted < 2; accepted++) {
        struct tcp_peer peer;
        peer_init(&peer, &bench, false, (uint16_t)(1000 + accepted));
        peer_syn(&peer);
        struct owner *owner = bench.latest;
        peer_send(&peer, RST, NULL, 0);
        bench_flush(&bench);
        assert_int_equal(owner->ended, 0);
        if (accepted)
            stack_flow_accept(owner->flow);
        else
            stack_flow_refuse(owner->flow, STACK_REFUSE_RST);
        bench_flush(&bench);
        assert_int_equal(owner->ended, accepted);
        assert_true(!accepted || owner->ending == STACK_ENDED_RESET);
        assert_int_equal(bench.count, 0);
        assert_int_equal(stack_flows(bench.stack), 0);
        free(owner);
    }
}

static void an_application_that_tries_again_is_answered(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        struct tcp_peer peer;
        peer_init(&peer, &bench, false, (uint16_t)(1000 + again));
        peer_syn(&peer);
        struct owner *owner = bench.latest;
        peer_send_at(&peer, RST, peer.seq + (again ? 0 : 77), NULL, 0, NULL, 0); // or it was somebody's guess
        if (again)
            peer_send_at(&peer, SYN, peer.seq - 1, NULL, 0, NULL, 0);
        stack_flow_accept(owner->flow);
        bench_flush(&bench);
        assert_int_equal(owner->ended, 0);
        assert_true(peer_take(&peer));
        assert_int_equal(peer.flags, SYN | ACK);
        stack_flow_abort(owner->flow);
        free(owner);
        bench_flush(&bench);
        peer_take_all(&peer);
    }
}

static void an_application_that_vanishes_before_it_is_established_is_a_reset(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        struct tcp_peer peer;
        peer_init(&peer, &bench, false, (uint16_t)(1000 + reset));
        peer_syn(&peer);
        struct owner *owner = bench.latest;
        stack_flow_accept(owner->flow);
        bench_write(owner, "greeting", 8);
        bench_flush(&bench);
        peer_take_all(&peer);
        if (reset)
            peer_send(&peer, RST, NULL, 0);
        bench.indifferent = true;
        bench_pass(&bench, 21 * USEC_PER_SEC);
        bench.indifferent = false;
        assert_int_equal(owner->ended, 1);
        assert_int_equal(owner->ending, STACK_ENDED_RESET);
        free(owner);
    }
    assert_int_equal(stack_flows(bench.stack), 0);
}

static void every_refusal_is_what_a_network_would_say(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum stack_refusal refusal;
        int icmp4; // code; -1: none
        int icmp6;
        bool rst;
    } cases[] = {
        {"refused", STACK_REFUSE_RST, -1, -1, true},     {"no host", STACK_REFUSE_NO_HOST, 1, 3, false},
        {"no net", STACK_REFUSE_NO_NET, 0, 0, false},    {"prohibited", STACK_REFUSE_PROHIBITED, 13, 1, false},
        {"silence", STACK_REFUSE_SILENT, -1, -1, false},
    };
    for (size_t i = 0; i < 2 * COUNT(cases); i++) {
        const char *name = cases[i / 2].name;
        bool v6 = i % 2 != 0;
        struct tcp_peer peer;
        peer_init(&peer, &bench, v6, 1000);
        peer_syn(&peer);
        struct owner *owner = bench.latest;
        stack_flow_refuse(owner->flow, cases[i / 2].refusal);
        CASE(name, stack_flows(bench.stack) == 0);
        if (cases[i / 2].rst) {
            CASE(name, peer_take(&peer) && peer.flags == (RST | ACK) && peer.from == 0 && peer.got_ack == peer.seq);
        } else if (cases[i / 2].icmp4 >= 0) {
            struct packet_view view;
            const struct caught *caught = take_any();
            CASE(name, caught != NULL && packet_parse(&view, caught->bytes, caught->len));
            CASE(name, view.protocol == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) && view.upper[0] == (v6 ? 1 : 3));
            CASE(name, view.upper[1] == (v6 ? cases[i / 2].icmp6 : cases[i / 2].icmp4));
            CASE(name, address_equal(&view.src, &peer.outside.addr) && address_equal(&view.dst, &peer.inside.addr));
            struct packet_view quoted;
            CASE(name, packet_parse(&quoted, view.upper + 8, view.upper_len - 8));
            CASE(name, address_equal(&quoted.src, &peer.inside.addr) && quoted.protocol == IPPROTO_TCP);
            CASE(name, get16(quoted.upper) == peer.inside.port && get16(quoted.upper + 2) == peer.outside.port);
            CASE(name, get32(quoted.upper + 4) == peer.seq - 1); // the kernel wants its own sequence number back
        }
        CASE(name, take_any() == NULL);
        bench_flush(&bench);
        free(owner);
    }
}

static void strays_are_reset(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    peer.ack = 0x55667788;
    peer_send(&peer, ACK, "late", 4); // from before a restart
    assert_true(peer_take(&peer));
    assert_int_equal(peer.flags, RST);
    assert_int_equal(peer.from, 0x55667788);
    peer_send(&peer, SYN | ACK, NULL, 0);
    assert_true(peer_take(&peer));
    assert_int_equal(peer.flags, RST);
    peer_send(&peer, RST, NULL, 0); // never answered
    peer_send(&peer, RST | ACK, NULL, 0);
    assert_int_equal(bench.count, 0);
    assert_int_equal(stack_counters(bench.stack)->strays_reset, 2);
}

static void limits_hold(void **state)
{
    (void)state;
    bench_stop(&bench);
    static const struct {
        const char *name;
        uint32_t flows, held, source;
    } cases[] = {{"flows", 3, 100, 100}, {"held", 100, 3, 100}, {"held by a source", 100, 100, 3}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct stack_config config = bench_config(&bench);
        config.max_flows = cases[i].flows;
        config.max_held = cases[i].held;
        config.max_held_per_source = cases[i].source;
        start_with(&config);
        struct owner *owners[4];
        struct tcp_peer peer;
        for (int j = 0; j < 4; j++) {
            bench.latest = NULL;
            peer_init(&peer, &bench, false, (uint16_t)(1000 + j));
            peer_syn(&peer);
            owners[j] = bench.latest;
            CASE(cases[i].name, (owners[j] != NULL) == (j < 3));
        }
        CASE(cases[i].name, stack_counters(bench.stack)->syns_dropped == 1 && bench.count == 0);
        peer.inside.addr.bytes[3]++; // somebody else
        bench.latest = NULL;
        peer_syn(&peer);
        CASE(cases[i].name, (bench.latest != NULL) == (i == 2));
        free(bench.latest);
        stack_flow_refuse(owners[0]->flow, STACK_REFUSE_SILENT);
        bench_flush(&bench);
        peer_init(&peer, &bench, false, 1003);
        bench.latest = NULL;
        peer_syn(&peer);
        CASE(cases[i].name, bench.latest != NULL); // room again
        free(bench.latest);
        for (int j = 0; j < 3; j++)
            free(owners[j]);
        bench_stop(&bench);
    }
    start(NULL);
}

static void an_owner_may_drop_refuse_or_accept_at_once(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    bench.refuse_syn = true;
    peer_syn(&peer);
    bench_flush(&bench);
    assert_int_equal(bench.count, 0);
    assert_int_equal(stack_flows(bench.stack), 0);
}

// RFC 6528: numbers of neighbouring connections tell nothing of each other; those of one 4-tuple grow with time.
static void initial_sequence_numbers_cannot_be_guessed(void **state)
{
    (void)state;
    uint32_t first = 0, last = 0, last_delta = 0;
    for (int i = 0; i < 64; i++) {
        struct tcp_peer peer;
        peer_init(&peer, &bench, i % 2, (uint16_t)(1000 + i));
        peer_syn(&peer);
        struct owner *owner = bench.latest;
        stack_flow_accept(owner->flow);
        bench_flush(&bench);
        assert_true(peer_take(&peer));
        uint32_t delta = peer.from - last;
        if (i > 1)
            assert_int_not_equal(delta, last_delta);
        if (i == 0)
            first = peer.from;
        last = peer.from;
        last_delta = delta;
        stack_flow_abort(owner->flow);
        bench_flush(&bench);
        peer_take_all(&peer);
        free(owner);
    }
    bench_pass(&bench, 4 * USEC_PER_SEC);
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    peer_syn(&peer);
    stack_flow_accept(bench.latest->flow);
    bench_flush(&bench);
    assert_true(peer_take(&peer));
    assert_int_equal(peer.from - first, 1000000); // one in four microseconds
    stack_flow_abort(bench.latest->flow);
    free(bench.latest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_syn_is_held_until_it_is_answered, start, stop),
        cmocka_unit_test_setup_teardown(a_syn_ack_offers_what_was_offered, start, stop),
        cmocka_unit_test_setup_teardown(a_repeated_syn_is_the_same_flow, start, stop),
        cmocka_unit_test_setup_teardown(another_attempt_from_the_same_port_is_the_one_answered, start, stop),
        cmocka_unit_test_setup_teardown(an_application_that_gives_up_is_not_answered, start, stop),
        cmocka_unit_test_setup_teardown(an_application_that_tries_again_is_answered, start, stop),
        cmocka_unit_test_setup_teardown(an_application_that_vanishes_before_it_is_established_is_a_reset, start, stop),
        cmocka_unit_test_setup_teardown(every_refusal_is_what_a_network_would_say, start, stop),
        cmocka_unit_test_setup_teardown(strays_are_reset, start, stop),
        cmocka_unit_test_setup_teardown(limits_hold, start, stop),
        cmocka_unit_test_setup_teardown(an_owner_may_drop_refuse_or_accept_at_once, start, stop),
        cmocka_unit_test_setup_teardown(initial_sequence_numbers_cannot_be_guessed, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
