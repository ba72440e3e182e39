// SPDX-License-Identifier: GPL-2.0-or-later
// The least of machine and control groups, in trees that look like /proc and /sys.
#include "os/memory_limit.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP "/sys/fs/cgroup"

struct file {
    const char *path, *text;
};

static void make(const char *root, const struct file *file)
{
    char path[512];
    snprintf(path, sizeof path, "%s%s", root, file->path);
    for (char *at = path + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(path, 0700);
        *at = '/';
    }
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(file->text, out);
    fclose(out);
}

static void test_trees(void **state)
{
    (void)state;
    static const char MEMINFO[] = "MemFree: 1 kB\nMemTotal:       65536 kB\nMemAvailable: 7 kB\n";
    static const struct {
        const char *what;
        uint64_t limit;
        struct file files[5];
    } cases[] = {
        {"a small machine", 64 << 20, {{"/proc/meminfo", MEMINFO}}},
        {"unified, own group",
         32 << 20,
         {{"/proc/meminfo", MEMINFO},
          {"/proc/self/cgroup", "0::/system.slice/usher.service\n"},
          {GROUP "/system.slice/usher.service/memory.max", "33554432\n"},
          {GROUP "/system.slice/memory.max", "max\n"}}},
        {"unified, a group above",
         16 << 20,
         {{"/proc/meminfo", MEMINFO},
          {"/proc/self/cgroup", "0::/a/b\n"},
          {GROUP "/a/b/memory.max", "33554432\n"},
          {GROUP "/a/memory.max", "16777216\n"}}},
        {"no limit",
         64 << 20,
         {{"/proc/meminfo", MEMINFO}, {"/proc/self/cgroup", "0::/\n"}, {GROUP "/memory.max", "max\n"}}},
        {"above the machine's",
         64 << 20,
         {{"/proc/meminfo", MEMINFO},
          {"/proc/self/cgroup", "4:memory:/\n"},
          {GROUP "/memory/memory.limit_in_bytes", "9223372036854771712\n"}}},
        {"of its own tree",
         8 << 20,
         {{"/proc/meminfo", MEMINFO},
          {"/proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/a/b c\n0::/\n"},
          {GROUP "/memory/a/b c/memory.limit_in_bytes", "8388608\n"}}},
        {"in a container that is told its host's paths",
         8 << 20,
         {{"/proc/meminfo", MEMINFO},
          {"/proc/self/cgroup", "4:memory:/docker/0123\n"},
          {GROUP "/memory/memory.limit_in_bytes", "8388608\n"}}},
        {"nonsense",
         64 << 20,
         {{"/proc/meminfo", MEMINFO}, {"/proc/self/cgroup", "\n::\nx\n0::\n1:memory:\n0:nomemory:/\n"}}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char root[] = "/tmp/usher-unit-XXXXXX", command[64];
        assert_non_null(mkdtemp(root));
        for (const struct file *file = cases[i].files; file < cases[i].files + 5 && file->path; file++)
            make(root, file);
        CASE(cases[i].what, memory_limit(root) == cases[i].limit);
        snprintf(command, sizeof command, "rm -r %s", root);
        assert_int_equal(system(command), 0);
    }
}

static void test_this_machine(void **state)
{
    (void)state;
    uint64_t here = memory_limit("");
    assert_true(here >= 1 << 20 && here <= (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees),
        cmocka_unit_test(test_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
