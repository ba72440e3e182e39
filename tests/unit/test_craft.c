// SPDX-License-Identifier: GPL-2.0-or-later
#include "packet/craft.h"

#include "base/checksum.h"
#include "packet/packet.h"
#include "packet/view.h"
#include "unit.h"

#include <netinet/in.h>
#include <string.h>

static const uint8_t syn_v4[] = {
    0x45, 0,    0,    40,   0, 1, 0, 0, 64, 6, 0, 0, 10,   0, 0,    2,    10, 73, 0, 7, // IP
    0xab, 0xcd, 0x01, 0xbb, 1, 2, 3, 4, 0,  0, 0, 0, 0x50, 2, 0xff, 0xff, 0,  0,  0, 0, // TCP
};
static const uint8_t syn_v6[] = {
    0x60, 0,    0,    0,    0,    20,   6, 64, 0xfd, 0, 0, 0, 0,    0, 0,    0,    0, 0, 0, 0,
    0,    0,    0,    2,    0xfd, 0x73, 0, 0,  0,    0, 0, 0, 0,    0, 0,    0,    0, 0, 0, 7,
    0xab, 0xcd, 0x01, 0xbb, 1,    2,    3, 4,  0,    0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0,
};

static bool sums_to_zero(const struct packet_view *view, bool pseudo)
{
    uint64_t sum = pseudo ? checksum_pseudo(&view->src, &view->dst, view->protocol, view->upper_len) : 0;
    return checksum_fold(checksum_add(sum, view->upper, view->upper_len)) == 0;
}

static void errors_have_the_codes_that_applications_understand(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum craft_error error;
        uint8_t code4;
        uint8_t code6;
    } cases[] = {
        {"no host", CRAFT_NO_HOST, 1, 3},
        {"no net", CRAFT_NO_NET, 0, 0},
        {"no port", CRAFT_NO_PORT, 3, 4},
        {"prohibited", CRAFT_PROHIBITED, 13, 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t room[CRAFT_ERROR_SIZE];
        struct packet_view view;
        size_t len = craft_icmp_error(room, cases[i].error, syn_v4, sizeof syn_v4);
        CASE(cases[i].name, len == 28 + sizeof syn_v4 && packet_parse(&view, room, len));
        CASE(cases[i].name, view.protocol == IPPROTO_ICMP && view.upper[0] == 3 && view.upper[1] == cases[i].code4);
        CASE(cases[i].name, memcmp(view.src.bytes, syn_v4 + 16, 4) == 0 && memcmp(view.dst.bytes, syn_v4 + 12, 4) == 0);
        CASE(cases[i].name, memcmp(view.upper + 8, syn_v4, sizeof syn_v4) == 0);
        CASE(cases[i].name, sums_to_zero(&view, false) && checksum_fold(checksum_add(0, room, 20)) == 0);

        len = craft_icmp_error(room, cases[i].error, syn_v6, sizeof syn_v6);
        CASE(cases[i].name, len == 48 + sizeof syn_v6 && packet_parse(&view, room, len));
        CASE(cases[i].name, view.protocol == IPPROTO_ICMPV6 && view.upper[0] == 1 && view.upper[1] == cases[i].code6);
        CASE(cases[i].name,
             memcmp(view.src.bytes, syn_v6 + 24, 16) == 0 && memcmp(view.dst.bytes, syn_v6 + 8, 16) == 0);
        CASE(cases[i].name, memcmp(view.upper + 8, syn_v6, sizeof syn_v6) == 0 && sums_to_zero(&view, true));
    }
}

static void errors_quote_no_more_than_they_may(void **state)
{
    (void)state;
    uint8_t offender[2000] = {0}, room[CRAFT_ERROR_SIZE];
    memcpy(offender, syn_v4, sizeof syn_v4);
    assert_int_equal(craft_icmp_error(room, CRAFT_NO_PORT, offender, sizeof offender), 576);
    memcpy(offender, syn_v6, sizeof syn_v6);
    assert_int_equal(craft_icmp_error(room, CRAFT_NO_PORT, offender, sizeof offender), 1280);
}

// Puts the payload behind the headers and reads the whole packet.
static size_t join(uint8_t *room, size_t head, const uint8_t *payload, size_t len, struct packet_view *view)
{
    if (len > 0)
        memcpy(room + head, payload, len);
    assert_true(packet_parse(view, room, head + len));
    return head + len;
}

