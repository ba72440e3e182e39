// SPDX-License-Identifier: GPL-2.0-or-later
#include "packet/path_mtu.h"

#include "unit.h"

#include <string.h>

static const struct hash_key key = {1, 2};

static struct address numbered(uint32_t number)
{
    struct address addr = {.version = 6, .bytes = {0xfd}};
    memcpy(addr.bytes + 12, &number, sizeof number);
    return addr;
}

static void it_is_learnt_and_forgotten(void **state)
{
    (void)state;
    struct path_mtus *paths = path_mtus_new(&key);
    struct address one = numbered(1), two = numbered(2);
    usec_t now = 5 * USEC_PER_SEC, minute = 60 * USEC_PER_SEC;
    assert_int_equal(path_mtus_to(NULL, &one, 1500, now), 1500);
    assert_int_equal(path_mtus_to(paths, &one, 1500, now), 1500);
    path_mtus_learn(paths, &one, 1400, now);
    assert_int_equal(path_mtus_to(paths, &one, 1500, now), 1400);
    assert_int_equal(path_mtus_to(paths, &one, 1280, now), 1280);
    assert_int_equal(path_mtus_to(paths, &two, 1500, now), 1500);
    path_mtus_learn(paths, &one, 1450, now + minute); // no news
    assert_int_equal(path_mtus_to(paths, &one, 1500, now + minute), 1400);
    assert_int_equal(path_mtus_to(paths, &one, 1500, now + 10 * minute), 1500);
    path_mtus_learn(paths, &one, 1450, now + 10 * minute);
    assert_int_equal(path_mtus_to(paths, &one, 1500, now + 10 * minute), 1450);
    path_mtus_free(paths);
}

static void the_longest_known_gives_way(void **state)
{
    (void)state;
    struct path_mtus *paths = path_mtus_new(&key);
    for (uint32_t i = 0; i < PATH_MTUS_MAX + 10; i++) {
        struct address to = numbered(i);
        path_mtus_learn(paths, &to, 1300, i);
    }
    for (uint32_t i = 0; i < PATH_MTUS_MAX + 10; i++) {
        struct address to = numbered(i);
        assert_int_equal(path_mtus_to(paths, &to, 1500, PATH_MTUS_MAX), i < 10 ? 1500 : 1300);
    }
    path_mtus_free(paths);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_learnt_and_forgotten),
        cmocka_unit_test(the_longest_known_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
