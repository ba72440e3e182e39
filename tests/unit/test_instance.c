// SPDX-License-Identifier: GPL-2.0-or-later
// What names an instance, and what does not.
#include "config/instance.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

// What another user than root finds; in a child, which becomes one.
static int look_as_user(void)
{
    enum { NOBODY = 65534 };
    char home[] = "/tmp/usher-home-XXXXXX", text[64], own[64], path[256];
    bool ok = mkdtemp(home) && chmod(home, 0755) == 0;
    snprintf(text, sizeof text, "%s/usher", home);
    snprintf(own, sizeof own, "%s/usher/branch.conf", home);
    ok = ok && mkdir(text, 0755) == 0 && mknod(own, S_IFREG | 0644, 0) == 0;
    setenv("XDG_CONFIG_HOME", home, 1);
    if (geteuid() == 0) {
        instance_config_path(path, sizeof path, "branch");
        ok = ok && !strcmp(path, "/etc/usher/branch.conf");
    }
    pid_t pid = fork();
    if (pid == 0) {
        ok = ok && (geteuid() != 0 || setuid(NOBODY) == 0);
        instance_config_path(path, sizeof path, "branch");
        ok = ok && !strcmp(path, own);
        instance_config_path(path, sizeof path, "./branch.conf");
        ok = ok && !strcmp(path, "./branch.conf");
        instance_config_path(path, sizeof path, "other");
        ok = ok && !strcmp(path, "/etc/usher/other.conf");
        setenv("XDG_CONFIG_HOME", "relative", 1); // is as if it were not set
        setenv("HOME", "/nonexistent", 1);
        instance_config_path(path, sizeof path, "branch");
        _exit(ok && !strcmp(path, "/etc/usher/branch.conf") ? 0 : 1);
    }
    int status = 1;
    waitpid(pid, &status, 0);
    unlink(own);
    rmdir(text);
    rmdir(home);
    return status;
}

static void test_a_user_has_files_too(void **state)
{
    (void)state;
    assert_int_equal(look_as_user(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_a_user_has_files_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
