// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/top/source.h"

#include "base/memory.h"
#include "cli/answer.h"
#include "cli/control.h"
#include "cli/runtime.h"
#include "os/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NAMES_MAX = 64, ANSWER_MAX = 64 * 1024 * 1024, ANSWER_FIRST = 64 * 1024 };
#define PATIENCE (5 * USEC_PER_SEC)

struct source {
    char root[RUNTIME_ROOT_SIZE];
    bool is_gate;
    const char *name;
    char names[NAMES_MAX][INSTANCE_NAME_MAX + 1]; // of this round
    size_t count, next;
    bool flows; // the question that is on its way, to names[next], is for them
    int fd;     // -1: none is
    usec_t asked;
    char *answer;
    size_t len, size;
    struct sample sample; // so far
};

struct source *top_source_new(const char *role, const char *name)
{
    struct fault fault;
    struct source *source = memory_new(sizeof *source);
    source->is_gate = !strcmp(role, "gate");
    source->name = name;
    source->fd = -1;
    if (!runtime_root(source->root, &fault))
        source->root[0] = '\0';
    return source;
}

void top_source_free(struct source *source)
{
    if (source->fd >= 0)
        close(source->fd);
    sample_fini(&source->sample);
    free(source->answer);
    free(source);
}

static void note_name(void *arg, const char *name)
{
    struct source *source = arg;
    if (source->count < NAMES_MAX && runtime_pid(source->root, name) > 0)
        strcpy(source->names[source->count++], name);
}

// The next question that can be asked. False: there is none.
static bool ask(struct source *source)
{
    char path[RUNTIME_PATH_SIZE];
    struct fault fault;
    for (; source->next < source->count; source->next++) {
        runtime_path(path, source->root, source->names[source->next], "control");
        source->fd = control_ask_begin(path, source->flows ? "flows" : "status", &fault);
        source->asked = clock_now();
        source->len = 0;
        if (source->fd >= 0)
            return true;
        source->flows = false;
    }
    return false;
}

void top_source_begin(struct source *source)
{
    if (source->fd >= 0)
        return;
    source->count = source->next = 0;
    source->flows = false;
    if (source->name)
        note_name(source, source->name);
    else if (*source->root)
        runtime_each(source->root, note_name, source);
    ask(source);
}

int top_source_fd(const struct source *source)
{
    return source->fd;
}

// What is not of that role is not asked for its flows, nor shown.
static void take(struct source *source)
{
    source->answer[source->len] = '\0';
    struct json_t *answer = answer_read(source->answer);
    bool ours = answer && !strcmp(answer_text(answer, "role"), source->is_gate ? "gate" : "portal");
    if (ours)
        sample_add(&source->sample, answer);
    answer_free(answer);
    bool more = ours && !source->is_gate && !source->flows;
    source->flows = more;
    source->next += !more;
}

static bool is_whole(struct source *source, struct sample *out)
{
    if (ask(source))
        return false;
    source->sample.at = clock_now();
    *out = source->sample;
    source->sample = (struct sample){0};
    return true;
}

static ssize_t receive(struct source *source)
{
    if (source->size - source->len < 2) {
        source->size = source->size ? 2 * source->size : ANSWER_FIRST;
        source->answer = memory_resize(source->answer, source->size);
    }
    return recv(source->fd, source->answer + source->len, source->size - source->len - 1, MSG_DONTWAIT);
}

bool top_source_read(struct source *source, struct sample *out)
{
    if (source->fd < 0)
        return is_whole(source, out); // nobody runs
    ssize_t got = receive(source);
    source->len += got > 0 ? (size_t)got : 0;
    bool waits = got < 0 && (errno == EAGAIN || errno == EINTR) && clock_now() - source->asked < PATIENCE;
    if (waits || (got > 0 && source->len < ANSWER_MAX))
        return false;
    close(source->fd);
    source->fd = -1;
    take(source);
    return is_whole(source, out);
}
