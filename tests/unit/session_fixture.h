// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef TESTS_SESSION_FIXTURE_H
#define TESTS_SESSION_FIXTURE_H

#include "scripted.h"

// What most tests of sessions need: a script, and the edge of one open of ours.

#define EXPECT_PULL(script, text) assert_string_equal(pull(script), text)
#define EXPECT_LOG(edge, logged)  assert_string_equal((edge)->log.text, logged)
#define EXPECT_STATE(edge, text)  assert_string_equal(usher_session_state((edge)->session), text)
#define TEST(name)                cmocka_unit_test_setup_teardown(name, set_up, tear_down)

struct fixture {
    struct script *script;
    struct edge edge;
};

static inline struct fixture *fixture_new(const struct usher_engine_config *config)
{
    struct fixture *fixture = memory_new(sizeof *fixture);
    fixture->script = script_new(config);
    return fixture;
}

static inline int set_up(void **state)
{
    struct usher_engine_config config = script_config();
    *state = fixture_new(&config);
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;
    script_free(fixture->script);
    free(fixture);
    return 0;
}

#endif
