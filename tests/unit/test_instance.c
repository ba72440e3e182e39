// SPDX-License-Identifier: GPL-2.0-or-later
// What names an instance, and what does not.
#include "config/instance.h"
#include "unit.h"

static struct fault fault;

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *given, *name, *path;
    } good[] = {
        {"branch", "branch", "/etc/usher/branch.conf"}, {"branch.conf", "branch", "branch.conf"},
        {"/etc/x/a.conf", "a", "/etc/x/a.conf"},        {"./b-1_c.d", "b-1_c.d", "./b-1_c.d"},
        {"v1.2", "v1.2", "/etc/usher/v1.2.conf"},
    };
    static const char *const bad[] = {"",   "/",          ".conf",
                                      "..", ".hidden",    "a b",
                                      "x/", "/tmp/.conf", "0123456789012345678901234567890123456789012345678"};
    char name[INSTANCE_NAME_MAX + 1], path[256];
    for (size_t i = 0; i < COUNT(good); i++) {
        CASE(good[i].given, instance_name(name, good[i].given, &fault));
        assert_string_equal(name, good[i].name);
        instance_config_path(path, sizeof(path), good[i].given);
        assert_string_equal(path, good[i].path);
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        CASE(bad[i], !instance_name(name, bad[i], &fault));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
