// SPDX-License-Identifier: GPL-2.0-or-later
// PROXY headers as balancers send them, and others.
#include "unit.h"

#include "gate/channel/forwarded.h"

#include <string.h>

#define SIGNATURE  "\r\n\r\n\0\r\nQUIT\n"
#define V4         "\xc6\x33\x64\x07\x0a\x03\x00\x02\x9c\x40\x11\x51" // 198.51.100.7:40000 to 10.3.0.2:4433
#define V6         "\xfd\x00\0\0\0\0\0\0\0\0\0\0\0\0\0\7\xfd\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\2\x9c\x40\x11\x51"
#define MAPPED     "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\x07\xfd\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\2\x9c\x40\x11\x51"
#define TLV        "\x04\0\5Noise\x20\0\5\0\0\0\0\1" // PP2_TYPE_NOOP, PP2_TYPE_SSL
#define NOBODY     "\0\0\0\0\x0a\x03\x00\x02\x9c\x40\x11\x51"
#define NO_PORT    "\xc6\x33\x64\x07\x0a\x03\x00\x02\0\0\x11\x51"
#define TEXT(text) (text), sizeof(text) - 1

static void test_what_they_say(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t len;
        enum forwarded found;
        const char *peer; // NULL: none
        size_t size;
    } cases[] = {
        {"TCP over IPv4", TEXT(SIGNATURE "\x21\x11\0\x0c" V4), FORWARDED_PEER, "198.51.100.7:40000", 28},
        {"TCP over IPv6", TEXT(SIGNATURE "\x21\x21\0\x24" V6), FORWARDED_PEER, "[fd00::7]:40000", 52},
        {"IPv4 written as IPv6", TEXT(SIGNATURE "\x21\x21\0\x24" MAPPED), FORWARDED_PEER, "198.51.100.7:40000", 52},
        {"with more to say", TEXT(SIGNATURE "\x21\x11\0\x1c" V4 TLV), FORWARDED_PEER, "198.51.100.7:40000", 44},
        {"something behind it", TEXT(SIGNATURE "\x21\x11\0\x0c" V4 "\x16\3\1"), FORWARDED_PEER, "198.51.100.7:40000",
         28},
        {"a health check", TEXT(SIGNATURE "\x20\0\0\0"), FORWARDED_OWN, NULL, 16},
        {"a health check with addresses", TEXT(SIGNATURE "\x20\x11\0\x0c" V4), FORWARDED_OWN, NULL, 28},
        {"nothing yet", "", 0, FORWARDED_PARTIAL, NULL, 16},
        {"all but its last byte", TEXT(SIGNATURE "\x21\x11\0\x0d" V4), FORWARDED_PARTIAL, NULL, 29},
        {"TLS", TEXT("\x16\3\1\0\xa5\1\0\0\xa1"), FORWARDED_MISSING, NULL, 0},
        {"one byte wrong", TEXT("\r\n\r\n\0\r\nQUIX\n\x21\x11\0\x0c" V4), FORWARDED_MISSING, NULL, 0},
        {"version 1", TEXT("PROXY TCP4 198.51.100.7 10.3.0.2 40000 4433\r\n"), FORWARDED_OLD, NULL, 0},
        {"the beginning of version 1", TEXT("PROXY"), FORWARDED_PARTIAL, NULL, 16},
        {"what only looks like that", TEXT("PROXX "), FORWARDED_MISSING, NULL, 0},
        {"version 3", TEXT(SIGNATURE "\x31\x11\0\x0c" V4), FORWARDED_UNKNOWN, NULL, 0},
        {"another command", TEXT(SIGNATURE "\x22\x11\0\x0c" V4), FORWARDED_UNKNOWN, NULL, 0},
        {"of no family", TEXT(SIGNATURE "\x21\0\0\0"), FORWARDED_NO_ADDRESS, NULL, 0},
        {"UDP", TEXT(SIGNATURE "\x21\x12\0\x0c" V4), FORWARDED_NO_ADDRESS, NULL, 0},
        {"nobody", TEXT(SIGNATURE "\x21\x11\0\x0c" NOBODY), FORWARDED_NO_ADDRESS, NULL, 0},
        {"no port", TEXT(SIGNATURE "\x21\x11\0\x0c" NO_PORT), FORWARDED_NO_ADDRESS, NULL, 0},
        {"too short for IPv4", TEXT(SIGNATURE "\x21\x11\0\x0b" V4), FORWARDED_SHORT, NULL, 0},
        {"too short for IPv6", TEXT(SIGNATURE "\x21\x21\0\x0c" V4), FORWARDED_SHORT, NULL, 0},
        {"too long", TEXT(SIGNATURE "\x21\x11\x07\xf1" V4), FORWARDED_LONG, NULL, 0},
        {"the longest", TEXT(SIGNATURE "\x21\x11\x07\xf0" V4), FORWARDED_PARTIAL, NULL, 2048},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct forwarded_header header;
        char peer[ENDPOINT_TEXT_SIZE];
        enum forwarded found = forwarded_read((const uint8_t *)cases[i].bytes, cases[i].len, &header);
        CASE(cases[i].name, found == cases[i].found);
        CASE(cases[i].name, !cases[i].size || header.size == cases[i].size);
        CASE(cases[i].name, !cases[i].peer || !strcmp(endpoint_text(&header.peer, peer), cases[i].peer));
        CASE(cases[i].name, (found >= FORWARDED_MISSING) == !!forwarded_why(found));
    }
}

// AF_UNIX has addresses of 216 bytes.
static void test_a_local_socket(void **state)
{
    (void)state;
    uint8_t bytes[16 + 216] = SIGNATURE "\x21\x31\0\xd8/run/somebody";
    struct forwarded_header header;
    assert_int_equal(forwarded_read(bytes, sizeof bytes, &header), FORWARDED_NO_ADDRESS);
}

// Byte by byte: nothing is said before it is whole, and never more is asked for than it has.
static void test_in_pieces(void **state)
{
    (void)state;
    static const uint8_t bytes[] = SIGNATURE "\x21\x21\0\x34" V6 TLV;
    struct forwarded_header header;
    for (size_t len = 0; len < sizeof bytes - 1; len++) {
        assert_int_equal(forwarded_read(bytes, len, &header), FORWARDED_PARTIAL);
        assert_int_equal(header.size, len < 16 ? 16 : sizeof bytes - 1);
        assert_int_equal(forwarded_begins(bytes, len), len >= 12);
    }
    assert_int_equal(forwarded_read(bytes, sizeof bytes - 1, &header), FORWARDED_PEER);
    assert_true(forwarded_begins((const uint8_t *)"PROXY TCP4", 10));
    assert_false(forwarded_begins((const uint8_t *)"\x16\3\1\0\xa5\1\0\0\xa1\0\0\0\0", 13));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_they_say),
        cmocka_unit_test(test_a_local_socket),
        cmocka_unit_test(test_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
