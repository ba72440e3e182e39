// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "link/tls/cipher_buffer.h"

#include <stdlib.h>
#include <string.h>

// Random appends and takes against a model that counts: what comes out is what went in, in order, and never too much.
static void test_stream(void **state)
{
    (void)state;
    struct cipher_buffer buffer;
    cipher_buffer_init(&buffer, 1000);
    uint8_t in = 0, out = 0;
    size_t held = 0;
    srandom(7);
    for (int i = 0; i < 100000; i++) {
        uint8_t bytes[300];
        size_t len = (size_t)random() % sizeof(bytes), there, room;
        for (size_t b = 0; b < len; b++)
            bytes[b] = (uint8_t)(in + b);
        if (random() % 2) {
            bool fits = held + len <= 1000;
            assert_true(cipher_buffer_append(&buffer, bytes, len) == fits);
            len = fits ? len : 0;
        } else {
            uint8_t *at = cipher_buffer_room(&buffer, SIZE_MAX, &room);
            assert_int_equal(room, 1000 - held);
            len = len < room ? len : room;
            memcpy(at, bytes, len);
            cipher_buffer_added(&buffer, len);
        }
        in += (uint8_t)len;
        held += len;
        assert_int_equal(cipher_buffer_len(&buffer), held);
        const uint8_t *at = cipher_buffer_bytes(&buffer, &there);
        len = (size_t)random() % (there + 1);
        for (size_t b = 0; b < len; b++)
            assert_int_equal(at[b], out++);
        cipher_buffer_taken(&buffer, len);
        held -= len;
        cipher_buffer_trim(&buffer);
    }
    cipher_buffer_fini(&buffer);
}

static void test_trim(void **state)
{
    (void)state;
    struct cipher_buffer buffer;
    cipher_buffer_init(&buffer, 100);
    assert_true(cipher_buffer_append(&buffer, "abc", 3));
    cipher_buffer_trim(&buffer);
    assert_non_null(buffer.bytes);
    cipher_buffer_taken(&buffer, 3);
    cipher_buffer_trim(&buffer);
    assert_null(buffer.bytes);
    assert_true(cipher_buffer_append(&buffer, "abc", 3));
    cipher_buffer_fini(&buffer);
    assert_null(buffer.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_trim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
