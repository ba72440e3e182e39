// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/system_dns/resolv_file.h"

#include "base/memory.h"
#include "os/file/held_file.h"
#include "os/file/secret.h"
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    TRIES = 3, // at what somebody else changes while we look
};

// renameat2(2), of which not every C library knows.
static int move(const char *from, const char *to, unsigned how)
{
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, how);
}

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

bool resolv_file_read_before(const char *path, struct resolv_conf *out)
{
    struct backup backup;
    struct fault ignored;
    struct resolv_conf_owner owner;
    return read_owner(path, &owner) && backup_of(&backup, path, owner.name, &ignored) &&
           resolv_file_read(backup.path, out, &ignored);
}

static void hold(struct resolv_file *file, int fd)
{
    if (file->lock >= 0)
        close(file->lock);
    file->lock = fd;
}

// Whether the names stay where they are: a mount point (EBUSY), a filesystem that knows no exchange.
static bool is_immovable(int error)
{
    return error == EBUSY || error == EINVAL || error == ENOSYS;
}

// What lies at the backup's place while the file is somebody's: of an owner that died, after which somebody else wrote the
// file. A plain one has been replaced as it would have been without us; but a link would still be there, unless it was
// replaced by a link.
static void put_aside(const char *path, const struct backup *backup)
{
    struct stat was, is;
    char aside[RESOLV_CONF_PATH_SIZE + sizeof ".old"];
    snprintf(aside, sizeof aside, "%s.old", backup->path);
    if (lstat(backup->path, &was) < 0)
        return;
    if (!S_ISLNK(was.st_mode) || (lstat(path, &is) == 0 && S_ISLNK(is.st_mode)))
        unlink(backup->path);
    else if (rename(backup->path, aside) == 0)
        log_warning("%s was replaced by somebody else; the link that it was before is now %s", path, aside);
}

// The backup becomes a copy, and the file ours.
static bool exchange_contents(struct resolv_file *file, const struct backup *backup, const struct blob *old,
                              const char *own, struct fault *fault)
{
    int copy = held_file_create(backup->path, old->bytes, old->len, fault);
    if (copy < 0)
        return false;
    close(copy);
    int fd = held_file_overwrite(file->path, own, strlen(own), fault);
    if (fd >= 0 && held_file_lock(fd)) {
        hold(file, fd);
        return true;
    }
    if (fd < 0)
        unlink(backup->path);
    else
        close(fd);
    return false;
}

// Whether somebody else has written the file between our look at it and the exchange, which has put it to the backup's place.
static bool has_changed(const struct backup *backup, const struct blob *old)
{
    struct blob now;
    struct fault ignored;
    bool same =
        read_text(backup->path, &now, &ignored) && now.len == old->len && !memcmp(now.bytes, old->bytes, old->len);
    blob_wipe(&now);
    return !same;
}

// The exchange turned round, and ours is gone. Not so (false) when somebody else has replaced ours at this very moment: then
// that stays, and what ours had replaced lies at the backup's place.
static bool withdraw(const char *path, const char *name, const struct backup *backup)
{
    if (move(backup->path, path, RENAME_EXCHANGE) < 0)
        return false;
    if (resolv_file_is_of(backup->path, name))
        return unlink(backup->path) == 0;
    move(backup->path, path, RENAME_EXCHANGE);
    errno = EEXIST;
    return false;
}

enum outcome { DONE, FAILED, AGAIN };

static enum outcome exchange_names(struct resolv_file *file, const struct backup *backup, const struct blob *old,
                                   bool is_there, const char *own, struct fault *fault)
{
    unsigned how = is_there ? RENAME_EXCHANGE : RENAME_NOREPLACE;
    int fd = held_file_create(backup->path, own, strlen(own), fault);
    if (fd < 0)
        return FAILED;
    bool moved = held_file_lock(fd) && // so that it is never ours without
                 move(backup->path, file->path, how) == 0;
    int error = errno;
    if (moved && (!is_there || !has_changed(backup, old))) {
        hold(file, fd);
        return DONE;
    }
    if (moved)
        withdraw(file->path, file->name, backup);
    else
        unlink(backup->path);
    close(fd);
    if (!moved && is_there && is_immovable(error))
        return exchange_contents(file, backup, old, own, fault) ? DONE : FAILED;
    if (!moved && (is_there || error != EEXIST)) {
        fault_errno(fault, error, "replace %s", file->path);
        return FAILED;
    }
    fault_set(fault, "%s changes whenever it is looked at", file->path);
    return AGAIN;
}

static char *own_text(const struct resolv_file *file, const char *backup, const struct resolv_conf *before)
{
    const struct resolv_conf_own own = {
        .name = file->name,
        .backup = backup,
        .servers = file->servers,
        .server_count = file->server_count,
        .search = file->search,
    };
    return resolv_conf_text(&own, before);
}

