// SPDX-License-Identifier: GPL-2.0-or-later
// A limit of any group above holds too, so the least counts. A container may see the paths of its host in /proc and have
// its own group for a root: what is not there is passed over, and the root is always asked.
#include "os/memory_limit.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void take_least(uint64_t *least, uint64_t value)
{
    if (value && value < *least)
        *least = value;
}

static void read_limit(uint64_t *least, const char *group, const char *file)
{
    char path[PATH_MAX];
    unsigned long long value;
    if (snprintf(path, sizeof path, "%s/%s", group, file) >= (int)sizeof path)
        return;
    FILE *in = fopen(path, "re");
    if (in && fscanf(in, "%llu", &value) == 1) // not "max"
        take_least(least, value);
    if (in)
        fclose(in);
}

// Of the group and of all above it, up to `top`.
static void climb(uint64_t *least, const char *top, const char *group, const char *file)
{
    char path[PATH_MAX];
    size_t root = strlen(top);
    if (snprintf(path, sizeof path, "%s%s", top, group) >= (int)sizeof path)
        return;
    for (char *end = path + strlen(path); end >= path + root; end--)
        if (end == path + root || *end == '/' || !*end) {
            *end = '\0';
            read_limit(least, path, file);
        }
}

static bool is_listed(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at += len)
        if ((at == list || at[-1] == ',') && (!at[len] || at[len] == ','))
            return true;
    return false;
}

// "number:controllers:/group"; no controllers: the unified tree.
static void take_group(uint64_t *least, const char *root, char *line)
{
    char top[PATH_MAX];
    char *rest = line;
    line[strcspn(line, "\n")] = '\0';
    strsep(&rest, ":");
    const char *controllers = strsep(&rest, ":");
    if (!rest || *rest != '/')
        return;
    bool unified = !*controllers;
    if (!unified && !is_listed(controllers, "memory"))
        return;
    snprintf(top, sizeof top, "%s/sys/fs/cgroup%s", root, unified ? "" : "/memory");
    climb(least, top, rest, unified ? "memory.max" : "memory.limit_in_bytes");
}

static uint64_t of_machine(const char *root)
{
    char path[PATH_MAX], line[256];
    unsigned long long kib = 0;
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    FILE *in = fopen(path, "re");
    while (in && !kib && fgets(line, sizeof line, in))
        if (sscanf(line, "MemTotal: %llu kB", &kib) != 1)
            kib = 0;
    if (in)
        fclose(in);
    return kib ? kib * 1024 : (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t memory_limit(const char *root)
{
    char path[PATH_MAX], *line = NULL;
    size_t size = 0;
    uint64_t least = of_machine(root);
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *in = fopen(path, "re");
    while (in && getline(&line, &size, in) > 0)
        take_group(&least, root, line);
    free(line);
    if (in)
        fclose(in);
    return least;
}
