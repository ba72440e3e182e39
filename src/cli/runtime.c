// SPDX-License-Identifier: GPL-2.0-or-later
// Claims are serialised by a lock on ROOT/.lock, so two programs that start at once never share a name or a slot.

#include "cli/runtime.h"

#include "os/sandbox/rights.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROOT_OF_ROOT "/run/usher"

static const char *const FILES[] = {"control", "pid", "slot", "log"};

enum {
    FILE_COUNT = sizeof FILES / sizeof FILES[0],
    DYING_MOMENTS = 100, // of 10 ms
};

void runtime_path(char room[RUNTIME_PATH_SIZE], const char *root, const char *name, const char *file)
{
    snprintf(room, RUNTIME_PATH_SIZE, "%s/%s%s%s", root, name, *file ? "/" : "", file);
}

// The standard wants an absolute path, and everything else to be ignored.
static const char *user_place(void)
{
    const char *place = getenv("XDG_RUNTIME_DIR");
    return place && *place == '/' ? place : NULL;
}

// Where a login would have pointed XDG_RUNTIME_DIR to, for what has no login: su, cron, a container.
static bool has_login_place(char place[RUNTIME_ROOT_SIZE])
{
    struct stat st;
    snprintf(place, RUNTIME_ROOT_SIZE, "/run/user/%u", geteuid());
    return lstat(place, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

// Anybody may make something of that name first.
static bool use_common_place(char room[RUNTIME_ROOT_SIZE], struct fault *fault)
{
    struct stat st;
    snprintf(room, RUNTIME_ROOT_SIZE, "/tmp/usher-%u", geteuid());
    if (lstat(room, &st) < 0 || (S_ISDIR(st.st_mode) && st.st_uid == geteuid()))
        return true;
    return fault_set(fault, "%s is somebody else's: set XDG_RUNTIME_DIR to a directory of your own for what is running",
                     room);
}

bool runtime_root(char room[RUNTIME_ROOT_SIZE], struct fault *fault)
{
    char login[RUNTIME_ROOT_SIZE];
    const char *place = user_place();
    if (rights_are_the_machines())
        snprintf(room, RUNTIME_ROOT_SIZE, "%s", ROOT_OF_ROOT);
    else if (!place && !has_login_place(login))
        return use_common_place(room, fault);
    else if (snprintf(room, RUNTIME_ROOT_SIZE, "%s/usher", place ? place : login) >= RUNTIME_ROOT_SIZE)
        return fault_set(fault, "XDG_RUNTIME_DIR is longer than %d bytes: set it to a shorter path",
                         RUNTIME_ROOT_SIZE - 1 - (int)strlen("/usher"));
    return true;
}

// The first number in a file, 0 when there is none.
static uint64_t read_number(const char *path)
{
    FILE *in = fopen(path, "re");
    unsigned long long value = 0;
    if (in && fscanf(in, "%llu", &value) != 1)
        value = 0;
    if (in)
        fclose(in);
    return value;
}

// A new file, never one that somebody put there.
static int create(const char *path, uint64_t value)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && dprintf(fd, "%llu\n", (unsigned long long)value) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

pid_t runtime_pid(const char *root, const char *name)
{
    char path[RUNTIME_PATH_SIZE];
    runtime_path(path, root, name, "pid");
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return 0;
    // Asks only: a lock taken for the test could make a claim at the same moment fail.
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    bool alive = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(fd);
    if (!alive)
        return 0;
    pid_t pid = (pid_t)read_number(path);
    return pid > 0 ? pid : -1; // locked but not written yet
}

uint64_t runtime_slots(const char *root, const char *name)
{
    char path[RUNTIME_PATH_SIZE];
    runtime_path(path, root, name, "slot");
    return read_number(path);
}

void runtime_remove(const char *root, const char *name)
{
    char path[RUNTIME_PATH_SIZE];
    for (size_t i = 0; i < FILE_COUNT; i++) {
        runtime_path(path, root, name, FILES[i]);
        unlink(path);
    }
    runtime_path(path, root, name, "");
    rmdir(path);
}

void runtime_each(const char *root, void (*visit)(void *arg, const char *name), void *arg)
{
    DIR *dir = opendir(root);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.' && strlen(entry->d_name) <= INSTANCE_NAME_MAX)
            visit(arg, entry->d_name);
    closedir(dir);
}

struct slots {
    const char *root;
    uint64_t used;
};

static void note_slots(void *arg, const char *name)
{
    struct slots *slots = arg;
    uint64_t held = runtime_slots(slots->root, name);
    if (!held && !runtime_pid(slots->root, name)) // ended in order, but had no right any more to remove its place
        runtime_remove(slots->root, name);
    slots->used |= held;
}

static uint64_t own_slot(const struct runtime *runtime)
{
    return runtime->slot < RUNTIME_SLOTS ? UINT64_C(1) << runtime->slot : 0;
}

// Places of the dead that hold none are removed on the way. `left` is in use as well: it belongs to a dead instance whose
// routes still stand.
static bool choose_slot(const char *root, uint64_t left, unsigned *slot)
{
    struct slots slots = {.root = root, .used = left};
    runtime_each(root, note_slots, &slots);
    for (*slot = 0; *slot < RUNTIME_SLOTS; ++*slot)
        if (!(slots.used & UINT64_C(1) << *slot))
            return true;
    return false;
}

static bool write_slots(struct runtime *runtime, const char *path, struct fault *fault)
{
    runtime->slots = create(path, runtime->left | own_slot(runtime));
    return runtime->slots >= 0 || fault_errno(fault, errno, "write %s", path);
}

static bool fill(struct runtime *out, const char *root, const char *name, struct fault *fault)
{
    char path[RUNTIME_PATH_SIZE];
    if (mkdir(out->dir, 0700) < 0)
        return fault_errno(fault, errno, "make %s", out->dir);
    runtime_path(path, root, name, "slot");
    if (!write_slots(out, path, fault))
        return false;
    runtime_path(path, root, name, "pid");
    out->lock = create(path, (uint64_t)getpid());
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (out->lock < 0 || fcntl(out->lock, F_OFD_SETLK, &lock) < 0)
        return fault_errno(fault, errno, "lock %s", path);
    return true;
}

static bool is_ours(uid_t owner)
{
    return owner == geteuid() || (owner == 0 && rights_are_the_machines());
}

// Everybody may look into root's, to hear who is running; what others could write to is no place for a socket and a pid.
static bool make_root(const char *root, struct fault *fault)
{
    struct stat st;
    if (mkdir(root, rights_are_the_machines() ? 0755 : 0700) < 0 && errno != EEXIST)
        return fault_errno(fault, errno, "make %s", root);
    if (lstat(root, &st) < 0)
        return fault_errno(fault, errno, "%s", root);
    if (!S_ISDIR(st.st_mode) || !is_ours(st.st_uid) || (st.st_mode & (S_IWGRP | S_IWOTH)))
        return fault_set(fault, "%s is not a directory that only its owner, who must be you, may write to", root);
    return true;
}

// The lock of one that was killed lives on in what it had just forked, until that ends or becomes another program.
static pid_t pid_of_the_living(const char *root, const char *name)
{
    const struct timespec moment = {.tv_nsec = 10 * 1000 * 1000};
    pid_t pid = runtime_pid(root, name);
    for (int left = DYING_MOMENTS; pid > 0 && kill(pid, 0) < 0 && errno == ESRCH && left > 0; left--) {
        nanosleep(&moment, NULL);
        pid = runtime_pid(root, name);
    }
    return pid;
}

bool runtime_claim(struct runtime *out, const char *root, const char *name, bool wants_slot, struct fault *fault)
{
    char path[RUNTIME_PATH_SIZE];
    *out = (struct runtime){.slot = RUNTIME_SLOTS, .lock = -1, .slots = -1};
    snprintf(out->dir, sizeof out->dir, "%s/%s", root, name);
    if (!make_root(root, fault))
        return false;
    runtime_path(path, root, ".lock", "");
    int turn = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (turn < 0 || flock(turn, LOCK_EX) < 0)
        return fault_errno(fault, errno, "lock %s", path);

    bool ok = false;
    unsigned slot;
    pid_t pid = pid_of_the_living(root, name);
    if (pid) {
        fault_set(fault, "already running (pid %d)", (int)pid);
    } else {
        out->left = runtime_slots(root, name);
        runtime_remove(root, name);
        bool has_slot = choose_slot(root, out->left, &slot);
        if (wants_slot)
            out->slot = slot;
        if (wants_slot && !has_slot)
            fault_set(fault, "%d instances exist already; see %s", RUNTIME_SLOTS, root);
        else
            ok = fill(out, root, name, fault);
        if (!ok)
            runtime_release(out);
    }
    close(turn);
    return ok;
}

bool runtime_adopt(struct runtime *out, const char *root, const char *name, unsigned slot, int lock, int slots,
                   struct fault *fault)
{
    *out = (struct runtime){.slot = slot, .lock = lock, .slots = slots};
    snprintf(out->dir, sizeof out->dir, "%s/%s", root, name);
    return runtime_pid(root, name) == getpid() || fault_set(fault, "%s is not this process's", out->dir);
}

bool runtime_settle(struct runtime *runtime, struct fault *fault)
{
    char path[RUNTIME_PATH_SIZE];
    runtime_path(path, runtime->dir, "slot", "");
    unlink(path);
    close(runtime->slots);
    runtime->left = 0;
    return write_slots(runtime, path, fault);
}

static void remove_files(const struct runtime *runtime)
{
    char path[RUNTIME_PATH_SIZE];
    if (runtime->slots >= 0 && ftruncate(runtime->slots, 0) < 0)
        return; // cannot be on a file of ours; but then it stays taken
    for (size_t i = 0; i < FILE_COUNT; i++) {
        runtime_path(path, runtime->dir, FILES[i], "");
        unlink(path);
    }
    rmdir(runtime->dir);
}

void runtime_release(struct runtime *runtime)
{
    if (!runtime->stained)
        remove_files(runtime);
    if (runtime->slots >= 0)
        close(runtime->slots);
    if (runtime->lock >= 0)
        close(runtime->lock);
    runtime->lock = runtime->slots = -1;
}
