// SPDX-License-Identifier: GPL-2.0-or-later
// Blocks of 512 bytes (POSIX.1-2008, pax, "ustar Interchange Format"), in stored blocks of RFC 1951 within RFC 1952.
#include "cli/bundle/archive.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 512, STORED_MAX = 65535 };

static void put(struct archive *archive, const void *bytes, size_t len)
{
    while (archive->size - archive->len < len) {
        archive->size = archive->size ? 2 * archive->size : 64 * 1024;
        archive->bytes = memory_resize(archive->bytes, archive->size);
    }
    memcpy(archive->bytes + archive->len, bytes, len);
    archive->len += len;
}

static void fill(struct archive *archive)
{
    static const uint8_t zeros[BLOCK];
    put(archive, zeros, (BLOCK - archive->len % BLOCK) % BLOCK);
}

struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6], version[2],
        owner[32], group[32], major[8], minor[8], prefix[155], unused[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a block");

void archive_add(struct archive *archive, const char *name, const char *text, size_t len)
{
    struct header header = {.type = '0', .magic = "ustar", .version = {'0', '0'}};
    unsigned sum = 0;
    snprintf(header.name, sizeof header.name, "%s", name);
    snprintf(header.mode, sizeof header.mode, "%07o", 0600u);
    snprintf(header.uid, sizeof header.uid, "%07o", 0u);
    snprintf(header.gid, sizeof header.gid, "%07o", 0u);
    snprintf(header.size, sizeof header.size, "%011llo", (unsigned long long)len);
    snprintf(header.mtime, sizeof header.mtime, "%011llo", (unsigned long long)archive->time);
    memset(header.checksum, ' ', sizeof header.checksum);
    for (size_t i = 0; i < sizeof header; i++)
        sum += ((const uint8_t *)&header)[i];
    snprintf(header.checksum, sizeof header.checksum, "%06o", sum & 0777777);
    put(archive, &header, sizeof header);
    put(archive, text, len);
    fill(archive);
}

static uint32_t crc32_of(const uint8_t *bytes, size_t len)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
    }
    return ~crc;
}

static void write_little(FILE *out, uint32_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        putc((int)(value >> 8 * i & 0xff), out);
}

static void write_gzip(const struct archive *archive, FILE *out)
{
    static const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
    fwrite(head, 1, sizeof head, out);
    for (size_t at = 0; at < archive->len;) {
        size_t len = archive->len - at < STORED_MAX ? archive->len - at : STORED_MAX;
        putc(at + len == archive->len, out);
        write_little(out, (uint32_t)len, 2);
        write_little(out, ~(uint32_t)len, 2);
        fwrite(archive->bytes + at, 1, len, out);
        at += len;
    }
    write_little(out, crc32_of(archive->bytes, archive->len), 4);
    write_little(out, (uint32_t)archive->len, 4);
}

bool archive_write(struct archive *archive, const char *path, struct fault *fault)
{
    static const uint8_t end[2 * BLOCK];
    put(archive, end, sizeof end);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    FILE *out = fd >= 0 ? fdopen(fd, "we") : NULL;
    bool ok = out;
    if (out) {
        write_gzip(archive, out);
        ok = !ferror(out);
        ok &= fclose(out) == 0;
    }
    if (!ok)
        fault_errno(fault, errno, "write %s", path);
    if (fd >= 0 && !ok)
        unlink(path);
    free(archive->bytes);
    *archive = (struct archive){0};
    return ok;
}
