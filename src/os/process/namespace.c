// SPDX-License-Identifier: GPL-2.0-or-later
// The maps are written from outside: only there may root map everybody, and one way serves all.
#include "os/process/namespace.h"

#include "os/process/namespace_refused.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char SETTINGS[] = "/proc/sys";

enum { MAP_SIZE = 4096 }; // what the kernel takes at once

pid_t namespace_fork(struct fault *fault)
{
    const unsigned long flags = CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | SIGCHLD;
#ifdef __s390__ // where flags come second (clone(2))
    pid_t pid = (pid_t)syscall(SYS_clone, NULL, flags, NULL, NULL, 0);
#else
    pid_t pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, 0);
#endif
    if (pid < 0)
        namespace_refused(SETTINGS, errno, fault);
    return pid;
}

static bool write_text(pid_t child, const char *file, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)child, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t len = strlen(text);
    ssize_t put = write(fd, text, len);
    int error = errno;
    close(fd);
    errno = error;
    return put == (ssize_t)len;
}

// Everybody that there is in our own namespace, each as themselves.
static bool read_everybody(const char *file, char text[MAP_SIZE])
{
    char path[64];
    unsigned long inside, outside, count;
    int len = 0;
    snprintf(path, sizeof path, "/proc/self/%s", file);
    FILE *in = fopen(path, "re");
    while (in && len < MAP_SIZE && fscanf(in, "%lu %lu %lu", &inside, &outside, &count) == 3)
        len += snprintf(text + len, (size_t)(MAP_SIZE - len), "%lu %lu %lu\n", inside, inside, count);
    if (in)
        fclose(in);
    return len > 0 && len < MAP_SIZE;
}

static bool map_everybody(pid_t child)
{
    char users[MAP_SIZE], groups[MAP_SIZE];
    return read_everybody("uid_map", users) && read_everybody("gid_map", groups) &&
           write_text(child, "gid_map", groups) && write_text(child, "uid_map", users);
}

static bool map_self(pid_t child)
{
    char user[64], group[64];
    snprintf(user, sizeof user, "%u %u 1\n", geteuid(), geteuid());
    snprintf(group, sizeof group, "%u %u 1\n", getegid(), getegid());
    // Else one could leave a group here that forbids them something outside.
    return write_text(child, "setgroups", "deny") && write_text(child, "gid_map", group) &&
           write_text(child, "uid_map", user);
}

bool namespace_map(pid_t child, struct fault *fault)
{
    bool ok = geteuid() == 0 && map_everybody(child); // refused to root without rights, as in a container
    return ok || map_self(child) || namespace_refused(SETTINGS, errno, fault);
}

bool namespace_settle(struct fault *fault)
{
    // What is mounted outside, such as a disk that is put in, still comes; nothing goes the other way. It is also the first
    // that needs a right: AppArmor lets a namespace be made, and then refuses all that could be done in it.
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0)
        return true;
    return namespace_refused(SETTINGS, errno, fault);
}
