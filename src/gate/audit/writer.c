// SPDX-License-Identifier: GPL-2.0-or-later
// Lines are whole always: what a full disk has taken of one is cut off again, and what a killed writer has left of one is cut
// off by the next. Who else appends to the file (the writer of the program before, after an upgrade) is kept apart by a lock.
//
// Before each packet it is looked whether the file still has its name, so it may be moved or removed at any time, and nobody
// needs to tell.
#include "gate/audit/writer.h"

#include "base/memory.h"
#include "gate/audit/line.h"
#include "os/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODE = 0640, TORN_MAX = 2 * AUDIT_LINE_MAX };

struct recorder {
    const char *path, *gate;
    int fd;        // -1: not open
    uint64_t lost; // lines, since the last that was written
    int error;     // that lost them
};

static uint32_t count_lines(const char *bytes, size_t len)
{
    uint32_t count = 0;
    for (const char *at = bytes; (at = memchr(at, '\n', len - (size_t)(at - bytes))); at++)
        count++;
    return count;
}

static bool is_there(const struct recorder *recorder)
{
    struct stat open_one, named;
    return recorder->fd >= 0 && fstat(recorder->fd, &open_one) == 0 && stat(recorder->path, &named) == 0 &&
           open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

static bool look(struct recorder *recorder)
{
    struct stat st;
    if (is_there(recorder))
        return true;
    if (recorder->fd >= 0)
        close(recorder->fd);
    recorder->fd = open(recorder->path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, MODE);
    if (recorder->fd < 0)
        return false;
    if (fstat(recorder->fd, &st) == 0 && S_ISREG(st.st_mode))
        return true;
    close(recorder->fd);
    recorder->fd = -1;
    errno = ENOTSUP;
    return false;
}

// Where the last line of the file begins that has no end; its size when there is none.
static off_t find_torn(int fd, off_t size)
{
    char room[4096];
    off_t from = size;
    while (from > 0 && size - from < TORN_MAX) {
        size_t len = from < (off_t)sizeof room ? (size_t)from : sizeof room;
        if (pread(fd, room, len, from - (off_t)len) != (ssize_t)len)
            return size;
        const char *last = memrchr(room, '\n', len);
        from -= (off_t)len;
        if (last)
            return from + (last - room) + 1;
    }
    return from ? size : 0;
}

// What a writer before has begun goes, and what somebody else has written gets an end. Returns where the file ends.
static off_t mend(int fd, off_t size)
{
    static const char head[] = "{\"time\":\"";
    char found[sizeof head - 1];
    off_t torn = find_torn(fd, size);
    if (torn == size)
        return size;
    ssize_t len = pread(fd, found, sizeof found, torn);
    if (len > 0 && !memcmp(found, head, (size_t)len))
        return ftruncate(fd, torn) == 0 ? torn : size;
    return write(fd, "\n", 1) == 1 ? size + 1 : size;
}

// How much of it has been written, in whole lines; with errno if that is not all.
static size_t append(int fd, const char *bytes, size_t len)
{
    size_t done = 0;
    if (flock(fd, LOCK_EX) < 0)
        return 0;
    off_t start = mend(fd, lseek(fd, 0, SEEK_END));
    while (done < len) {
        ssize_t n = write(fd, bytes + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    int error = done < len ? errno : 0;
    const char *last = memrchr(bytes, '\n', done);
    size_t whole = last ? (size_t)(last - bytes) + 1 : 0;
    if (whole < done && ftruncate(fd, start + (off_t)whole) < 0)
        error = errno; // the next one mends it
    flock(fd, LOCK_UN);
    errno = error;
    return whole;
}

// False when nothing can be written yet.
static bool tell_lost(struct recorder *recorder)
{
    char *room = memory_new(AUDIT_LINE_MAX);
    size_t len = audit_line_lost(room, recorder->gate, NULL, recorder->lost, strerror(recorder->error));
    bool ok = append(recorder->fd, room, len) == len;
    int error = errno;
    free(room);
    errno = error;
    if (ok)
        recorder->lost = 0;
    return ok;
}

static struct audit_written write_packet(struct recorder *recorder, const char *bytes, size_t len)
{
    struct audit_written news = {0};
    size_t done = 0;
    if (look(recorder) && (!recorder->lost || tell_lost(recorder)))
        done = append(recorder->fd, bytes, len);
    if (done < len)
        recorder->error = errno;
    news.error = done < len ? errno : 0;
    news.lines = count_lines(bytes, done);
    news.lost = count_lines(bytes + done, len - done);
    recorder->lost += news.lost;
    return news;
}

static void tell(const struct audit_written *news)
{
    ssize_t sent = send(AUDIT_WRITER_FD, news, sizeof *news, MSG_NOSIGNAL);
    (void)sent; // who has gone needs no answer
}

static void serve(struct recorder *recorder)
{
    char *room = memory_new(AUDIT_PACKET_MAX);
    for (;;) {
        ssize_t len = recv(AUDIT_WRITER_FD, room, AUDIT_PACKET_MAX, 0);
        if (len < 0 && errno == EINTR)
            continue;
        if (len <= 0)
            break;
        const struct audit_written news = write_packet(recorder, room, (size_t)len);
        tell(&news);
    }
    free(room);
}

static void ignore_signals(void)
{
    static const int all[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGXFSZ};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        signal(all[i], SIG_IGN);
}

int audit_writer_main(const char *path, const char *gate)
{
    struct recorder recorder = {.path = path, .gate = gate, .fd = -1};
    struct fault fault;
    ignore_signals();
    prctl(PR_SET_NAME, "usher-audit");
    sandbox_protect_secrets();
    umask(0777 & ~MODE);
    if (!sandbox_seal_recorder(&fault)) {
        fprintf(stderr, "usher-gate: audit: %s\n", fault.text);
        return 1;
    }
    const struct audit_written news = {
        .error = look(&recorder) ? 0 : errno}; // at once, so that a mistake is told at the start
    tell(&news);
    serve(&recorder);
    return 0;
}
