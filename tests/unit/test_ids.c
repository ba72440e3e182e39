// SPDX-License-Identifier: GPL-2.0-or-later
#include "usher/ids.h"

#include "unit.h"
#include "usher/record.h"

// The table only keeps the pointers: any will do.
static struct usher_session *const someone = (struct usher_session *)8;
static struct usher_session *const another = (struct usher_session *)16;

static void each_role_has_its_parity(void **state)
{
    struct ids client, server;
    (void)state;
    ids_init(&client, false);
    ids_init(&server, true);
    assert_int_equal(ids_allocate(&client, someone), 2);
    assert_int_equal(ids_allocate(&client, someone), 4);
    assert_int_equal(ids_allocate(&server, someone), 1);
    assert_int_equal(ids_allocate(&server, someone), 3);
    ids_fini(&client);
    ids_fini(&server);
}

static void all_of_one_parity_and_no_more(void **state)
{
    (void)state;
    for (int server = 0; server < 2; server++) {
        struct ids ids;
        uint16_t id = 0;
        unsigned count = 0;
        ids_init(&ids, server);
        while ((id = ids_allocate(&ids, someone)) != 0) {
            assert_int_not_equal(id, USHER_ID_NONE);
            assert_int_equal(id & 1, server);
            assert_true(count++ < IDS_SPACE);
        }
        assert_int_equal(count, 32767); // without 0, or without 0xffff
        ids_release(&ids, 777 * 2 + (uint16_t)server);
        assert_int_equal(ids_allocate(&ids, someone), 777 * 2 + server);
        assert_int_equal(ids_allocate(&ids, someone), 0);
        ids_fini(&ids);
    }
}

static void the_last_freed_comes_first(void **state)
{
    struct ids ids;
    (void)state;
    ids_init(&ids, false);
    for (uint16_t i = 1; i <= 10; i++)
        assert_int_equal(ids_allocate(&ids, someone), 2 * i);
    ids_release(&ids, 4);
    ids_release(&ids, 8);
    assert_null(ids_find(&ids, 8));
    assert_int_equal(ids_allocate(&ids, another), 8);
    assert_ptr_equal(ids_find(&ids, 8), another);
    assert_int_equal(ids_allocate(&ids, another), 4);
    assert_int_equal(ids_allocate(&ids, another), 22);
    ids_fini(&ids);
}

static void adopts_what_is_free(void **state)
{
    struct ids ids;
    (void)state;
    ids_init(&ids, false);
    assert_true(ids_adopt(&ids, 1, someone));
    assert_false(ids_adopt(&ids, 1, another));
    assert_ptr_equal(ids_find(&ids, 1), someone);
    assert_false(ids_adopt(&ids, 0, someone));
    assert_false(ids_adopt(&ids, USHER_ID_NONE, someone));
    ids_release(&ids, 1);
    assert_true(ids_adopt(&ids, 1, another));
    ids_fini(&ids);
}

// A peer that does not know our parities takes ids that we would have allocated, used or will use.
static void adopted_ids_of_our_own_parity(void **state)
{
    struct ids ids;
    (void)state;
    ids_init(&ids, false);
    assert_true(ids_adopt(&ids, 4, someone));
    assert_int_equal(ids_allocate(&ids, another), 2);
    assert_int_equal(ids_allocate(&ids, another), 6);
    ids_release(&ids, 2);
    assert_true(ids_adopt(&ids, 2, someone));
    assert_int_equal(ids_allocate(&ids, another), 8);
    ids_release(&ids, 2);
    assert_int_equal(ids_allocate(&ids, another), 2);
    for (int i = 0; i < 100 * 1000; i++) {
        ids_release(&ids, 4);
        assert_true(ids_adopt(&ids, 4, someone));
    }
    assert_true(ids.freed_room < 100); // the peer cannot make the list of free ids grow
    ids_fini(&ids);
}

static void no_peer_id_is_bound_twice(void **state)
{
    struct ids ids;
    (void)state;
    ids_init(&ids, false);
    assert_true(ids_bind(&ids, 0));
    assert_true(ids_bind(&ids, 63));
    assert_true(ids_bind(&ids, 64));
    assert_false(ids_bind(&ids, 63));
    ids_unbind(&ids, 63);
    assert_true(ids_bind(&ids, 63));
    assert_false(ids_bind(&ids, 64));
    assert_false(ids_bind(&ids, USHER_ID_NONE));
    ids_fini(&ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_role_has_its_parity),      cmocka_unit_test(all_of_one_parity_and_no_more),
        cmocka_unit_test(the_last_freed_comes_first),    cmocka_unit_test(adopts_what_is_free),
        cmocka_unit_test(adopted_ids_of_our_own_parity), cmocka_unit_test(no_peer_id_is_bound_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
