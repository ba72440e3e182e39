// SPDX-License-Identifier: GPL-2.0-or-later
// Every step of doc/PROTOCOL.md section 7 that is legal, and what each state allows.
#include "usher/closing.h"

#include "unit.h"

static const char *const names[] = {"pending", "active", "session active", "write active", "inactive"};

static void states_allow_what_section_7_says(void **state)
{
    static const struct {
        enum session_state state;
        enum closing_own own;
        bool may_send;
        bool may_receive;
        bool is_finishing;
    } cases[] = {
        {SESSION_PENDING, CLOSING_NOT, false, false, false},
        {SESSION_PENDING, CLOSING_FINISHING, false, false, true},
        {SESSION_ACTIVE, CLOSING_NOT, true, true, false},
        {SESSION_ACTIVE, CLOSING_FINISHING, true, true, true},
        {SESSION_ACTIVE, CLOSING_DUE, false, true, false},
        {SESSION_SESSION_ACTIVE, CLOSING_NOT, true, false, false},
        {SESSION_SESSION_ACTIVE, CLOSING_FINISHING, true, false, true},
        {SESSION_SESSION_ACTIVE, CLOSING_DUE, false, false, false},
        {SESSION_WRITE_ACTIVE, CLOSING_SENT, false, true, false},
        {SESSION_INACTIVE, CLOSING_NOT, false, false, false},
        {SESSION_INACTIVE, CLOSING_SENT, false, false, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct closing c = {.state = cases[i].state & 7, .own = cases[i].own & 3};
        CASE(names[cases[i].state], closing_may_send(&c) == cases[i].may_send);
        CASE(names[cases[i].state], closing_may_receive(&c) == cases[i].may_receive);
        CASE(names[cases[i].state], closing_is_finishing(&c) == cases[i].is_finishing);
    }
}

static void closes_lead_to_the_next_state(void **state)
{
    static const struct {
        enum session_state state;
        enum session_state after_ours;
        enum session_state after_peers;
    } cases[] = {
        {SESSION_ACTIVE, SESSION_WRITE_ACTIVE, SESSION_SESSION_ACTIVE},
        {SESSION_SESSION_ACTIVE, SESSION_INACTIVE, SESSION_INACTIVE},
        {SESSION_WRITE_ACTIVE, SESSION_INACTIVE, SESSION_INACTIVE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct closing c = {.state = cases[i].state & 7};
        CASE(names[cases[i].state], closing_after_ours(&c) == cases[i].after_ours);
        CASE(names[cases[i].state], closing_after_peers(&c) == cases[i].after_peers);
        closing_step(&c, closing_after_peers(&c));
        CASE(names[cases[i].state], c.state == cases[i].after_peers);
    }
}

// Words of the edge, of the transmitter and of the peer, one after the other; what the session would then say and do.
static void our_own_close_goes_forward_only(void **state)
{
    static const struct {
        const char *steps; // f: finish, b: finish both, d: due, s: sent, w: Close(WRITE) came, B: Close(BOTH) came
        enum closing_own own;
        enum usher_direction direction;
        bool discarding;
        bool peer_stopped;
    } cases[] = {
        {"", CLOSING_NOT, USHER_READ, false, false},         {"f", CLOSING_FINISHING, USHER_READ, false, false},
        {"ff", CLOSING_FINISHING, USHER_READ, false, false}, {"fb", CLOSING_FINISHING, USHER_BOTH, false, false},
        {"fd", CLOSING_DUE, USHER_READ, false, false},       {"fdf", CLOSING_DUE, USHER_READ, false, false},
        {"fdb", CLOSING_DUE, USHER_BOTH, false, false},      {"fds", CLOSING_SENT, USHER_READ, false, false},
        {"fdsf", CLOSING_SENT, USHER_READ, false, false},    {"bd", CLOSING_DUE, USHER_BOTH, false, false},
        {"bds", CLOSING_SENT, USHER_BOTH, true, false},      {"w", CLOSING_NOT, USHER_READ, false, true},
        {"wds", CLOSING_SENT, USHER_READ, false, true},      {"Bds", CLOSING_SENT, USHER_BOTH, true, true},
        {"fwds", CLOSING_SENT, USHER_READ, false, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct closing c = {.state = SESSION_ACTIVE};
        for (const char *step = cases[i].steps; *step; step++) {
            if (*step == 'f' || *step == 'b')
                closing_finish(&c, *step == 'b');
            else if (*step == 'd')
                closing_make_due(&c);
            else if (*step == 's')
                closing_sent(&c);
            else
                CASE(cases[i].steps, closing_peer_stops(&c, *step == 'B'));
        }
        CASE(cases[i].steps, c.own == cases[i].own);
        CASE(cases[i].steps, closing_direction(&c) == cases[i].direction);
        CASE(cases[i].steps, c.discarding == cases[i].discarding);
        CASE(cases[i].steps, c.peer_stopped == cases[i].peer_stopped);
    }
}

static void a_stop_is_answered_once(void **state)
{
    static const struct {
        const char *name;
        struct closing before;
        bool answered;
    } cases[] = {
        {"active", {.state = SESSION_ACTIVE}, true},
        {"session active", {.state = SESSION_SESSION_ACTIVE}, true},
        {"our Close waits", {.state = SESSION_ACTIVE, .own = CLOSING_DUE}, true},
        {"our Close has gone", {.state = SESSION_WRITE_ACTIVE, .own = CLOSING_SENT}, false},
        {"it stopped before", {.state = SESSION_ACTIVE, .own = CLOSING_DUE, .peer_stopped = true}, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct closing c = cases[i].before;
        CASE(cases[i].name, closing_peer_stops(&c, true) == cases[i].answered);
        CASE(cases[i].name, c.both == cases[i].answered);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_allow_what_section_7_says),
        cmocka_unit_test(closes_lead_to_the_next_state),
        cmocka_unit_test(our_own_close_goes_forward_only),
        cmocka_unit_test(a_stop_is_answered_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
