// SPDX-License-Identifier: GPL-2.0-or-later
// Three handles: the process, its standard error, and how long it may take to end. It is asked to (SIGTERM), then made to
// (SIGKILL), and the memory goes when it is gone and libuv has let go of all three.
#include "link/path/command.h"

#include "base/memory.h"
#include "base/text.h"
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LINE_SIZE = 256,   // bytes of a line that are shown
    LINES_LOGGED = 20, // of one command: what is wrong stands in the first ones
    LEAVE_MS = 200,    // a command whose connection is gone ends within it, if it is going to
    TERMINATE_MS = 500,
    READS_MAX = 16, // of its standard error at a time, 4 KiB each
};

struct command {
    uv_process_t process;
    uv_poll_t errors;
    uv_timer_t timer;
    int handles; // of libuv that are not closed yet
    int errors_fd;
    bool ended;
    bool told_to; // by us, so how it ended says nothing
    bool freed;
    int64_t status;
    int number; // of the signal
    char line[LINE_SIZE];
    size_t line_len;
    unsigned lines;
    char last[LINE_SIZE]; // line, escaped
    void (*done)(void *owner, const char *why);
    void *owner;
};

char *command_expand(const char *pattern, const char *host, uint16_t port)
{
    char *line;
    size_t size;
    bool known = true;
    FILE *out = open_memstream(&line, &size);
    if (!out)
        return NULL;
    for (const char *at = pattern; *at && known; at++) {
        if (*at != '%')
            fputc(*at, out);
        else if (*++at == 'h')
            fputs(host, out);
        else if (*at == 'p')
            fprintf(out, "%u", port);
        else if (*at == '%')
            fputc('%', out);
        else
            known = false;
    }
    fclose(out);
    if (known)
        return line;
    free(line);
    return NULL;
}

// What it says

static void end_line(struct command *command)
{
    command->line[command->line_len] = '\0';
    if (command->line_len > 0) {
        text_escape(command->last, sizeof command->last, command->line);
        if (command->lines++ < LINES_LOGGED)
            log_info("ProxyCommand: %s", command->last);
    }
    command->line_len = 0;
}

static void take_errors(struct command *command, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] == '\n' || bytes[i] == '\r')
            end_line(command);
        else if (command->line_len < sizeof command->line - 1)
            command->line[command->line_len++] = bytes[i];
}

static void read_errors(struct command *command)
{
    char room[4096];
    for (int i = 0; i < READS_MAX; i++) {
        ssize_t got = read(command->errors_fd, room, sizeof room);
        if (got > 0)
            take_errors(command, room, (size_t)got);
        else if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        else {
            uv_poll_stop(&command->errors);
            return;
        }
    }
}

static void on_errors(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    read_errors(poll->data);
}

// How it ends

static void closed(uv_handle_t *handle)
{
    struct command *command = handle->data;
    if (--command->handles == 0)
        free(command);
}

static void let_go(struct command *command)
{
    close(command->errors_fd);
    uv_close((uv_handle_t *)&command->errors, closed);
    uv_close((uv_handle_t *)&command->timer, closed);
    uv_close((uv_handle_t *)&command->process, closed);
}

static void signal_group(struct command *command, int number)
{
    kill(-command->process.pid, number);
}

static void report(struct command *command)
{
    char why[LINE_SIZE + 128] = "";
    if (!command->told_to && command->number)
        snprintf(why, sizeof why, "ProxyCommand was ended by signal %d", command->number);
    else if (!command->told_to && command->status)
        snprintf(why, sizeof why, "ProxyCommand ended with status %lld", (long long)command->status);
    if (*why && *command->last)
        snprintf(why + strlen(why), sizeof why - strlen(why), ": \"%s\"", command->last);
    void (*done)(void *owner, const char *why) = command->done;
    command->done = NULL;
    done(command->owner, why);
}

static void on_exit_of(uv_process_t *process, int64_t status, int number)
{
    struct command *command = process->data;
    command->ended = true;
    command->status = status;
    command->number = number;
    signal_group(command, SIGKILL); // whom it left behind
    read_errors(command);
    end_line(command);
    uv_timer_stop(&command->timer);
    if (command->freed)
        let_go(command);
    else if (command->done)
        report(command);
}

static void on_timer(uv_timer_t *timer)
{
    struct command *command = timer->data;
    if (command->ended) {
        report(command);
        return;
    }
    signal_group(command, command->told_to ? SIGKILL : SIGTERM);
    command->told_to = true;
    uv_timer_start(timer, on_timer, TERMINATE_MS, 0);
}

void command_finish(struct command *command, void (*done)(void *owner, const char *why), void *owner)
{
    command->done = done;
    command->owner = owner;
    uv_timer_start(&command->timer, on_timer, command->ended ? 0 : LEAVE_MS, 0);
}

void command_free(struct command *command)
{
    if (!command)
        return;
    command->freed = true;
    command->done = NULL;
    if (command->ended) {
        let_go(command);
        return;
    }
    signal_group(command, SIGTERM);
    command->told_to = true;
    uv_timer_start(&command->timer, on_timer, TERMINATE_MS, 0);
}

// How it begins

static bool make_channels(int pair[2], int errors[2], struct fault *fault)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return fault_errno(fault, errno, "ProxyCommand: make a pair of sockets");
    if (pipe2(errors, O_CLOEXEC) < 0) {
        fault_errno(fault, errno, "ProxyCommand: make a pipe");
        close(pair[0]);
        close(pair[1]);
        return false;
    }
    // Our ends alone: programs expect theirs to wait.
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    fcntl(errors[0], F_SETFL, O_NONBLOCK);
    return true;
}

static int spawn(struct command *command, uv_loop_t *loop, const char *line, int connection, int errors)
{
    char *args[] = {"sh", "-c", (char *)line, NULL};
    uv_stdio_container_t stdio[] = {
        {.flags = UV_INHERIT_FD, .data.fd = connection},
        {.flags = UV_INHERIT_FD, .data.fd = connection},
        {.flags = UV_INHERIT_FD, .data.fd = errors},
    };
    const uv_process_options_t options = {
        .file = "/bin/sh",
        .args = args,
        .flags = UV_PROCESS_DETACHED, // a session, and so a group, of its own
        .stdio_count = 3,
        .stdio = stdio,
        .exit_cb = on_exit_of,
    };
    int result = uv_spawn(loop, &command->process, &options);
    command->process.data = command; // which uv_spawn clears
    return result;
}

struct command *command_new(uv_loop_t *loop, const char *line, int *fd, struct fault *fault)
{
    int pair[2], errors[2];
    if (!make_channels(pair, errors, fault))
        return NULL;
    struct command *command = memory_new(sizeof *command);
    *command = (struct command){.handles = 3, .errors_fd = errors[0]};
    command->errors.data = command->timer.data = command;
    uv_timer_init(loop, &command->timer);
    uv_poll_init(loop, &command->errors, errors[0]);
    int result = spawn(command, loop, line, pair[1], errors[1]);
    close(pair[1]);
    close(errors[1]);
    if (result < 0) {
        fault_set(fault, "ProxyCommand: start /bin/sh: %s", uv_strerror(result));
        close(pair[0]);
        let_go(command);
        return NULL;
    }
    uv_poll_start(&command->errors, UV_READABLE, on_errors);
    *fd = pair[0];
    return command;
}
