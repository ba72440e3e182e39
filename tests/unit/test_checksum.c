// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/checksum.h"

#include "unit.h"

#include <netinet/in.h>

// The example of RFC 1071 section 3, and the sum over any split of it at even places.
static void checksums_add_up(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    static const uint8_t right[] = {0x22, 0x0d}; // the complement of ddf2
    for (size_t cut = 0; cut <= sizeof bytes; cut += 2) {
        uint64_t sum = checksum_add(checksum_add(0, bytes, cut), bytes + cut, sizeof bytes - cut);
        uint16_t folded = checksum_fold(sum);
        assert_memory_equal(&folded, right, sizeof right);
    }
}

static void odd_lengths_are_padded_behind(void **state)
{
    (void)state;
    uint8_t bytes[100];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 1);
    for (size_t len = 0; len < sizeof bytes; len++) {
        uint32_t plain = 0;
        for (size_t i = 0; i < len; i++)
            plain += (uint32_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
        while (plain >> 16 != 0)
            plain = (plain & 0xffff) + (plain >> 16);
        assert_int_equal(ntohs(checksum_fold(checksum_add(0, bytes, len))), (uint16_t)~plain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_add_up),
        cmocka_unit_test(odd_lengths_are_padded_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
