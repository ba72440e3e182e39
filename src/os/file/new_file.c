// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/file/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fill(int fd, mode_t mode, const struct blob *contents)
{
    for (size_t at = 0; at < contents->len;) {
        ssize_t put = write(fd, contents->bytes + at, contents->len - at);
        if (put < 0 && errno != EINTR)
            return false;
        at += put > 0 ? (size_t)put : 0;
    }
    return fchmod(fd, mode) == 0 && fsync(fd) == 0;
}

// To root all files are alike; to the user whose file it was, another's is not.
static bool keep_owner(int fd, const char *path)
{
    struct stat st;
    return geteuid() != 0 || lstat(path, &st) < 0 || fchown(fd, st.st_uid, st.st_gid) == 0;
}

bool new_file_settle(const char *directory, struct fault *fault)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (!good)
        fault_errno(fault, errno, "%s", directory);
    if (fd >= 0)
        close(fd);
    return good;
}

bool new_file_write(const char *path, mode_t mode, const struct blob *contents, struct fault *fault)
{
    char draft[4096];
    if (snprintf(draft, sizeof draft, "%s.new", path) >= (int)sizeof draft)
        return fault_errno(fault, ENAMETOOLONG, "%s", path);
    if (unlink(draft) < 0 && errno != ENOENT) // of one that was stopped
        return fault_errno(fault, errno, "%s", draft);
    int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fault_errno(fault, errno, "%s", draft);
    bool good = fill(fd, mode, contents) && keep_owner(fd, path);
    int error = errno;
    close(fd);
    if (good && rename(draft, path) == 0)
        return true;
    error = good ? errno : error;
    unlink(draft);
    return fault_errno(fault, error, "%s", path);
}
