// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/resolv_file.h"

#include "os/log.h"
#include "os/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WAIT_MS = 2000, // for an owner who is about to put it back, which takes some milliseconds
    LOOK_MS = 10,
    TRIES = 3, // at what somebody else changes while we look
};

struct backup {
    char path[RESOLV_CONF_PATH_SIZE];
};

static bool backup_of(struct backup *out, const char *path, const char *name, struct fault *fault)
{
    int len = snprintf(out->path, sizeof out->path, "%s.usher-tun-%s", path, name);
    return (size_t)len < sizeof out->path || fault_set(fault, "%s: the path is too long", path);
}

// What cannot be read is nobody's.
static bool read_owner(const char *path, struct resolv_conf_owner *out)
{
    struct blob text;
    struct fault ignored;
    bool ok = blob_read(&text, path, RESOLV_CONF_MAX, &ignored) && resolv_conf_owner(out, (const char *)text.bytes);
    blob_wipe(&text);
    return ok;
}

bool resolv_file_is_of(const char *path, const char *name)
{
    struct resolv_conf_owner owner;
    return read_owner(path, &owner) && !strcmp(owner.name, name);
}

static bool read_text(const char *path, struct blob *out, struct fault *fault)
{
    if (access(path, F_OK) < 0 && errno == ENOENT) {
        *out = blob_text("");
        return true;
    }
    return blob_read(out, path, RESOLV_CONF_MAX, fault);
}

bool resolv_file_read(const char *path, struct resolv_conf *out, struct fault *fault)
{
    struct blob text;
    bool ok = read_text(path, &text, fault);
    if (ok)
        resolv_conf_parse(out, (const char *)text.bytes);
    blob_wipe(&text);
    return ok;
}

// An owner holds a write lock. Asking for a read lock meets that alone.
static bool is_held(const char *path)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    bool held = fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (fd >= 0)
        close(fd);
    return held;
}

static bool is_held_for_long(const char *path)
{
    for (unsigned waited = 0; is_held(path); waited += LOOK_MS) {
        if (waited >= WAIT_MS)
            return true;
        usleep(LOOK_MS * 1000);
    }
    return false;
}

static bool write_all(int fd, const void *text, size_t len)
{
    // Its first bytes first, and only then shorter: a reader in between finds too much, never nothing.
    return pwrite(fd, text, len, 0) == (ssize_t)len && ftruncate(fd, (off_t)len) == 0 && fsync(fd) == 0;
}

static bool lock_file(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

// A new file that everybody may read, whatever the umask is.
static int create(const char *path, const void *text, size_t len, struct fault *fault)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) {
        fault_errno(fault, errno, "%s", path);
        return -1;
    }
    if (fchmod(fd, 0644) == 0 && write_all(fd, text, len))
        return fd;
    fault_errno(fault, errno, "write %s", path);
    close(fd);
    unlink(path);
    return -1;
}

// For names that cannot be moved. `path` is no link: what that leads to is not ours to write.
static int overwrite(const char *path, const void *text, size_t len, struct fault *fault)
{
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && write_all(fd, text, len))
        return fd;
    fault_errno(fault, errno, "write %s", path);
    if (fd >= 0)
        close(fd);
    return -1;
}

// Whether the names stay where they are: a mount point (EBUSY), a filesystem that knows no exchange.
static bool is_immovable(int error)
{
    return error == EBUSY || error == EINVAL || error == ENOSYS;
}

// What lies at the backup's place while the file is somebody's: of an owner that died, after which somebody else wrote the
// file. A plain one has been replaced as it would have been without us; but a link would still be there.
static void put_aside(const char *path, const struct backup *backup)
{
    struct stat st;
    char aside[RESOLV_CONF_PATH_SIZE + sizeof ".old"];
    snprintf(aside, sizeof aside, "%s.old", backup->path);
    if (lstat(backup->path, &st) < 0)
        return;
    if (!S_ISLNK(st.st_mode))
        unlink(backup->path);
    else if (rename(backup->path, aside) == 0)
        log_warning("%s was replaced by somebody else; the link that it was before is now %s", path, aside);
}

// The backup becomes a copy, and the file ours.
static int exchange_contents(const struct resolv_file *file, const struct backup *backup, const struct blob *old,
                             const char *own, struct fault *fault)
{
    unlink(backup->path);
    int copy = create(backup->path, old->bytes, old->len, fault);
    if (copy < 0)
        return -1;
    close(copy);
    int fd = overwrite(file->path, own, strlen(own), fault);
    if (fd < 0)
        unlink(backup->path);
    return fd;
}

