// SPDX-License-Identifier: GPL-2.0-or-later
// The two lives of an opening.
#include "usher/opening.h"

#include "unit.h"

static void beginnings(void **state)
{
    struct opening o;
    (void)state;
    opening_init_ours(&o, USHER_TCP);
    assert_true(o.stream && o.attached && !o.incoming && !o.refused);
    assert_false(opening_is_bound(&o));
    opening_init_ours(&o, USHER_ICMP);
    assert_false(o.stream);
    opening_init_peers(&o, USHER_TCP, 0, false); // 0 is an id that a peer may propose
    assert_true(o.stream && o.incoming && !o.attached && !o.refused);
    assert_true(opening_is_bound(&o));
    opening_init_peers(&o, USHER_UDP, 7, true);
    assert_true(!o.stream && o.refused);
    assert_int_equal(o.peer_id, 7);
}

static void what_the_peer_waits_for(void **state)
{
    static const struct {
        const char *steps; // o: ours, p: the peer's; a: attach, d: detach, b: bind, g: abandon, y: answer
        bool unanswered;
        bool bound;
        bool attached;
    } cases[] = {
        {"o", false, false, true},    {"ob", false, true, true},    {"od", false, false, false},
        {"odg", false, false, false}, {"odgb", false, true, false}, {"p", true, true, false},
        {"pa", true, true, true},     {"pad", true, true, false},   {"pay", false, true, true},
        {"payd", false, true, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct opening o;
        for (const char *step = cases[i].steps; *step; step++) {
            switch (*step) {
            case 'o':
                opening_init_ours(&o, USHER_UDP);
                break;
            case 'p':
                opening_init_peers(&o, USHER_UDP, 3, false);
                break;
            case 'a':
                opening_attach(&o);
                break;
            case 'd':
                CASE(cases[i].steps, opening_detach(&o));
                CASE(cases[i].steps, !opening_detach(&o));
                break;
            case 'b':
                opening_bind(&o, 5);
                break;
            case 'g':
                opening_abandon(&o);
                break;
            default:
                opening_answer(&o);
            }
        }
        CASE(cases[i].steps, opening_is_unanswered(&o) == cases[i].unanswered);
        CASE(cases[i].steps, opening_is_bound(&o) == cases[i].bound);
        CASE(cases[i].steps, o.attached == cases[i].attached);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beginnings),
        cmocka_unit_test(what_the_peer_waits_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
