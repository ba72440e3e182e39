// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/system_dns/resolv_keeper.h"

#include "base/cursor.h"
#include "base/memory.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/sandbox/sandbox.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SETTLE_MS = 200,      // from somebody's first touch to our look: who writes it is done by then
    PAUSE_MAX_MS = 30000, // so that a manager who keeps writing it is not fought at full speed
    CALM_MS = 120000,     // after so long without a fight the pause is short again
    BLIND_MS = 1000,      // between looks for what cannot be watched
};

struct message {
    enum resolv_news news; // RESOLV_NOTHING: ready
    struct resolv_conf_servers servers;
    struct fault fault;
};

struct keeper {
    struct resolv_file *file;
    int watch;  // inotify
    bool blind; // the old one is a link to what is not there, nor perhaps its directory, which could be watched
    bool looks; // at `due`
    usec_t due, taken;
    unsigned pause_ms;
    struct fault told; // the last trouble; "": none since it was taken
};

static void tell(const struct message *message)
{
    attendant_send(ATTENDANT_CHANNEL_FD, message, sizeof *message, NULL, 0); // who does not read gets no news
}

static void watch_directory_of(struct keeper *keeper, const char *path)
{
    char directory[PATH_MAX];
    snprintf(directory, sizeof directory, "%.*s", (int)(strrchr(path, '/') - path) + 1, path);
    inotify_add_watch(keeper->watch, directory, IN_CREATE | IN_DELETE | IN_MOVE | IN_CLOSE_WRITE | IN_ONLYDIR);
}

// Names that come and go in its directory, and what is written into the file itself, which may be another mount's. The same
// where the old one leads, if it is a link.
static void watch(struct keeper *keeper)
{
    char backup[PATH_MAX], target[PATH_MAX];
    const struct resolv_file *file = keeper->file;
    watch_directory_of(keeper, file->path);
    inotify_add_watch(keeper->watch, file->path, IN_CLOSE_WRITE | IN_DONT_FOLLOW);
    snprintf(backup, sizeof backup, "%s.usher-tun-%s", file->path, file->name);
    struct stat st;
    bool leads = realpath(backup, target);
    keeper->blind = !leads && lstat(backup, &st) == 0;
    if (leads)
        watch_directory_of(keeper, target);
}

static void tell_taken(const struct resolv_conf *before, enum resolv_news news)
{
    const struct message message = {.news = news, .servers = before->servers};
    tell(&message);
}

static void take_again(struct keeper *keeper)
{
    struct message trouble = {.news = RESOLV_TROUBLE};
    struct resolv_conf before;
    if (resolv_file_take(keeper->file, &before, &trouble.fault)) {
        tell_taken(&before, RESOLV_TAKEN);
        resolv_conf_fini(&before);
        watch(keeper); // it is another file now
        usec_t now = clock_now();
        bool calm = now - keeper->taken > CALM_MS * USEC_PER_MSEC;
        keeper->pause_ms = calm ? SETTLE_MS : keeper->pause_ms * 2;
        keeper->pause_ms = keeper->pause_ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : keeper->pause_ms;
        keeper->taken = now;
    } else if (strcmp(trouble.fault.text, keeper->told.text)) {
        tell(&trouble);
    }
    keeper->told = trouble.fault;
}

// One that was removed is not made anew: somebody is about to, or wants none.
static void look(struct keeper *keeper)
{
    struct resolv_file *file = keeper->file;
    struct resolv_conf before;
    keeper->looks = false;
    if (access(file->path, F_OK) < 0)
        return;
    if (!resolv_file_is_of(file->path, file->name)) {
        take_again(keeper);
    } else if (resolv_file_renew(file, &before)) {
        tell_taken(&before, RESOLV_RENEWED);
        resolv_conf_fini(&before);
    }
}

// The service whose file it is starts later than we, when the machine boots.
static void peer(struct keeper *keeper)
{
    watch(keeper);
    if (!keeper->blind)
        look(keeper);
}

static void note(struct keeper *keeper)
{
    char room[4096]; // what happened does not matter
    if (read(keeper->watch, room, sizeof room) <= 0 || keeper->looks)
        return;
    keeper->looks = true;
    keeper->due = clock_now() + keeper->pause_ms * USEC_PER_MSEC;
}

static int wait_ms(const struct keeper *keeper)
{
    usec_t now = clock_now();
    if (!keeper->looks)
        return keeper->blind ? BLIND_MS : -1;
    return keeper->due > now ? (int)((keeper->due - now) / USEC_PER_MSEC) + 1 : 0;
}

// Until the program has ended.
static void keep(struct keeper *keeper)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = ATTENDANT_CHANNEL_FD, .events = POLLIN}, {.fd = keeper->watch, .events = POLLIN}};
        if (poll(fds, 2, wait_ms(keeper)) < 0 && errno != EINTR)
            return;
        if (fds[0].revents)
            return;
        if (fds[1].revents)
            note(keeper);
        else if (keeper->blind)
            peer(keeper);
        if (keeper->looks && clock_now() >= keeper->due)
            look(keeper);
    }
}

// The order: texts and addresses in a memory file; beside it the lock, and where to log to, if anywhere.
enum { ORDER, LOCK, LOG };

