// SPDX-License-Identifier: GPL-2.0-or-later
// Every judgement is made on the open descriptor, never on the path, so that the file judged is the file read.
#include "os/file/secret.h"

#include "base/memory.h"
#include "os/sandbox/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool judge_privacy(const struct stat *st, const char *path, struct fault *fault)
{
    if (!rights_trust(st->st_uid))
        return fault_set(fault, "%s: a secret must belong to root or to the user that runs this program: chown root %s",
                         path, path);
    if (st->st_mode & (S_IRWXG | S_IRWXO))
        return fault_set(fault, "%s: others can read or change this secret (mode %04o): chmod 600 %s", path,
                         (unsigned)(st->st_mode & 07777), path);
    return true;
}

static bool judge(int fd, bool private, const char *path, size_t max, size_t *size, struct fault *fault)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return fault_errno(fault, errno, "%s: stat", path);
    if (!S_ISREG(st.st_mode))
        return fault_set(fault, "%s: not a regular file", path);
    if (private && !judge_privacy(&st, path, fault))
        return false;
    if ((uintmax_t)st.st_size > max)
        return fault_set(fault, "%s: longer than the %zu bytes such a file may have", path, max);
    *size = (size_t)st.st_size;
    return true;
}

// Fills `out`, which has room for `size` bytes and the NUL.
static bool take(int fd, struct blob *out, size_t size, const char *path, struct fault *fault)
{
    while (out->len < size) {
        ssize_t got = read(fd, out->bytes + out->len, size - out->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fault_errno(fault, errno, "%s: read", path);
        if (got == 0)
            return fault_set(fault, "%s: was changed while it was read", path);
        out->len += (size_t)got;
    }
    return true;
}

static bool read_whole(struct blob *out, bool private, const char *path, size_t max, struct fault *fault)
{
    *out = (struct blob){0};
    // O_NONBLOCK: a pipe in the place of the file must not hang the start before it is judged.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (private ? O_NOFOLLOW : 0));
    if (fd < 0 && private && errno == ELOOP)
        return fault_set(fault, "%s: a secret must not be a symbolic link", path);
    if (fd < 0)
        return fault_errno(fault, errno, "%s: open", path);

    size_t size = 0;
    bool ok = judge(fd, private, path, max, &size, fault);
    if (ok) {
        out->bytes = memory_new(size + 1);
        ok = take(fd, out, size, path, fault);
    }
    close(fd);
    if (!ok)
        blob_wipe(out);
    return ok;
}

bool blob_read(struct blob *out, const char *path, size_t max, struct fault *fault)
{
    return read_whole(out, false, path, max, fault);
}

bool blob_read_private(struct blob *out, const char *path, size_t max, struct fault *fault)
{
    return read_whole(out, true, path, max, fault);
}

struct blob blob_text(const char *text)
{
    return (struct blob){.bytes = (uint8_t *)memory_text(text), .len = strlen(text)};
}

struct blob blob_copy(const struct blob *blob)
{
    struct blob copy = {.bytes = memory_new(blob->len + 1), .len = blob->len};
    if (blob->len)
        memcpy(copy.bytes, blob->bytes, blob->len);
    return copy;
}

bool blob_equal(const struct blob *a, const struct blob *b)
{
    return a->len == b->len && (!a->len || memcmp(a->bytes, b->bytes, a->len) == 0);
}

void blob_wipe(struct blob *blob)
{
    if (blob->bytes)
        explicit_bzero(blob->bytes, blob->len);
    free(blob->bytes);
    *blob = (struct blob){0};
}
