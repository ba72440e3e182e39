// SPDX-License-Identifier: GPL-2.0-or-later
// In the memory file: how many, and of each path, sentence and bytes, all with their length before them. An empty sentence
// says that the bytes are there.
#include "os/watch/file_set.h"

#include "base/cursor.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FILES_MAX = 64 };

void file_set_read(struct file_set *out, const struct file_wish *wishes, size_t count)
{
    *out = (struct file_set){.files = memory_new((count + 1) * sizeof *out->files), .count = count};
    for (size_t i = 0; i < count; i++) {
        struct file_read *file = &out->files[i];
        const struct file_wish *wish = &wishes[i];
        file->path = memory_text(wish->path);
        file->is_there = wish->is_secret ? blob_read_private(&file->bytes, wish->path, wish->max, &file->fault)
                                         : blob_read(&file->bytes, wish->path, wish->max, &file->fault);
    }
}

void file_set_fini(struct file_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        free(set->files[i].path);
        blob_wipe(&set->files[i].bytes);
    }
    free(set->files);
    *set = (struct file_set){0};
}

bool file_set_take(const struct file_set *set, const char *path, struct blob *out, struct fault *fault)
{
    *out = (struct blob){0};
    for (size_t i = 0; i < set->count; i++) {
        const struct file_read *file = &set->files[i];
        if (strcmp(file->path, path))
            continue;
        if (!file->is_there)
            return fault_set(fault, "%s", file->fault.text);
        *out = blob_copy(&file->bytes);
        return true;
    }
    return fault_set(fault, "%s: was not among the files at the start: it is read when started again", path);
}

static void put(struct writer *w, const void *bytes, size_t len)
{
    writer_u32(w, (uint32_t)len);
    writer_bytes(w, bytes, len);
}

static const char *sentence_of(const struct file_read *file)
{
    return file->is_there ? "" : file->fault.text;
}

static size_t size_of(const struct file_set *set)
{
    size_t size = sizeof(uint32_t);
    for (size_t i = 0; i < set->count; i++)
        size += 3 * sizeof(uint32_t) + strlen(set->files[i].path) + strlen(sentence_of(&set->files[i])) +
                set->files[i].bytes.len;
    return size;
}

static bool fill(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t put = write(fd, bytes, size);
        if (put < 0 && errno != EINTR)
            return false;
        if (put > 0) {
            bytes += put;
            size -= (size_t)put;
        }
    }
    return true;
}

int file_set_write(const struct file_set *set, struct fault *fault)
{
    size_t size = size_of(set);
    uint8_t *room = memory_new(size);
    struct writer w = writer_over(room, size);
    writer_u32(&w, (uint32_t)set->count);
    for (size_t i = 0; i < set->count; i++) {
        const struct file_read *file = &set->files[i];
        put(&w, file->path, strlen(file->path));
        put(&w, sentence_of(file), strlen(sentence_of(file)));
        put(&w, file->bytes.bytes, file->bytes.len);
    }
    int fd = memfd_create("usher-files", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool ok = fd >= 0 && fill(fd, room, size) &&
              fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0;
    if (!ok) {
        fault_errno(fault, errno, "memory file of what was read");
        if (fd >= 0)
            close(fd);
    }
    explicit_bzero(room, size);
    free(room);
    return ok ? fd : -1;
}

static struct blob get(struct reader *r)
{
    uint32_t len = reader_u32(r);
    const uint8_t *bytes = reader_bytes(r, len);
    struct blob blob = {(uint8_t *)bytes, bytes ? len : 0};
    return blob_copy(&blob);
}

static void decode(struct file_set *out, struct reader *r)
{
    uint32_t count = reader_u32(r);
    if (count > FILES_MAX)
        return;
    out->files = memory_new((count + 1) * sizeof *out->files);
    for (; out->count < count && !r->failed; out->count++) {
        struct file_read *file = &out->files[out->count];
        struct blob path = get(r), sentence = get(r);
        file->path = (char *)path.bytes;
        file->is_there = !sentence.len;
        fault_set(&file->fault, "%s", (const char *)sentence.bytes);
        blob_wipe(&sentence);
        file->bytes = get(r);
    }
}

bool file_set_from(struct file_set *out, int fd, size_t size)
{
    *out = (struct file_set){0};
    void *bytes = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (bytes == MAP_FAILED)
        return false;
    struct reader r = reader_over(bytes, size);
    decode(out, &r);
    bool whole = !r.failed && reader_left(&r) == 0;
    munmap(bytes, size);
    if (!whole)
        file_set_fini(out);
    return whole;
}
