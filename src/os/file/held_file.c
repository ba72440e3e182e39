// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/file/held_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_MS = 2000, LOOK_MS = 10 };

bool held_file_rewrite(int fd, const void *text, size_t len)
{
    // Its first bytes first, and only then shorter: a reader in between finds too much, never nothing.
    return pwrite(fd, text, len, 0) == (ssize_t)len && ftruncate(fd, (off_t)len) == 0 && fsync(fd) == 0;
}

int held_file_create(const char *path, const void *text, size_t len, struct fault *fault)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) {
        fault_errno(fault, errno, "%s", path);
        return -1;
    }
    if (fchmod(fd, 0644) == 0 && held_file_rewrite(fd, text, len))
        return fd;
    fault_errno(fault, errno, "write %s", path);
    close(fd);
    unlink(path);
    return -1;
}

int held_file_overwrite(const char *path, const void *text, size_t len, struct fault *fault)
{
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && held_file_rewrite(fd, text, len))
        return fd;
    fault_errno(fault, errno, "write %s", path);
    if (fd >= 0)
        close(fd);
    return -1;
}

bool held_file_lock(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

// An owner holds a write lock. Asking for a read lock meets that alone.
bool held_file_is_held(const char *path)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    bool held = fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (fd >= 0)
        close(fd);
    return held;
}

bool held_file_is_held_for_long(const char *path)
{
    for (unsigned waited = 0; held_file_is_held(path); waited += LOOK_MS) {
        if (waited >= WAIT_MS)
            return true;
        usleep(LOOK_MS * 1000);
    }
    return false;
}
