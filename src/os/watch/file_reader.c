// SPDX-License-Identifier: GPL-2.0-or-later
// Either process has a `source`: what is to be read, and the watch of it. An attendant's has a loop of its own.
#include "os/watch/file_reader.h"

#include "base/memory.h"
#include "os/log.h"
#include "os/sandbox/sandbox.h"
#include "os/watch/file_watch.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct source {
    struct file_wish wishes[FILE_READER_FILES_MAX];
    char paths[FILE_READER_FILES_MAX][PATH_MAX];
    size_t count;
    struct file_watch *watch; // NULL: cannot be had
};

// To the attendant.
struct order {
    struct source source; // paths and bounds alone: pointers are the sender's
};

enum word { READY, FAILED, READ, READ_AS_ASKED };

// From it, with a file of the set beside it if there is one.
struct news {
    enum word word;
    size_t size; // of the set; 0: none could be made
    struct fault fault;
};

struct file_reader {
    struct file_reader_config config;
    struct attendant attendant;
    struct source *source; // NULL: the attendant's
    uv_poll_t poll;        // of the attendant
};

static void fill(struct source *source, const struct file_reader_config *config)
{
    for (size_t i = 0; i < config->count && source->count < FILE_READER_FILES_MAX; i++) {
        if (!config->wishes[i].path)
            continue;
        source->wishes[source->count] = config->wishes[i];
        snprintf(source->paths[source->count], PATH_MAX, "%s", config->wishes[i].path);
        source->count++;
    }
}

static bool watch(struct source *source, uv_loop_t *loop, file_watch_changed *changed, void *owner, struct fault *fault)
{
    const char *paths[FILE_READER_FILES_MAX];
    for (size_t i = 0; i < source->count; i++)
        paths[i] = source->wishes[i].path = source->paths[i];
    source->watch = file_watch_new(loop, paths, source->count, changed, owner, fault);
    return source->watch;
}

// The attendant

static void hand_over(const struct source *source, enum word word)
{
    struct file_set set;
    struct news news = {.word = word};
    file_set_read(&set, source->wishes, source->count);
    int fd = file_set_write(&set, &news.fault);
    if (fd >= 0)
        news.size = (size_t)lseek(fd, 0, SEEK_END);
    file_set_fini(&set);
    attendant_send(ATTENDANT_CHANNEL_FD, &news, sizeof news, &fd, fd >= 0);
    if (fd >= 0)
        close(fd);
}

static void changed_there(void *owner)
{
    hand_over(owner, READ);
}

// Whatever it says, it wants all of them.
static void asked(uv_poll_t *poll, int status, int events)
{
    char room[1];
    int fds[ATTENDANT_FDS_MAX];
    (void)status;
    (void)events;
    if (attendant_receive(ATTENDANT_CHANNEL_FD, room, sizeof room, fds, true) > 0)
        hand_over(poll->data, READ_AS_ASKED);
    else
        uv_stop(poll->loop);
}

static bool take_order(struct source *source)
{
    struct order *order = memory_new(sizeof *order);
    int fds[ATTENDANT_FDS_MAX];
    bool ok = attendant_receive(ATTENDANT_CHANNEL_FD, order, sizeof *order, fds, false) == sizeof *order;
    if (ok)
        *source = order->source;
    if (fds[0] >= 0) {
        dup2(fds[0], STDERR_FILENO);
        close(fds[0]);
    }
    free(order);
    return ok;
}

static int live(void)
{
    struct source *source = memory_new(sizeof *source);
    struct news news = {.word = READY};
    uv_loop_t loop;
    uv_poll_t poll;
    if (!take_order(source))
        return 0; // there is nothing to do
    if (!sandbox_refuse_io_uring(&news.fault))
        return 1;
    uv_loop_init(&loop);
    uv_poll_init(&loop, &poll, ATTENDANT_CHANNEL_FD);
    poll.data = source;
    uv_poll_start(&poll, UV_READABLE | UV_DISCONNECT, asked);
    bool ok = watch(source, &loop, changed_there, source, &news.fault) && sandbox_seal_reader(&news.fault);
    if (!ok)
        news.word = FAILED;
    attendant_send(ATTENDANT_CHANNEL_FD, &news, sizeof news, NULL, 0);
    if (ok)
        uv_run(&loop, UV_RUN_DEFAULT);
    return ok ? 0 : 1;
}

