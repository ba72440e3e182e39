// SPDX-License-Identifier: GPL-2.0-or-later
// Whose rules apply to whom, and in what order.
#include "gate/access.h"
#include "unit.h"

#include <netinet/in.h>
#include <stdlib.h>

static void add(struct access *access, const char *name, config_parse *parse, const char *rules)
{
    const struct config_entry entry = {.argument = name, .value = rules};
    struct fault fault;
    assert_true(parse(access, &entry, NULL, &fault));
}

static struct access sections(void)
{
    struct access access = {0};
    add(&access, "*", access_allow, "10.1.0.0/16");
    add(&access, "branch", access_deny, "10.1.0.66");
    add(&access, "branch", access_allow, "tcp:10.2.0.0/16:443");
    add(&access, "other", access_allow, "10.3.0.0/16");
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

static void test_the_way_to_a_worker(void **state)
{
    (void)state;
    struct access access = sections(), copy = {0};
    size_t size = access_size(&access);
    uint8_t *room = malloc(size);
    struct writer w = writer_over(room, size);
    access_encode(&w, &access);
    assert_false(w.failed);
    assert_int_equal(writer_left(&w), 0);
    struct reader r = reader_over(room, size);
    assert_true(access_decode(&copy, &r));
    judge_all(&copy);
    access_fini(&copy);
    for (size_t cut = 0; cut < size; cut++) {
        r = reader_over(room, cut);
        assert_false(access_decode(&copy, &r));
        access_fini(&copy);
    }
    access_fini(&access);
    free(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_nothing_allows_nothing),
        cmocka_unit_test(test_the_way_to_a_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