static void datagrams_are_whole(void **state)
{
    (void)state;
    static uint8_t payload[65507], room[PACKET_SIZE];
    static const size_t lengths[] = {0, 1, 2, 511, 548, 549, 1472, 9000, 65507};
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 13);
    for (size_t i = 0; i < 2 * COUNT(lengths); i++) {
        bool v6 = i % 2 != 0;
        size_t most = PACKET_SIZE - (v6 ? 48 : 28);
        size_t len = lengths[i / 2] < most ? lengths[i / 2] : most;
        struct endpoint from, to;
        assert_true(endpoint_parse(&from, v6 ? "[fd73::7]:53" : "10.73.0.7:53"));
        assert_true(endpoint_parse(&to, v6 ? "[fd00::2]:4000" : "10.0.0.2:4000"));
        struct virtio_net_hdr vnet;
        struct packet_view view;
        size_t head = craft_udp(room, &vnet, false, &from, &to, payload, len);
        join(room, head, payload, len, &view);
        assert_int_equal(vnet.flags, 0);
        assert_true(sums_to_zero(&view, true));
        assert_int_equal(view.protocol, IPPROTO_UDP);
        assert_true(address_equal(&view.src, &from.addr) && address_equal(&view.dst, &to.addr));
        assert_int_equal(view.upper[0] << 8 | view.upper[1], 53);
        assert_int_equal(view.upper[2] << 8 | view.upper[3], 4000);
        assert_int_equal(view.upper[4] << 8 | view.upper[5], 8 + len);

        // With offload the field holds the pseudo-header's sum: what the kernel adds makes it whole.
        head = craft_udp(room, &vnet, true, &from, &to, payload, len);
        join(room, head, payload, len, &view);
        assert_int_equal(vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
        assert_int_equal(vnet.csum_start, view.header_len);
        uint16_t check = checksum_fold(checksum_add(0, view.upper, view.upper_len));
        memcpy(view.upper + vnet.csum_offset, &check, sizeof check);
        assert_true(sums_to_zero(&view, true));
    }
}

static void a_checksum_of_zero_is_sent_as_ones(void **state)
{
    (void)state;
    struct endpoint from, to;
    assert_true(endpoint_parse(&from, "10.73.0.7:53") && endpoint_parse(&to, "10.0.0.2:4000"));
    uint8_t head[CRAFT_HEAD_SIZE], payload[2] = {0, 0};
    struct virtio_net_hdr vnet;
    size_t ip = craft_udp(head, &vnet, false, &from, &to, payload, sizeof payload) - 8;
    memcpy(payload, head + ip + 6, sizeof payload); // what makes the sum all ones
    craft_udp(head, &vnet, false, &from, &to, payload, sizeof payload);
    assert_int_equal(head[ip + 6], 0xff);
    assert_int_equal(head[ip + 7], 0xff);
}

static void datagrams_that_may_be_fragmented_have_ids(void **state)
{
    (void)state;
    struct endpoint from, to;
    assert_true(endpoint_parse(&from, "10.73.0.7:53") && endpoint_parse(&to, "10.0.0.2:4000"));
    static uint8_t payload[3000];
    uint8_t first[CRAFT_HEAD_SIZE], second[CRAFT_HEAD_SIZE];
    struct virtio_net_hdr vnet;
    craft_udp(first, &vnet, true, &from, &to, payload, sizeof payload);
    payload[2999] = 1;
    craft_udp(second, &vnet, true, &from, &to, payload, sizeof payload);
    assert_memory_not_equal(first + 4, second + 4, 2);
}

static void echo_replies_are_whole(void **state)
{
    (void)state;
    static uint8_t payload[1000], room[PACKET_SIZE];
    for (size_t i = 0; i < 4; i++) {
        bool v6 = i % 2 != 0;
        size_t len = i < 2 ? sizeof payload : 33;
        struct address from, to;
        assert_true(address_parse(&from, v6 ? "fd73::7" : "10.73.0.7"));
        assert_true(address_parse(&to, v6 ? "fd00::2" : "10.0.0.2"));
        struct packet_view view;
        size_t head = craft_echo_reply(room, &from, &to, 0x1234, 7, payload, len);
        join(room, head, payload, len, &view);
        assert_int_equal(view.protocol, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
        assert_true(sums_to_zero(&view, v6));
        static const uint8_t tail[] = {0x12, 0x34, 0, 7};
        assert_int_equal(view.upper[0], v6 ? 129 : 0);
        assert_memory_equal(view.upper + 4, tail, sizeof tail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_have_the_codes_that_applications_understand),
        cmocka_unit_test(errors_quote_no_more_than_they_may),
        cmocka_unit_test(datagrams_are_whole),
        cmocka_unit_test(a_checksum_of_zero_is_sent_as_ones),
        cmocka_unit_test(datagrams_that_may_be_fragmented_have_ids),
        cmocka_unit_test(echo_replies_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