static int exchange_names(const struct resolv_file *file, const struct backup *backup, const struct blob *old,
                          bool is_there, const char *own, struct fault *fault)
{
    int fd = create(backup->path, own, strlen(own), fault);
    if (fd < 0)
        return -1;
    if (lock_file(fd) && // so that it is never ours without
        renameat2(AT_FDCWD, backup->path, AT_FDCWD, file->path, is_there ? RENAME_EXCHANGE : RENAME_NOREPLACE) == 0)
        return fd;
    int error = errno;
    close(fd);
    unlink(backup->path);
    if (is_there && is_immovable(error))
        return exchange_contents(file, backup, old, own, fault);
    fault_errno(fault, error, "replace %s", file->path);
    return -1;
}

static bool replace(struct resolv_file *file, const struct blob *old, bool is_there, struct resolv_conf *before,
                    struct fault *fault)
{
    struct backup backup;
    if (!backup_of(&backup, file->path, file->name, fault))
        return false;
    const struct resolv_conf_own own = {
        .name = file->name,
        .backup = is_there ? backup.path : NULL,
        .servers = file->servers,
        .server_count = file->server_count,
        .search = file->search,
    };
    resolv_conf_parse(before, (const char *)old->bytes);
    if (before->unusable && !before->servers.count) {
        resolv_conf_fini(before);
        return fault_set(fault, "%s: of its name servers none is a plain address that could be asked for other names",
                         file->path);
    }
    char *text = resolv_conf_text(&own, before);
    put_aside(file->path, &backup);
    int fd = exchange_names(file, &backup, old, is_there, text, fault);
    free(text);
    if (fd >= 0 && lock_file(fd)) {
        if (file->lock >= 0)
            close(file->lock);
        file->lock = fd;
        return true;
    }
    resolv_conf_fini(before);
    return false;
}

static bool restore_contents(const char *path, const struct backup *backup, struct fault *fault)
{
    struct blob old;
    int fd = -1;
    if (blob_read(&old, backup->path, RESOLV_CONF_MAX, fault))
        fd = overwrite(path, old.bytes, old.len, fault);
    blob_wipe(&old);
    if (fd < 0)
        return false;
    close(fd);
    unlink(backup->path);
    return true;
}

static bool restore(const char *path, const struct backup *backup, bool had_old, struct fault *fault)
{
    if (!had_old)
        return unlink(path) == 0 || fault_errno(fault, errno, "remove %s", path);
    if (rename(backup->path, path) == 0)
        return true;
    if (errno == EBUSY)
        return restore_contents(path, backup, fault);
    return fault_errno(fault, errno, "put %s back to %s", backup->path, path);
}

// Ours was replaced, or removed: then the old one has its place again.
static bool leave(const char *path, const struct backup *backup, struct fault *fault)
{
    struct stat st;
    if (lstat(backup->path, &st) < 0 || renameat2(AT_FDCWD, backup->path, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EEXIST && !is_immovable(errno))
        return fault_errno(fault, errno, "put %s back to %s", backup->path, path);
    log_warning("%s was written by somebody else meanwhile and stays; the one from before is %s", path, backup->path);
    return true;
}

static bool put_back(const char *path, const char *name, struct fault *fault)
{
    struct backup backup;
    struct resolv_conf_owner owner;
    if (!backup_of(&backup, path, name, fault))
        return false;
    if (!read_owner(path, &owner) || strcmp(owner.name, name))
        return leave(path, &backup, fault);
    return restore(path, &backup, owner.had_old, fault);
}

bool resolv_file_give_back(const char *path, const char *name, struct fault *fault)
{
    if (resolv_file_is_of(path, name) && is_held_for_long(path))
        return fault_set(fault, "%s: a process of usher-tun %s still holds it", path, name);
    return put_back(path, name, fault);
}

bool resolv_file_release(struct resolv_file *file, struct fault *fault)
{
    bool ok = put_back(file->path, file->name, fault);
    close(file->lock);
    file->lock = -1;
    return ok;
}

// Nobody's, or that of a dead owner, whom we stand in for.
static bool make_free(const struct resolv_file *file, struct fault *fault)
{
    struct resolv_conf_owner owner;
    for (int i = 0; i < TRIES && read_owner(file->path, &owner); i++) {
        if (strcmp(owner.name, file->name) && is_held(file->path))
            return fault_set(fault, "%s is that of usher-tun %s, which is running: one at a time can have it",
                             file->path, owner.name);
        if (!resolv_file_give_back(file->path, owner.name, fault))
            return false;
    }
    return true;
}

bool resolv_file_take(struct resolv_file *file, struct resolv_conf *before, struct fault *fault)
{
    struct stat st;
    struct blob old;
    if (!make_free(file, fault))
        return false;
    bool ok = read_text(file->path, &old, fault);
    bool is_there = lstat(file->path, &st) == 0; // a link that leads nowhere is there, and says nothing
    ok = ok && replace(file, &old, is_there, before, fault);
    blob_wipe(&old);
    return ok;
}
