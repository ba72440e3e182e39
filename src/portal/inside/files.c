// SPDX-License-Identifier: GPL-2.0-or-later
// A helper that is asked over a socket of AF_UNIX lives outside, and so does what it sends. Abstract names belong to the
// network namespace, and are gone by that; those in the file system are hidden here, by directory where that is all it has.

#include "portal/inside/files.h"

#include "base/memory.h"
#include "os/log.h"
#include "os/process/mounts.h"
#include "portal/inside/nsswitch.h"
#include "portal/inside/resolv_conf.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 64 * 1024 }; // bytes of a file of /etc, far above any honest one

// Of the machine.
static const char *const HELPERS[] = {
    "/run/nscd",            // glibc asks it for every name, before anything else
    "/run/systemd/resolve", // varlink, and resolv.conf with its stub
    "/run/systemd/private", // systemd: starts programs
    "/run/dbus",            // resolved, NetworkManager, and what D-Bus starts on demand
    "/run/avahi-daemon",    // names in .local, by multicast
    "/run/nslcd",           // names from LDAP
    "/run/docker.sock",     // containers, with a network of theirs
    "/run/podman",
    "/run/usher", // other portals
};

// Of the user, below XDG_RUNTIME_DIR.
static const char *const OWN_HELPERS[] = {"bus", "systemd", "gnupg/S.dirmngr", "podman", "docker.sock", "usher"};

static const char *const VARIABLES[] = {"DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS",
                                        "DBUS_STARTER_ADDRESS",     "DBUS_STARTER_BUS_TYPE",
                                        "DBUS_SESSION_BUS_PID",     "DOCKER_HOST",
                                        "CONTAINER_HOST",           "NOTIFY_SOCKET"};

enum {
    HELPER_COUNT = sizeof HELPERS / sizeof HELPERS[0],
    OWN_HELPER_COUNT = sizeof OWN_HELPERS / sizeof OWN_HELPERS[0],
    VARIABLE_COUNT = sizeof VARIABLES / sizeof VARIABLES[0],
};

static bool hide_helpers(struct fault *fault)
{
    for (size_t i = 0; i < HELPER_COUNT; i++)
        if (!mounts_hide(HELPERS[i], fault))
            return false;
    return true;
}

static bool hide_below(const char *place, struct fault *fault)
{
    char path[PATH_MAX];
    for (size_t i = 0; i < OWN_HELPER_COUNT; i++) {
        snprintf(path, sizeof path, "%s/%s", place, OWN_HELPERS[i]);
        if (!mounts_hide(path, fault))
            return false;
    }
    return true;
}

static bool hide_own_helpers(struct fault *fault)
{
    char login[64];
    const char *place = getenv("XDG_RUNTIME_DIR");
    snprintf(login, sizeof login, "/run/user/%u", geteuid());
    bool is_elsewhere = place && *place == '/' && strcmp(place, login);
    return hide_below(login, fault) && (!is_elsewhere || hide_below(place, fault));
}

// NULL: there is no such file.
static char *read_text(const char *path)
{
    FILE *in = fopen(path, "re");
    if (!in)
        return NULL;
    char *text = memory_new(TEXT_MAX);
    text[fread(text, 1, TEXT_MAX - 1, in)] = '\0';
    fclose(in);
    return text;
}

static void put(const char *path, const char *text)
{
    struct fault why;
    if (!mounts_write(path, text, &why))
        log_warning("names may not be resolved in this run: %s", why.text);
}

bool files_cover(const struct names_keys *names, struct fault *fault)
{
    struct fault why;
    char *servers = resolv_conf_of(names), *services = read_text("/etc/nsswitch.conf");
    if (!mounts_proc(&why))
        log_debug("processes outside are seen in /proc: %s", why.text);
    bool ok = hide_helpers(fault) && hide_own_helpers(fault);
    if (ok)
        put("/etc/resolv.conf", servers);
    if (ok && services) {
        char *text = nsswitch_by_dns(services);
        put("/etc/nsswitch.conf", text);
        free(text);
    }
    free(servers);
    free(services);
    return ok;
}

void files_clean_environment(void)
{
    for (size_t i = 0; i < VARIABLE_COUNT; i++)
        unsetenv(VARIABLES[i]);
}
