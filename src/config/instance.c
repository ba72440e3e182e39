// SPDX-License-Identifier: GPL-2.0-or-later
// A name becomes a directory of what is running, so it is nothing that could lead out of there.

#include "config/instance.h"

#include "base/memory.h"
#include "os/sandbox/rights.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSTEM_PLACE "/etc/usher"

static bool is_file(const char *name_or_file)
{
    size_t len = strlen(name_or_file);
    return strchr(name_or_file, '/') || (len > 5 && !strcmp(name_or_file + len - 5, ".conf"));
}

// Where the user's own files are; false when there is no such place.
static bool own_place(char *room, size_t size)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int len = 0;
    if (rights_are_the_machines()) // whose HOME may be that of the user before sudo
        return false;
    if (config && *config == '/')
        len = snprintf(room, size, "%s/usher", config);
    else if (home && *home == '/')
        len = snprintf(room, size, "%s/.config/usher", home);
    return len > 0 && (size_t)len < size;
}

// The user's own file; false when there is none.
static bool own_path(char *room, size_t size, const char *name)
{
    if (!own_place(room, size))
        return false;
    size_t used = strlen(room);
    int len = snprintf(room + used, size - used, "/%s.conf", name);
    return len > 0 && (size_t)len < size - used && access(room, F_OK) == 0;
}

void instance_config_path(char *room, size_t size, const char *name_or_file)
{
    if (is_file(name_or_file))
        snprintf(room, size, "%s", name_or_file);
    else if (!own_path(room, size, name_or_file))
        snprintf(room, size, SYSTEM_PLACE "/%s.conf", name_or_file);
}

char *instance_config_place(const char *name_or_file)
{
    char path[4096];
    instance_config_path(path, sizeof path, name_or_file);
    char *whole = realpath(path, NULL);
    return whole ? whole : memory_text(path);
}

bool instance_name(char name[INSTANCE_NAME_MAX + 1], const char *name_or_file, struct fault *fault)
{
    const char *slash = strrchr(name_or_file, '/');
    const char *base = slash ? slash + 1 : name_or_file;
    size_t len = strlen(base);
    if (is_file(name_or_file) && len > 5 && !strcmp(base + len - 5, ".conf"))
        len -= 5;
    bool ok = len > 0 && len <= INSTANCE_NAME_MAX && *base != '.';
    for (size_t i = 0; ok && i < len; i++)
        ok = isalnum((unsigned char)base[i]) || strchr("-_.", base[i]);
    if (!ok)
        return fault_set(fault, "the name of an instance is 1 to %d of a-z A-Z 0-9 - _ and no dot first",
                         INSTANCE_NAME_MAX);
    memcpy(name, base, len);
    name[len] = '\0';
    return true;
}

static void each_in(const char *place, void (*visit)(void *arg, const char *name), void *arg)
{
    DIR *dir = opendir(place);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char name[INSTANCE_NAME_MAX + 1];
        struct fault fault;
        if (is_file(entry->d_name) && instance_name(name, entry->d_name, &fault))
            visit(arg, name);
    }
    closedir(dir);
}

void instance_each(void (*visit)(void *arg, const char *name), void *arg)
{
    char own[4096];
    if (own_place(own, sizeof own))
        each_in(own, visit, arg);
    each_in(SYSTEM_PLACE, visit, arg);
}
