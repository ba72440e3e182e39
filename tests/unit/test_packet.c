// SPDX-License-Identifier: GPL-2.0-or-later
#include "packet/packet.h"
#include "packet/view.h"

#include "unit.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

// A packet as text: hexadecimal octets, blanks ignored, "*N" repeats the last octet N times in all.
static size_t bytes_of(const char *text, uint8_t *room)
{
    size_t len = 0;
    while (*text != '\0') {
        if (*text == ' ') {
            text++;
        } else if (*text == '*') {
            char *end;
            long times = strtol(text + 1, &end, 10);
            for (; times > 1; times--, len++)
                room[len] = room[len - 1];
            text = end;
        } else {
            char octet[3] = {text[0], text[1], '\0'};
            room[len++] = (uint8_t)strtoul(octet, NULL, 16);
            text += 2;
        }
    }
    return len;
}

#define V4(len, frag, ttl, proto, src) "4500 " len " 0001 " frag " " ttl proto " 0000 " src " 0a490007 "
#define V6(len, next, hop, src)        "60000000 " len next hop src " fd73 00*13 07 "
#define SRC6                           " fd00 00*13 02"

static const struct {
    const char *name;
    const char *bytes;
    bool good;
    uint8_t protocol;
    uint16_t header_len;
    uint32_t upper_len;
    bool fragment;
    uint32_t offset;
} cases[] = {
    {"v4 tcp", V4("001c", "0000", "40", "06", "0a000002") "01*8", true, IPPROTO_TCP, 20, 8, false, 0},
    {"v4 with options", "4600 0020 0001 0000 40 11 0000 0a000002 0a490007 01010101 02*8", true, IPPROTO_UDP, 24, 8,
     false, 0},
    {"v4 with bytes behind it", V4("001c", "0000", "40", "06", "0a000002") "01*20", true, IPPROTO_TCP, 20, 8, false, 0},
    {"v4 first fragment", V4("001c", "2000", "40", "11", "0a000002") "01*8", true, IPPROTO_UDP, 20, 8, true, 0},
    {"v4 last fragment", V4("001c", "0002", "40", "11", "0a000002") "01*8", true, IPPROTO_UDP, 20, 8, true, 16},
    {"v4 do not fragment", V4("001c", "4000", "40", "06", "0a000002") "01*8", true, IPPROTO_TCP, 20, 8, false, 0},
    {"v4 total beyond the end", V4("001d", "0000", "40", "06", "0a000002") "01*8", false, 0, 0, 0, false, 0},
    {"v4 total below the header", V4("0013", "0000", "40", "06", "0a000002") "01*8", false, 0, 0, 0, false, 0},
    {"v4 header below 20", "4400 001c 0001 0000 40 06 0000 0a000002 0a490007 01*8", false, 0, 0, 0, false, 0},
    {"v4 options beyond the end", "4f00 001c 0001 0000 40 06 0000 0a000002 0a490007 01*8", false, 0, 0, 0, false, 0},
    {"v4 cut short", "4500 001c 0001 0000 40", false, 0, 0, 0, false, 0},
    {"v4 TTL 0", V4("001c", "0000", "00", "06", "0a000002") "01*8", false, 0, 0, 0, false, 0},
    {"v4 from nowhere", V4("001c", "0000", "40", "06", "00000000") "01*8", false, 0, 0, 0, false, 0},
    {"v4 from loopback", V4("001c", "0000", "40", "06", "7f000001") "01*8", false, 0, 0, 0, false, 0},
    {"v4 from multicast", V4("001c", "0000", "40", "06", "e0000001") "01*8", false, 0, 0, 0, false, 0},
    {"v4 from broadcast", V4("001c", "0000", "40", "06", "ffffffff") "01*8", false, 0, 0, 0, false, 0},
    {"v6 tcp", V6("0008", "06", "40", SRC6) "01*8", true, IPPROTO_TCP, 40, 8, false, 0},
    {"v6 behind hop-by-hop and destination options", V6("0018", "00", "40", SRC6) "3c00 00*6 0600 00*6 01*8", true,
     IPPROTO_TCP, 56, 8, false, 0},
    {"v6 behind authentication", V6("0014", "33", "40", SRC6) "1101 00*10 01*8", true, IPPROTO_UDP, 52, 8, false, 0},
    {"v6 first fragment", V6("0010", "2c", "40", SRC6) "1100 0001 00000007 01*8", true, IPPROTO_UDP, 48, 8, true, 0},
    {"v6 later fragment", V6("0010", "2c", "40", SRC6) "1100 0010 00000007 01*8", true, IPPROTO_UDP, 48, 8, true, 16},
    {"v6 atomic fragment", V6("0010", "2c", "40", SRC6) "0600 0000 00000007 01*8", true, IPPROTO_TCP, 48, 8, false, 0},
    {"v6 nothing behind the header", V6("0000", "3b", "40", SRC6), true, 59, 40, 0, false, 0},
    {"v6 payload beyond the end", V6("0009", "06", "40", SRC6) "01*8", false, 0, 0, 0, false, 0},
    {"v6 extension beyond the payload", V6("0008", "00", "40", SRC6) "0601 00*14", false, 0, 0, 0, false, 0},
    {"v6 extension header cut", V6("0001", "00", "40", SRC6) "06", false, 0, 0, 0, false, 0},
    {"v6 fragment header cut", V6("0004", "2c", "40", SRC6) "1100 0001", false, 0, 0, 0, false, 0},
    {"v6 more extensions than there are kinds",
     V6("0048", "3c", "40", SRC6) "3c00 00*6 3c00 00*6 3c00 00*6 3c00 00*6 3c00 00*6 3c00 00*6 3c00 00*6 3c00 00*6 "
                                  "0600 00*6",
     false, 0, 0, 0, false, 0},
    {"v6 cut short", "60000000 0008 06 40", false, 0, 0, 0, false, 0},
    {"v6 hop limit 0", V6("0008", "06", "00", SRC6) "01*8", false, 0, 0, 0, false, 0},
    {"v6 from nowhere", V6("0008", "06", "40", " 00*16") "01*8", false, 0, 0, 0, false, 0},
    {"v6 from loopback", V6("0008", "06", "40", " 00*15 01") "01*8", false, 0, 0, 0, false, 0},
    {"v6 from multicast", V6("0008", "06", "40", " ff02 00*13 01") "01*8", false, 0, 0, 0, false, 0},
    {"another version", "5500 001c 0001 0000 40 06 0000 0a000002 0a490007 01*8", false, 0, 0, 0, false, 0},
};