static enum outcome replace(struct resolv_file *file, const struct blob *old, bool is_there,
                            const struct resolv_conf *before, struct fault *fault)
{
    struct backup backup;
    if (!backup_of(&backup, file->path, file->name, fault))
        return FAILED;
    if (before->unusable && !before->servers.count) {
        fault_set(fault, "%s: of its name servers none is a plain address that could be asked for other names",
                  file->path);
        return FAILED;
    }
    put_aside(file->path, &backup);
    char *text = own_text(file, is_there ? backup.path : NULL, before);
    enum outcome outcome = exchange_names(file, &backup, old, is_there, text, fault);
    free(text);
    return outcome;
}

static bool restore_contents(const char *path, const struct backup *backup, struct fault *fault)
{
    struct blob old;
    int fd = -1;
    if (blob_read(&old, backup->path, RESOLV_CONF_MAX, fault))
        fd = held_file_overwrite(path, old.bytes, old.len, fault);
    blob_wipe(&old);
    if (fd < 0)
        return false;
    close(fd);
    unlink(backup->path);
    return true;
}

// Ours was replaced, or removed: then the old one has its place again.
static bool leave(const char *path, const struct backup *backup, struct fault *fault)
{
    struct stat st;
    if (lstat(backup->path, &st) < 0 || move(backup->path, path, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EEXIST && !is_immovable(errno))
        return fault_errno(fault, errno, "put %s back to %s", backup->path, path);
    log_warning("%s was written by somebody else meanwhile and stays; the one from before is %s", path, backup->path);
    return true;
}

static bool restore(const char *path, const char *name, const struct backup *backup, struct fault *fault)
{
    if (withdraw(path, name, backup))
        return true;
    if (errno == EEXIST)
        return leave(path, backup, fault);
    if (is_immovable(errno))
        return restore_contents(path, backup, fault);
    return fault_errno(fault, errno, "put %s back to %s", backup->path, path);
}

static bool put_back(const char *path, const char *name, struct fault *fault)
{
    struct backup backup;
    struct resolv_conf_owner owner;
    if (!backup_of(&backup, path, name, fault))
        return false;
    if (!read_owner(path, &owner) || strcmp(owner.name, name))
        return leave(path, &backup, fault);
    if (owner.had_old)
        return restore(path, name, &backup, fault);
    return unlink(path) == 0 || fault_errno(fault, errno, "remove %s", path);
}

bool resolv_file_give_back(const char *path, const char *name, struct fault *fault)
{
    if (resolv_file_is_of(path, name) && held_file_is_held_for_long(path))
        return fault_set(fault, "%s: a process of usher-tun %s still holds it", path, name);
    return put_back(path, name, fault);
}

void resolv_file_forget(struct resolv_file *file)
{
    free(file->old);
    close(file->lock);
    file->old = NULL;
    file->lock = -1;
}

bool resolv_file_release(struct resolv_file *file, struct fault *fault)
{
    bool ok = put_back(file->path, file->name, fault);
    resolv_file_forget(file);
    return ok;
}

// Nobody's, or that of a dead owner, whom we stand in for.
static bool make_free(const struct resolv_file *file, struct fault *fault)
{
    struct resolv_conf_owner owner;
    for (int i = 0; i < TRIES && read_owner(file->path, &owner); i++) {
        if (strcmp(owner.name, file->name) && held_file_is_held(file->path))
            return fault_set(fault, "%s is that of usher-tun %s, which is running: one at a time can have it",
                             file->path, owner.name);
        if (!resolv_file_give_back(file->path, owner.name, fault))
            return false;
    }
    return true;
}

static void note_old(struct resolv_file *file, const struct blob *old)
{
    free(file->old);
    file->old = memory_text((const char *)old->bytes);
}

static enum outcome try_take(struct resolv_file *file, struct resolv_conf *before, struct fault *fault)
{
    struct stat st;
    struct blob old;
    enum outcome outcome = FAILED;
    if (!make_free(file, fault))
        return FAILED;
    if (read_text(file->path, &old, fault)) {
        bool is_there = lstat(file->path, &st) == 0; // a link that leads nowhere is there, and says nothing
        resolv_conf_parse(before, (const char *)old.bytes);
        outcome = replace(file, &old, is_there, before, fault);
        if (outcome == DONE)
            note_old(file, &old);
        else
            resolv_conf_fini(before);
    }
    blob_wipe(&old);
    return outcome;
}

bool resolv_file_take(struct resolv_file *file, struct resolv_conf *before, struct fault *fault)
{
    enum outcome outcome = AGAIN;
    for (int i = 0; i < TRIES && outcome == AGAIN; i++)
        outcome = try_take(file, before, fault);
    return outcome == DONE;
}

bool resolv_file_renew(struct resolv_file *file, struct resolv_conf *before)
{
    struct blob old;
    struct backup backup;
    struct fault ignored;
    bool renewed = false;
    if (!backup_of(&backup, file->path, file->name, &ignored))
        return false;
    if (read_text(backup.path, &old, &ignored) && strcmp((const char *)old.bytes, file->old)) {
        resolv_conf_parse(before, (const char *)old.bytes);
        char *text = own_text(file, backup.path, before);
        renewed = before->servers.count && held_file_rewrite(file->lock, text, strlen(text));
        if (renewed)
            note_old(file, &old);
        else
            resolv_conf_fini(before);
        free(text);
    }
    blob_wipe(&old);
    return renewed;
}