bool file_reader_attendant(struct attendant *out, struct fault *fault)
{
    return attendant_start(out, "usher-tun-read", live, fault);
}

// The program

static void read_here(struct file_reader *reader, bool as_asked)
{
    struct file_set set;
    file_set_read(&set, reader->source->wishes, reader->source->count);
    reader->config.read(reader->config.owner, &set, as_asked);
}

static void changed_here(void *owner)
{
    read_here(owner, false);
}

static void take_news(struct file_reader *reader, const struct news *news, int fd)
{
    struct file_set set;
    if (fd < 0 || !file_set_from(&set, fd, news->size))
        log_warning("what the reader of files has read cannot be taken: %s", news->fault.text);
    else
        reader->config.read(reader->config.owner, &set, news->word == READ_AS_ASKED);
    if (fd >= 0)
        close(fd);
}

static void heard(uv_poll_t *poll, int status, int events)
{
    struct file_reader *reader = poll->data;
    struct news news;
    int fds[ATTENDANT_FDS_MAX];
    (void)status;
    (void)events;
    ssize_t got = attendant_receive(reader->attendant.channel, &news, sizeof news, fds, true);
    if (got == sizeof news) {
        take_news(reader, &news, fds[0]);
    } else if (got == 0) {
        uv_poll_stop(poll);
        reader->config.gone(reader->config.owner);
    }
}

static bool give_order(struct file_reader *reader, struct fault *fault)
{
    struct order *order = memory_new(sizeof *order);
    struct news news;
    int fds[ATTENDANT_FDS_MAX];
    fill(&order->source, &reader->config);
    bool sent =
        attendant_send(reader->attendant.channel, order, sizeof *order, &reader->config.log, reader->config.log >= 0);
    free(order);
    if (!sent || !attendant_await(&reader->attendant) ||
        attendant_receive(reader->attendant.channel, &news, sizeof news, fds, true) != sizeof news)
        return fault_set(fault, "the reader of files does not begin");
    return news.word == READY || fault_set(fault, "%s", news.fault.text);
}

static bool begin(struct file_reader *reader, uv_loop_t *loop, struct fault *fault)
{
    reader->poll.data = reader;
    if (reader->config.attendant) {
        reader->attendant = *reader->config.attendant;
        if (!give_order(reader, fault))
            return false;
        uv_poll_init(loop, &reader->poll, reader->attendant.channel);
        uv_poll_start(&reader->poll, UV_READABLE | UV_DISCONNECT, heard);
        return true;
    }
    reader->source = memory_new(sizeof *reader->source);
    fill(reader->source, &reader->config);
    if (!watch(reader->source, loop, changed_here, reader, fault))
        log_warning("changes of files are not noticed until they are to be read again: %s", fault->text);
    return true;
}

struct file_reader *file_reader_new(uv_loop_t *loop, const struct file_reader_config *config, struct fault *fault)
{
    struct file_reader *reader = memory_new(sizeof *reader);
    reader->config = *config;
    reader->attendant = ATTENDANT_NONE;
    if (begin(reader, loop, fault))
        return reader;
    attendant_stop(&reader->attendant);
    free(reader);
    return NULL;
}

static void closed(uv_handle_t *handle)
{
    struct file_reader *reader = handle->data;
    attendant_stop(&reader->attendant);
    free(reader);
}

void file_reader_free(struct file_reader *reader)
{
    if (!reader)
        return;
    if (!reader->source) {
        uv_close((uv_handle_t *)&reader->poll, closed);
        return;
    }
    file_watch_free(reader->source->watch);
    free(reader->source);
    free(reader);
}

bool file_reader_ask(struct file_reader *reader)
{
    if (!reader->source)
        return attendant_send(reader->attendant.channel, "", 1, NULL, 0);
    read_here(reader, true);
    return true;
}
