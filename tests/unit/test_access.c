// SPDX-License-Identifier: GPL-2.0-or-later
// Whose rules apply to whom, and in what order.
#include "config/access.h"
#include "unit.h"

#include <netinet/in.h>

static void add(struct access *access, const char *name, bool allow, const char *rules)
{
    const struct config_entry entry = {.argument = name, .value = rules};
    struct fault fault;
    assert_true((allow ? access_allow : access_deny)(access, &entry, NULL, &fault));
}

static struct access sections(void)
{
    struct access access = {0};
    add(&access, "*", true, "10.1.0.0/16");
    add(&access, "branch", false, "10.1.0.66");
    add(&access, "branch", true, "tcp:10.2.0.0/16:443");
    add(&access, "other", true, "10.3.0.0/16");
    return access;
}

static bool allows(const struct access *access, const char *name, const char *to, uint16_t port)
{
    struct policy *policy = access_policy(access, name);
    struct address addr;
    assert_true(address_parse(&addr, to));
    bool allowed = policy_judge(policy, IPPROTO_TCP, NULL, &addr, port) == POLICY_ALLOWED;
    policy_free(policy);
    return allowed;
}

static void judge_all(const struct access *access)
{
    static const struct {
        const char *name, *to;
        uint16_t port;
        bool allowed;
    } cases[] = {
        {"branch", "10.1.0.1", 22, true},   // by everybody's section
        {"branch", "10.1.0.66", 22, false}, // its own comes first, though it stands later in the file
        {"branch", "10.2.0.1", 443, true},   {"branch", "10.2.0.1", 80, false},
        {"branch", "10.3.0.1", 22, false}, // another's
        {"BRANCH", "10.2.0.1", 443, true}, // DNS names have no case
        {"branch2", "10.2.0.1", 443, false}, {"other", "10.1.0.66", 22, true},
        {"other", "10.3.0.1", 22, true},     {"stranger", "10.1.0.1", 22, true},
        {"stranger", "10.4.0.1", 22, false}, {"*", "10.1.0.1", 22, true},
        {"", "10.1.0.1", 22, true},          {"", "10.2.0.1", 443, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        CASE(cases[i].name, allows(access, cases[i].name, cases[i].to, cases[i].port) == cases[i].allowed);
}

// A group is asked after a portal's own section and before everybody's; groups among each other as they stand.
static void test_groups(void **state)
{
    (void)state;
    static const struct {
        const char *name, *to;
        bool allowed;
    } cases[] = {
        {"berlin-1", "10.1.0.1", false}, // the group's, though everybody's stands earlier
        {"berlin-1", "10.1.0.2", true},  // everybody's
        {"berlin-1", "10.2.0.1", true},  // the first group's
        {"BERLIN-1", "10.2.0.1", true},
        {"berlin-2", "10.2.0.1", false}, // its own
        {"berlin-", "10.2.0.1", false},  // nothing in the place of the star
        {"berlin-1.example", "10.2.0.1", true},
        {"berlin-1.example", "10.2.0.2", false}, // in two groups
        {"x.example", "10.2.0.2", true},
        {".example", "10.2.0.2", false},
        {"x.example.net", "10.2.0.2", false},
        {"east.x.site", "10.5.0.1", true},
        {"east.site", "10.5.0.1", false}, // neither end may serve twice
        {"oslo", "10.1.0.1", true},
    };
    struct access access = {0};
    add(&access, "*", true, "10.1.0.0/16");
    add(&access, "berlin-*", false, "10.1.0.1, 10.2.0.2");
    add(&access, "*.example", true, "10.2.0.2");
    add(&access, "berlin-*", true, "10.2.0.0/16");
    add(&access, "berlin-2", false, "10.2.0.0/16");
    add(&access, "east.*.site", true, "10.5.0.0/16");
    for (size_t i = 0; i < COUNT(cases); i++)
        CASE(cases[i].name, allows(&access, cases[i].name, cases[i].to, 22) == cases[i].allowed);
    access_fini(&access);
}

static void test_lists_groups(void **state)
{
    (void)state;
    struct access access = {0};
    add(&access, "berlin-*", true, "10.1.0.0/16");
    assert_true(access_lists(&access, "berlin-7"));
    assert_false(access_lists(&access, "oslo-7"));
    access_fini(&access);
}

static void test_order(void **state)
{
    (void)state;
    struct access access = sections();
    judge_all(&access);
    access_fini(&access);
}

static void test_nothing_allows_nothing(void **state)
{
    (void)state;
    struct access access = {0};
    assert_false(allows(&access, "branch", "10.1.0.1", 22));
}

static bool say_local(struct access *access, const char *name, const char *value, struct fault *fault)
{
    const struct config_entry entry = {.argument = name, .value = value};
    return access_local(access, &entry, NULL, fault);
}

static void test_whose_sessions_stay_here(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool without, with; // everybody's section saying yes
    } cases[] = {
        {"branch", true, true}, {"Branch", true, true},   {"other", false, false},
        {"third", false, true}, {"branch2", false, true}, {"*", false, true},
    };
    struct access access = sections();
    struct fault fault;
    assert_false(access_is_local(&access, "branch"));
    assert_true(say_local(&access, "branch", "yes", &fault));
    assert_true(say_local(&access, "other", "no", &fault));
    for (size_t i = 0; i < COUNT(cases); i++)
        CASE(cases[i].name, access_is_local(&access, cases[i].name) == cases[i].without);
    assert_true(say_local(&access, "*", "Yes", &fault));
    for (size_t i = 0; i < COUNT(cases); i++)
        CASE(cases[i].name, access_is_local(&access, cases[i].name) == cases[i].with);
    assert_false(say_local(&access, "BRANCH", "yes", &fault));
    judge_all(&access); // the rules are what they were
    access_fini(&access);
    assert_false(access_is_local(&access, "branch"));
}

static bool say_forward(struct access *access, const char *name, const char *value, struct fault *fault)
{
    const struct config_entry entry = {.argument = name, .value = value};
    return access_forward(access, &entry, NULL, fault);
}

static void test_whose_forwards_they_are(void **state)
{
    (void)state;
    struct access access = sections();
    struct fault fault;
    assert_null(access_forwards(&access, "branch"));
    assert_true(say_forward(&access, "branch", "tcp 10.0.0.1:80 -> web:80", &fault));
    assert_true(say_forward(&access, "BRANCH", "tcp 10.0.0.1:1-9 -> web:1-9", &fault));
    assert_true(say_forward(&access, "other", "udp 10.0.0.1:80 -> web:80", &fault));
    assert_int_equal(access_forwards(&access, "Branch")->count, 2);
    assert_int_equal(access_forwards(&access, "other")->count, 1);
    assert_false(say_forward(&access, "other", "tcp 0.0.0.0:9-10 -> web:1-2", &fault));
    assert_string_equal(fault.text, "listens where one of [Access branch] does");
    assert_false(say_forward(&access, "*", "tcp 10.0.0.2:80 -> web:80", &fault));
    assert_true(say_local(&access, "*", "yes", &fault)); // a section that says nothing of it leaves that to everybody's
    assert_true(access_is_local(&access, "branch"));
    assert_true(say_local(&access, "branch", "no", &fault));
    assert_false(access_is_local(&access, "branch"));
    assert_null(access_forwards(&access, "*"));
    judge_all(&access);
    access_fini(&access);
}

static bool say_enrol(struct access *access, const char *value, struct fault *fault)
{
    const struct config_entry entry = {.argument = "", .value = value};
    return access_enrol(access, &entry, NULL, fault);
}

// An invitation has one right, whatever everybody has; everybody has that one too.
static void test_invitations(void **state)
{
    static const char *const wrong[] = {"127.0.0.1", "127.0.0.1:0",       "ca.example",
                                        ":4434",     "tcp:10.0.0.1:4434", "10.0.0.0/8:1"};
    static const struct {
        const char *name, *to;
        uint16_t port;
        bool allowed;
    } cases[] = {
        {"branch.enrol.invalid", "10.9.0.5", 4434, true},
        {"branch.enrol.invalid", "10.9.0.5", 4433, false},
        {"branch.enrol.invalid", "10.1.0.1", 22, false},
        {"BRANCH.ENROL.INVALID", "10.1.0.1", 22, false},
        {"branch.Enrol.Invalid", "10.9.0.5", 4434, true},
        {"enrol.invalid", "10.1.0.1", 22, false},
        {"branch", "10.9.0.5", 4434, true},
        {"branch", "10.9.0.5", 4433, false},
        {"stranger", "10.9.0.5", 4434, true},
        {"xenrol.invalid", "10.1.0.1", 22, true},
    };
    (void)state;
    struct access access = sections();
    struct fault fault;
    assert_false(allows(&access, "branch.enrol.invalid", "10.9.0.5", 4434));
    assert_false(allows(&access, "branch.enrol.invalid", "10.1.0.1", 22));
    assert_false(access_lists(&access, "branch.enrol.invalid"));
    assert_true(say_enrol(&access, "10.9.0.5:4434", &fault));
    assert_true(access_lists(&access, "branch.enrol.invalid"));
    for (size_t i = 0; i < COUNT(cases); i++)
        CASE(cases[i].name, allows(&access, cases[i].name, cases[i].to, cases[i].port) == cases[i].allowed);
    assert_true(say_local(&access, "*", "yes", &fault));
    assert_false(access_is_local(&access, "branch.enrol.invalid"));
    assert_false(say_local(&access, "x.enrol.invalid", "yes", &fault));
    const struct config_entry rule = {.argument = "x.enrol.invalid", .value = "10.0.0.0/8"};
    assert_false(access_allow(&access, &rule, NULL, &fault));
    assert_string_equal(fault.text,
                        "x.enrol.invalid is the name of an invitation, which has no other right than to be accepted");
    for (size_t i = 0; i < COUNT(wrong); i++)
        CASE(wrong[i], !say_enrol(&access, wrong[i], &fault) && *fault.text);
    access_fini(&access);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_lists_groups),
        cmocka_unit_test(test_nothing_allows_nothing),
        cmocka_unit_test(test_whose_sessions_stay_here),
        cmocka_unit_test(test_whose_forwards_they_are),
        cmocka_unit_test(test_invitations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
