// SPDX-License-Identifier: GPL-2.0-or-later
// What waits, in which order, and that it goes with the last of it.
#include "usher/due.h"

#include "unit.h"

enum { SESSIONS = 3 };

struct fixture {
    struct list waiting;
    struct due *due[SESSIONS];
};

// Only their addresses count.
static struct usher_session *session_of(struct fixture *f, size_t i)
{
    return (struct usher_session *)&f->due[i];
}

static void fixture_init(struct fixture *f)
{
    *f = (struct fixture){0};
    list_init(&f->waiting);
}

static struct usher_session *first(const struct fixture *f)
{
    return list_is_empty(&f->waiting) ? NULL : container_of(f->waiting.next, struct due, link)->session;
}

static void add_rst(struct fixture *f, size_t i)
{
    uint8_t bytes[64];
    struct writer w = writer_over(bytes, sizeof bytes);
    record_rst_encode(&w, 1, "no");
    due_add_record(&f->due[i], &f->waiting, session_of(f, i), RECORD_RST, &w, bytes);
}

static void one_session_says_record_then_ack_then_close(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    add_rst(&f, 0);
    due_add(&f.due[0], &f.waiting, session_of(&f, 0), DUE_CLOSE);
    due_add(&f.due[0], &f.waiting, session_of(&f, 0), DUE_ACK);
    assert_true(due_has_record(f.due[0], RECORD_RST));
    assert_false(due_has_record(f.due[0], RECORD_OPEN));
    assert_int_equal(f.due[0]->len, USHER_HEADER_SIZE + 3);
    assert_int_equal(due_first(f.due[0]), DUE_RECORD);
    due_done(&f.due[0], DUE_RECORD);
    assert_false(due_has_record(f.due[0], RECORD_RST));
    assert_int_equal(due_first(f.due[0]), DUE_ACK);
    due_done(&f.due[0], DUE_ACK);
    assert_int_equal(due_first(f.due[0]), DUE_CLOSE);
    due_done(&f.due[0], DUE_CLOSE);
    assert_null(f.due[0]);
    assert_true(list_is_empty(&f.waiting));
}

static void sessions_keep_the_place_of_their_first(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    for (size_t i = 0; i < SESSIONS; i++)
        due_add(&f.due[i], &f.waiting, session_of(&f, i), DUE_ACK);
    due_add(&f.due[0], &f.waiting, session_of(&f, 0), DUE_CLOSE);
    assert_ptr_equal(first(&f), session_of(&f, 0));
    due_done(&f.due[1], DUE_ACK); // from the middle
    due_done(&f.due[0], DUE_ACK);
    assert_ptr_equal(first(&f), session_of(&f, 0));
    due_drop(&f.due[0]);
    assert_ptr_equal(first(&f), session_of(&f, 2));
    due_add(&f.due[0], &f.waiting, session_of(&f, 0), DUE_ACK); // once more: at the end
    assert_ptr_equal(first(&f), session_of(&f, 2));
    due_drop(&f.due[2]);
    due_drop(&f.due[0]);
    assert_true(list_is_empty(&f.waiting));
}

static void nothing_is_nothing(void **state)
{
    struct due *due = NULL;
    (void)state;
    assert_false(due_has_record(due, RECORD_OPEN));
    due_done(&due, DUE_ACK);
    due_drop(&due);
    assert_null(due);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_session_says_record_then_ack_then_close),
        cmocka_unit_test(sessions_keep_the_place_of_their_first),
        cmocka_unit_test(nothing_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
