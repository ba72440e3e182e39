// SPDX-License-Identifier: GPL-2.0-or-later
// Directories are watched, never files: a file that is replaced takes its watch with it. On the way to a path every
// directory is watched for the name that leads on, through links as well, so whatever changes on that way is heard. Then
// the way is walked anew, and it is a change only when there is another file at its end.
#include "os/watch/file_watch.h"

#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LINKS_MAX = 40,      // on the way to a file, as in the kernel
    SETTLE_MAX_MS = 500, // somebody who writes all the time does not keep it from being told
    EVENTS_SIZE = 4096,  // bytes read at once: 15 events of the longest names
};

#define EVENTS                                                                                                         \
    (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF |               \
     IN_MOVE_SELF | IN_ONLYDIR)

// A name that leads on, in a directory that is watched.
struct step {
    int wd;
    char *name;
};

struct steps {
    struct step *list;
    size_t count;
};

// What tells one state of a file from another.
struct look {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec modified, changed;
};

struct file_watch {
    uv_poll_t poll;
    uv_timer_t settle;
    unsigned handles;
    int fd;
    char **paths;
    struct look *looks; // of each
    size_t count;
    struct steps steps;
    bool looked;    // at all of them, once
    uint64_t since; // of the loop's milliseconds: the first change that was not told yet; 0: none
    file_watch_changed *changed;
    void *owner;
};

static void steps_fini(struct steps *steps)
{
    for (size_t i = 0; i < steps->count; i++)
        free(steps->list[i].name);
    free(steps->list);
    *steps = (struct steps){0};
}

static bool leads_on(const struct steps *steps, int wd, const char *name)
{
    for (size_t i = 0; i < steps->count; i++)
        if (steps->list[i].wd == wd && (!name || !strcmp(steps->list[i].name, name)))
            return true;
    return false;
}

static void add_step(struct steps *steps, int wd, const char *name)
{
    if (wd < 0 || leads_on(steps, wd, name))
        return;
    steps->list = memory_resize(steps->list, (steps->count + 1) * sizeof *steps->list);
    steps->list[steps->count++] = (struct step){.wd = wd, .name = memory_text(name)};
}

// Puts what the link `at` says in the place of its name, in front of the `rest` of the way. False when it is no link.
static bool follow(char at[PATH_MAX], size_t parent, char rest[PATH_MAX])
{
    char target[PATH_MAX], whole[2 * PATH_MAX];
    ssize_t len = readlink(at, target, sizeof target - 1);
    if (len <= 0)
        return false;
    target[len] = '\0';
    snprintf(whole, sizeof whole, "%s/%s", target, rest);
    if (strlen(whole) >= PATH_MAX)
        return false;
    strcpy(rest, whole);
    at[*target == '/' ? 0 : parent] = '\0';
    return true;
}

// Walks to an absolute path; `at` is how far it is, without the slash at its end.
static void walk(int fd, struct steps *steps, const char *path)
{
    char at[PATH_MAX] = "", rest[PATH_MAX], name[NAME_MAX + 1];
    unsigned links = 0;
    snprintf(rest, sizeof rest, "%s", path);
    while (links < LINKS_MAX) {
        size_t parent = strlen(at), skip = strspn(rest, "/"), len = strcspn(rest + skip, "/");
        if (!len || len > NAME_MAX || parent + len + 2 > sizeof at)
            return;
        memcpy(name, rest + skip, len);
        name[len] = '\0';
        memmove(rest, rest + skip + len, strlen(rest + skip + len) + 1);
        int wd = inotify_add_watch(fd, parent ? at : "/", EVENTS);
        if (wd < 0)
            return; // it is not there; its own name is heard of one directory up
        add_step(steps, wd, name);
        snprintf(at + parent, sizeof at - parent, "/%s", name);
        links += follow(at, parent, rest);
    }
}

static void walk_all(struct file_watch *watch)
{
    struct steps before = watch->steps;
    watch->steps = (struct steps){0};
    for (size_t i = 0; i < watch->count; i++)
        walk(watch->fd, &watch->steps, watch->paths[i]);
    for (size_t i = 0; i < before.count; i++)
        if (!leads_on(&watch->steps, before.list[i].wd, NULL))
            inotify_rm_watch(watch->fd, before.list[i].wd); // more than once, or gone by itself: no harm
    steps_fini(&before);
}