static void headers_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t room[256];
        size_t len = bytes_of(cases[i].bytes, room);
        uint8_t *exact = malloc(len); // a sanitiser sees every read past the end
        memcpy(exact, room, len);
        struct packet_view view;
        CASE(cases[i].name, packet_parse(&view, exact, len) == cases[i].good);
        if (cases[i].good) {
            CASE(cases[i].name, view.protocol == cases[i].protocol);
            CASE(cases[i].name, view.header_len == cases[i].header_len);
            CASE(cases[i].name, view.upper_len == cases[i].upper_len);
            CASE(cases[i].name, view.fragment == cases[i].fragment);
            CASE(cases[i].name, view.fragment_offset == cases[i].offset);
            CASE(cases[i].name, view.upper == exact + view.header_len && view.ip == exact);
            CASE(cases[i].name, view.ttl == 0x40 && view.src.version == exact[0] >> 4);
        }
        free(exact);
    }
}

static void nothing_is_no_packet(void **state)
{
    (void)state;
    struct packet_view view;
    uint8_t byte = 0x45;
    assert_false(packet_parse(&view, &byte, 0));
    assert_false(packet_parse(&view, &byte, 1));
}

static void pools_keep_what_they_may(void **state)
{
    (void)state;
    struct packet_pool *pool = packet_pool_new(1);
    struct packet *first = packet_new(pool);
    struct packet *second = packet_new(pool);
    assert_ptr_not_equal(first, second);
    first->len = 7;
    first->vnet.flags = 1;
    packet_drop(first);
    packet_drop(second); // beyond the cache: freed
    struct packet *again = packet_new(pool);
    assert_ptr_equal(again, first);
    assert_int_equal(again->len, 0);
    assert_int_equal(again->vnet.flags, 0);
    memset(again->bytes, 0xff, PACKET_SIZE);
    packet_drop(again);
    packet_pool_trim(pool, 0);
    packet_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_read),
        cmocka_unit_test(nothing_is_no_packet),

        cmocka_unit_test(pools_keep_what_they_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
