// SPDX-License-Identifier: GPL-2.0-or-later
// A text needs a file that can be mounted over another. It lies on a file system of its own, which is on /proc while the file
// is made and mounted, and afterwards lives on below that mount alone.
#include "os/process/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const char STAGE[] = "/proc", STAGED[] = "/proc/text";

static const unsigned long HARMLESS = MS_NOSUID | MS_NODEV | MS_NOEXEC;

bool mounts_hide(const char *path, struct fault *fault)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return true;
    int result = S_ISDIR(st.st_mode) ? mount("tmpfs", path, "tmpfs", HARMLESS, "mode=0755,size=1m")
                                     : mount("/dev/null", path, NULL, MS_BIND, NULL);
    return result == 0 || fault_errno(fault, errno, "hide %s", path);
}

// Relative to the directory `at`.
static bool create(int at, const char *path, const char *text)
{
    int fd = openat(at, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    size_t len = strlen(text);
    bool ok = write(fd, text, len) == (ssize_t)len && fchmod(fd, 0644) == 0; // whatever the umask
    int error = errno;
    close(fd);
    errno = error;
    return ok;
}

static bool cover(const char *path, const char *text)
{
    if (mount("tmpfs", STAGE, "tmpfs", HARMLESS, "mode=0700,size=1m") < 0)
        return false;
    bool ok = create(AT_FDCWD, STAGED, text) && mount(STAGED, path, NULL, MS_BIND, NULL) == 0;
    int error = errno;
    umount2(STAGE, MNT_DETACH);
    errno = error;
    return ok;
}

// A link that leads nowhere, absolute or from its own directory.
static bool create_behind(const char *link, const char *text)
{
    char to[PATH_MAX], own[PATH_MAX];
    ssize_t len = readlink(link, to, sizeof to - 1);
    if (len < 0 || strlen(link) >= sizeof own)
        return false;
    to[len] = '\0';
    strcpy(own, link);
    int at = open(dirname(own), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (at < 0)
        return false;
    bool ok = create(at, to, text);
    int error = errno;
    close(at);
    errno = error;
    return ok;
}

bool mounts_write(const char *path, const char *text, struct fault *fault)
{
    char real[PATH_MAX];
    bool ok = realpath(path, real) ? cover(real, text) : create_behind(path, text);
    return ok || fault_errno(fault, errno, "put a file in the place of %s", path);
}

bool mounts_proc(struct fault *fault)
{
    return mount("proc", "/proc", "proc", HARMLESS, NULL) == 0 || fault_errno(fault, errno, "mount /proc");
}
