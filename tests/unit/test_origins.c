// SPDX-License-Identifier: GPL-2.0-or-later
// Who asked, by identifiers: what is put is found, as often as it changes, and no more than there may be.
#include "usher/origins.h"

#include "unit.h"

#include <string.h>

static struct endpoint who(uint32_t number)
{
    struct endpoint end = {.addr = {.version = 4, .bytes = {10, 0, 0, 1}}, .port = (uint16_t)number};
    end.addr.bytes[1] = (uint8_t)(number >> 16);
    return end;
}

static void nothing_is_known_of_nobody(void **state)
{
    (void)state;
    struct origins origins = {0};
    assert_null(origins_find(&origins, 2));
    origins_drop(&origins, 2);
    origins_fini(&origins);
}

static void every_identifier_has_its_own(void **state)
{
    (void)state;
    struct origins origins = {0};
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t id = 0; id <= UINT16_MAX; id++) {
            struct endpoint end = who(id + round);
            assert_true(origins_put(&origins, (uint16_t)id, &end, 65536));
        }
    for (uint32_t id = 0; id <= UINT16_MAX; id++) {
        struct endpoint end = who(id + 1);
        assert_true(endpoint_equal(origins_find(&origins, (uint16_t)id), &end));
        if (id & 1)
            origins_drop(&origins, (uint16_t)id);
    }
    for (uint32_t id = 0; id <= UINT16_MAX; id++)
        assert_int_equal(!origins_find(&origins, (uint16_t)id), id & 1);
    origins_fini(&origins);
}

static void there_are_no_more_than_there_may_be(void **state)
{
    (void)state;
    struct origins origins = {0};
    struct endpoint one = who(1), other = who(2);
    for (uint16_t id = 0; id < 10; id++)
        assert_int_equal(origins_put(&origins, id, &one, 5), id < 5);
    assert_true(origins_put(&origins, 4, &other, 5)); // in another's place
    assert_true(endpoint_equal(origins_find(&origins, 4), &other));
    origins_drop(&origins, 0);
    assert_true(origins_put(&origins, 9, &other, 5));
    origins_fini(&origins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_of_nobody),
        cmocka_unit_test(every_identifier_has_its_own),
        cmocka_unit_test(there_are_no_more_than_there_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