static void put_text(FILE *out, const char *text)
{
    fwrite(text ? text : "", 1, strlen(text ? text : "") + 1, out);
}

static int write_order(const struct resolv_file *file)
{
    int fd = memfd_create("usher-order", MFD_CLOEXEC);
    FILE *out = fd >= 0 ? fdopen(dup(fd), "w") : NULL;
    if (!out)
        return fd;
    put_text(out, file->path);
    put_text(out, file->name);
    put_text(out, file->search);
    put_text(out, file->old);
    fwrite(file->servers, sizeof *file->servers, file->server_count, out);
    fclose(out);
    return fd;
}

// What is read stays as long as the process.
static bool read_order(struct resolv_file *file, int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    uint8_t *bytes = size > 0 ? memory_new((size_t)size) : NULL;
    if (!bytes || pread(fd, bytes, (size_t)size, 0) != size)
        return false;
    struct reader r = reader_over(bytes, (size_t)size);
    file->path = reader_text(&r);
    file->name = reader_text(&r);
    file->search = reader_text(&r);
    const char *old = reader_text(&r);
    file->old = old ? memory_text(old) : NULL;
    file->server_count = reader_left(&r) / sizeof *file->servers;
    struct address *servers = memory_new((file->server_count + 1) * sizeof *servers);
    const uint8_t *raw = reader_bytes(&r, file->server_count * sizeof *servers);
    if (r.failed)
        return false;
    memcpy(servers, raw, file->server_count * sizeof *servers);
    file->servers = servers;
    return true;
}

static bool take_order(struct resolv_file *file)
{
    int fds[ATTENDANT_FDS_MAX];
    char room[1];
    if (attendant_receive(ATTENDANT_CHANNEL_FD, room, sizeof room, fds, false) <= 0)
        return false;
    bool taken = read_order(file, fds[ORDER]);
    file->lock = fds[LOCK];
    close(fds[ORDER]);
    if (fds[LOG] >= 0) {
        dup2(fds[LOG], STDERR_FILENO);
        close(fds[LOG]);
    }
    return taken;
}

static bool prepare(struct keeper *keeper, struct fault *fault)
{
    keeper->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (keeper->watch < 0)
        return fault_errno(fault, errno, "inotify");
    watch(keeper);
    return sandbox_seal_keeper(fault);
}

static int live(void)
{
    struct message message = {.news = RESOLV_NOTHING};
    struct resolv_file file = {.lock = -1};
    struct keeper keeper = {.file = &file, .pause_ms = SETTLE_MS, .taken = clock_now()};
    if (!take_order(&file))
        return 0; // there is nothing to keep
    bool ok = prepare(&keeper, &message.fault);
    if (!ok)
        message.news = RESOLV_TROUBLE;
    tell(&message);
    if (ok)
        keep(&keeper);
    if (!resolv_file_release(&file, &message.fault))
        log_error("%s", message.fault.text);
    return ok ? 0 : 1;
}

bool resolv_keeper_attendant(struct attendant *out, struct fault *fault)
{
    return attendant_start(out, "usher-tun-dns", live, fault);
}

static bool give_order(const struct attendant *attendant, const struct resolv_file *file, int log)
{
    int fds[] = {[ORDER] = write_order(file), [LOCK] = file->lock, [LOG] = log};
    bool sent = fds[ORDER] >= 0 && attendant_send(attendant->channel, "", 1, fds, log < 0 ? LOG : LOG + 1);
    if (fds[ORDER] >= 0)
        close(fds[ORDER]);
    return sent;
}

static bool await_ready(struct resolv_keeper *keeper, struct fault *fault)
{
    struct resolv_conf_servers ignored;
    fault_set(fault, "the keeper of resolv.conf does not begin");
    if (attendant_await(&keeper->attendant) && resolv_keeper_read(keeper, &ignored, fault) == RESOLV_NOTHING)
        return true;
    resolv_keeper_stop(keeper);
    return false;
}

bool resolv_keeper_start(struct resolv_keeper *out, struct attendant *attendant, struct resolv_file *file, int log,
                         struct fault *fault)
{
    struct fault ignored;
    out->attendant = *attendant;
    *attendant = ATTENDANT_NONE;
    if (!give_order(&out->attendant, file, log)) {
        fault_set(fault, "the keeper of resolv.conf has ended");
        resolv_file_release(file, &ignored);
        resolv_keeper_stop(out);
        return false;
    }
    resolv_file_forget(file);
    return await_ready(out, fault);
}

enum resolv_news resolv_keeper_read(struct resolv_keeper *keeper, struct resolv_conf_servers *servers,
                                    struct fault *fault)
{
    struct message message;
    int fds[ATTENDANT_FDS_MAX];
    ssize_t got = attendant_receive(keeper->attendant.channel, &message, sizeof message, fds, true);
    if (got < 0 && errno == EAGAIN)
        return RESOLV_NOTHING;
    if (got != sizeof message) {
        fault_set(fault, "the keeper of resolv.conf has ended");
        return RESOLV_GONE;
    }
    *servers = message.servers;
    *fault = message.fault;
    return message.news;
}

void resolv_keeper_stop(struct resolv_keeper *keeper)
{
    attendant_stop(&keeper->attendant);
}
