// SPDX-License-Identifier: GPL-2.0-or-later
// A plain list of blobs. Both ends are the same program, so there is no version; but sizes are checked all the same.

#include "gate/channel/handover.h"

#include "base/cursor.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HANDOVER_MAX = 64 * 1024 * 1024 }; // bytes: four credentials of 4 MiB, and rules

static const size_t OFFSETS[] = {
    offsetof(struct handover, name),
    offsetof(struct handover, force.text),
    offsetof(struct handover, began),
    offsetof(struct handover, force.credentials.ca),
    offsetof(struct handover, force.credentials.certificate),
    offsetof(struct handover, force.credentials.key),
    offsetof(struct handover, force.credentials.crl),
    offsetof(struct handover, servers),
};

enum { BLOB_COUNT = sizeof OFFSETS / sizeof OFFSETS[0] };

static struct blob *blob_at(const struct handover *handover, size_t i)
{
    return (struct blob *)((char *)handover + OFFSETS[i]);
}

static void put_blob(struct writer *w, const struct blob *blob)
{
    writer_u32(w, (uint32_t)blob->len);
    writer_bytes(w, blob->bytes, blob->len);
}

// An empty blob is one that is not there, such as a revocation list.
static void get_blob(struct reader *r, struct blob *out)
{
    uint32_t len = reader_u32(r);
    const uint8_t *bytes = reader_bytes(r, len);
    if (!bytes || !len)
        return;
    out->bytes = memory_new((size_t)len + 1);
    out->len = len;
    memcpy(out->bytes, bytes, len);
}

static bool decode(struct handover *out, struct reader *r)
{
    for (size_t i = 0; i < BLOB_COUNT; i++)
        get_blob(r, blob_at(out, i));
    return !r->failed && reader_left(r) == 0;
}

int handover_write(const struct handover *handover, struct fault *fault)
{
    size_t size = 0;
    for (size_t i = 0; i < BLOB_COUNT; i++)
        size += sizeof(uint32_t) + blob_at(handover, i)->len;
    uint8_t *room = memory_new(size);
    struct writer w = writer_over(room, size);
    for (size_t i = 0; i < BLOB_COUNT; i++)
        put_blob(&w, blob_at(handover, i));

    int fd = memfd_create("usher-handover", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool ok = !w.failed && size <= HANDOVER_MAX && fd >= 0 && write(fd, room, size) == (ssize_t)size &&
              fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0;
    if (!ok) {
        fault_errno(fault, errno, "memory file for the workers");
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    explicit_bzero(room, size);
    free(room);
    return fd;
}

size_t handover_size(int fd, struct fault *fault)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= HANDOVER_MAX)
        return (size_t)st.st_size;
    fault_set(fault, "nothing was handed over: a worker is started by usher-gate run only");
    return 0;
}

bool handover_read(struct handover *out, int fd, size_t size, struct fault *fault)
{
    *out = (struct handover){0};
    if (!size)
        return false;
    // Mapped, which a sealed worker may, where it may not read at an offset; all share one file position.
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return fault_errno(fault, errno, "what was handed over");
    struct reader r = reader_over(bytes, size);
    bool ok = decode(out, &r);
    munmap(bytes, size);
    if (!ok) {
        handover_fini(out);
        return fault_set(fault, "what was handed over is not whole");
    }
    return true;
}

void handover_fini(struct handover *handover)
{
    for (size_t i = 0; i < BLOB_COUNT; i++)
        blob_wipe(blob_at(handover, i));
}