static struct look look_at(const char *path)
{
    struct stat st;
    struct look look;
    memset(&look, 0, sizeof look);
    if (stat(path, &st) == 0) {
        look.dev = st.st_dev;
        look.ino = st.st_ino;
        look.size = st.st_size;
        look.modified = st.st_mtim;
        look.changed = st.st_ctim;
    }
    return look;
}

// True when one is not what it was.
static bool look_at_all(struct file_watch *watch)
{
    bool changed = !watch->looked;
    watch->looked = true;
    for (size_t i = 0; i < watch->count; i++) {
        struct look look = look_at(watch->paths[i]);
        changed |= memcmp(&look, &watch->looks[i], sizeof look) != 0;
        watch->looks[i] = look;
    }
    return changed;
}

static void settled(uv_timer_t *timer)
{
    struct file_watch *watch = timer->data;
    watch->since = 0;
    walk_all(watch); // before looking: what changes from here on is heard
    if (look_at_all(watch))
        watch->changed(watch->owner);
}

static void stir(struct file_watch *watch)
{
    uint64_t now = uv_now(watch->poll.loop);
    if (!watch->since)
        watch->since = now;
    if (!uv_is_active((uv_handle_t *)&watch->settle) || now - watch->since < SETTLE_MAX_MS)
        uv_timer_start(&watch->settle, settled, FILE_WATCH_SETTLE_MS, 0);
}

static bool concerns_us(const struct file_watch *watch, const struct inotify_event *event)
{
    return !event->len || event->mask & (IN_Q_OVERFLOW | IN_IGNORED) || leads_on(&watch->steps, event->wd, event->name);
}

static void heard(uv_poll_t *poll, int status, int events)
{
    struct file_watch *watch = poll->data;
    _Alignas(struct inotify_event) char room[EVENTS_SIZE];
    ssize_t len;
    bool stirred = false;
    (void)status;
    (void)events;
    while ((len = read(watch->fd, room, sizeof room)) > 0) {
        for (char *at = room; at < room + len;) {
            const struct inotify_event *event = (const struct inotify_event *)at;
            stirred |= concerns_us(watch, event);
            at += sizeof *event + event->len;
        }
    }
    if (stirred)
        stir(watch);
}

static void closed(uv_handle_t *handle)
{
    struct file_watch *watch = handle->data;
    if (--watch->handles > 0)
        return;
    close(watch->fd);
    for (size_t i = 0; i < watch->count; i++)
        free(watch->paths[i]);
    free(watch->paths);
    free(watch->looks);
    steps_fini(&watch->steps);
    free(watch);
}

// From the root on.
static char *absolute(const char *path)
{
    char here[PATH_MAX], whole[2 * PATH_MAX];
    if (*path == '/' || !getcwd(here, sizeof here))
        return memory_text(path);
    snprintf(whole, sizeof whole, "%s/%s", here, path);
    return memory_text(whole);
}

struct file_watch *file_watch_new(uv_loop_t *loop, const char *const paths[], size_t count, file_watch_changed *changed,
                                  void *owner, struct fault *fault)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) {
        fault_errno(fault, errno, "watch files");
        return NULL;
    }
    struct file_watch *watch = memory_new(sizeof *watch);
    *watch = (struct file_watch){.fd = fd, .handles = 2, .changed = changed, .owner = owner};
    watch->paths = memory_new((count + 1) * sizeof *watch->paths);
    watch->looks = memory_new((count + 1) * sizeof *watch->looks);
    for (size_t i = 0; i < count; i++)
        if (paths[i])
            watch->paths[watch->count++] = absolute(paths[i]);
    uv_poll_init(loop, &watch->poll, fd);
    uv_timer_init(loop, &watch->settle);
    watch->poll.data = watch->settle.data = watch;
    uv_poll_start(&watch->poll, UV_READABLE, heard);
    walk_all(watch);
    stir(watch);
    return watch;
}

void file_watch_free(struct file_watch *watch)
{
    if (!watch)
        return;
    uv_close((uv_handle_t *)&watch->poll, closed);
    uv_close((uv_handle_t *)&watch->settle, closed);
}
